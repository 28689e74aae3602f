"""Particles in an array of tweezers: forces, equilibrium, stiffness, diffusion, linear models."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .array_checks import check_apart, check_beats, measured_table, position_array
from .coefficients import ArrayCoefficients, array_coefficients
from .couplings import PairCouplings, pair_constants
from .doubts import model_doubts
from .equilibrium import force_balance, lone_equilibria
from .errors import InputError, NotTrappedError
from .farfield import FarFieldCouplings, far_field_couplings, local_phase
from .gas import Gas
from .light import TweezerState
from .linear import LinearModel
from .mechanics import Mechanics
from .oscillators import oscillator_model
from .ranges import require_range
from .sphere import Sphere
from .tweezer import LocalField, Tweezer

__all__ = ["Place", "TrapArray"]

Array: TypeAlias = NDArray[np.float64]
Place: TypeAlias = Literal["equilibrium", "focus"] | ArrayLike


@dataclass(frozen=True)
class TrapArray:
    """N spheres, one in each of N tweezers.

    Attributes
    ----------
    spheres : tuple of Sphere
        The particles.
    tweezers : tuple of Tweezer
        The beam of each particle, in the same order. Beams of one optical frequency interfere;
        beams that differ by 0.5 MHz or more do not, on average.
    wavelength : float
        m; 200 nm … 20 µm.
    gas : Gas or None
        Residual gas.
    radiative_correction : bool
        Use α/(1 − ik³α/(6πε0)) in place of α.
    measured_omegas : tuple of float or None
        Measured frequencies that override the computed ones in linear models, rad/s: one per
        particle (axial), or three (x, y, z) per particle.

    Raises
    ------
    InputError
        For numbers that do not match, touching spheres, a waist below λ/4, or beats that are
        neither static nor fast.

    Examples
    --------
    >>> import optobind as ob
    >>> sphere = ob.Sphere(radius=70e-9)
    >>> beams = [ob.Tweezer((x, 0.0, 0.0), 0.3, 0.7e-6, 0.75e-6) for x in (-1.25e-6, 1.25e-6)]
    >>> trap = ob.TrapArray((sphere, sphere), beams, gas=ob.Gas(pressure=1e-6))
    >>> trap
    <TrapArray: 2 spheres of radius 70, 70 nm, 1064 nm light, air at 1e-06 Pa>
    >>> abs(trap.pair_constants().constants.g_a) < 1.0  # equal phases: reciprocal
    True
    """

    spheres: tuple[Sphere, ...]
    tweezers: tuple[Tweezer, ...]
    wavelength: float = 1064e-9
    gas: Gas | None = None
    radiative_correction: bool = False
    measured_omegas: tuple[float | tuple[float, float, float], ...] | None = None

    def __repr__(self) -> str:
        """Number of particles, wavelength and gas in one line."""
        count = len(self.spheres)
        radii = ", ".join(f"{1e9 * sphere.radius:.4g}" for sphere in self.spheres[:4])
        more = ", …" if count > 4 else ""
        gas = "no gas" if self.gas is None else f"{self.gas.species} at {self.gas.pressure:.3g} Pa"
        return (
            f"<TrapArray: {count} sphere{'s' if count > 1 else ''} of radius {radii}{more} nm, "
            f"{1e9 * self.wavelength:.6g} nm light, {gas}>"
        )

    def __post_init__(self) -> None:
        object.__setattr__(self, "spheres", tuple(self.spheres))
        object.__setattr__(self, "tweezers", tuple(self.tweezers))
        if not self.spheres or len(self.spheres) != len(self.tweezers):
            raise InputError(
                f"an array needs one tweezer per sphere, got {len(self.spheres)} spheres and "
                f"{len(self.tweezers)} tweezers"
            )
        require_range("wavelength", self.wavelength, 2e-7, 2e-5, "m")
        for tweezer in self.tweezers:
            tweezer.check_waists(self.k)
        check_beats(tweezer.detuning for tweezer in self.tweezers)
        measured_table(self.measured_omegas, len(self.spheres))
        check_apart(self.spheres, self.foci)

    @classmethod
    def from_state(
        cls,
        spheres: Sequence[Sphere],
        state: TweezerState,
        waists: tuple[float, float] | Sequence[tuple[float, float]],
        polarizations: Sequence[complex] | Sequence[Sequence[complex]] = (0.0, 1.0),
        wavelength: float = 1064e-9,
        *,
        gas: Gas | None = None,
        radiative_correction: bool = False,
        measured_omegas: tuple[float | tuple[float, float, float], ...] | None = None,
    ) -> TrapArray:
        """Build an array from the state of the light.

        Parameters
        ----------
        spheres : sequence of Sphere
            The particles, in the order of the sites.
        state : TweezerState
            Position, power, phase and detuning of each site.
        waists : pair of float, or one pair per site
            (w_x, w_y), m.
        polarizations : Jones vector, or one per site
            (x, y).
        wavelength, gas, radiative_correction, measured_omegas
            As for :class:`TrapArray`.
        """
        count = len(state.sites)
        try:
            widths = np.broadcast_to(np.asarray(waists, dtype=np.float64), (count, 2))
            vectors = np.atleast_1d(np.asarray(polarizations, dtype=np.complex128))
            jones = np.broadcast_to(vectors, (count, vectors.shape[-1]))
        except (TypeError, ValueError):
            raise InputError(
                f"waists and polarizations need one (x, y) pair, or one for each of {count} sites"
            ) from None
        tweezers = tuple(
            Tweezer(
                site.position,
                site.power,
                float(width[0]),
                float(width[1]),
                site.phase,
                tuple(complex(value) for value in vector),
                site.detuning,
            )
            for site, width, vector in zip(state.sites, widths, jones, strict=True)
        )
        return cls(tuple(spheres), tweezers, wavelength, gas, radiative_correction, measured_omegas)

    def with_light(self, state: TweezerState, *, time: float | None = None) -> TrapArray:
        """Copy with positions, powers, phases and detunings of a new state of the light.

        Parameters
        ----------
        state : TweezerState
            One site per tweezer.
        time : float, optional
            Freeze the light at this time (s): phases advance by −2πν_jt and the detunings go.
            A quasi-static picture of a slow beat φ(t) = φ_0 + 2π(ν_2 − ν_1)t.
        """
        if len(state.sites) != len(self.tweezers):
            raise InputError(
                f"the state has {len(state.sites)} sites, the array {len(self.tweezers)} tweezers"
            )
        tweezers = []
        for site, tweezer in zip(state.sites, self.tweezers, strict=True):
            turn = 0.0 if time is None else -2.0 * math.pi * math.fmod(site.detuning * time, 1.0)
            detuning = site.detuning if time is None else 0.0
            tweezers.append(
                replace(
                    tweezer,
                    position=site.position,
                    power=site.power,
                    phase=site.phase + turn,
                    detuning=detuning,
                )
            )
        return replace(self, tweezers=tuple(tweezers))

    @property
    def k(self) -> float:
        """Wave number, 1/m."""
        return 2.0 * math.pi / self.wavelength

    @property
    def foci(self) -> Array:
        """Foci, shape (n, 3), m."""
        return np.array([tweezer.position for tweezer in self.tweezers])

    @property
    def masses(self) -> Array:
        """Masses, shape (n,), kg."""
        return np.array([sphere.mass for sphere in self.spheres])

    @property
    def damping_rates(self) -> Array:
        """Damping of each particle by the gas, shape (n,), 1/s; 0 without gas."""
        gas = self.gas
        return np.array([0.0 if gas is None else gas.damping_rate(s) for s in self.spheres])

    @cached_property
    def polarizabilities(self) -> NDArray[np.complex128]:
        """Polarizabilities in use, shape (n,), C m²/V."""
        if self.radiative_correction:
            return np.array([sphere.effective_polarizability(self.k) for sphere in self.spheres])
        return np.array([complex(sphere.polarizability) for sphere in self.spheres])

    def mechanics(self, tweezers: Sequence[Tweezer]) -> Mechanics:
        """Forces on these particles in other beams of the same wavelength."""
        charges = np.array([sphere.charge for sphere in self.spheres])
        return Mechanics(tuple(tweezers), self.polarizabilities, charges, self.k)

    def field(self, positions: ArrayLike) -> LocalField:
        """Field of all tweezers with derivatives at positions (n, 3) in m."""
        return self._mechanics.field(position_array(positions))

    def forces(self, positions: ArrayLike) -> Array:
        """Gradient, scattering, binding (Eq. (1)) and Coulomb forces, shape (n, 3), N.

        Parameters
        ----------
        positions : array_like, shape (n, 3)
            Particle positions, m.
        """
        return self._mechanics.forces(self._places(positions))

    def stiffness(self, positions: ArrayLike, *, binding: bool = True) -> Array:
        """K_{ja,lb} = −∂F_ja/∂r_lb, shape (3n, 3n), index 3j + a, N/m; not symmetric.

        Parameters
        ----------
        positions : array_like, shape (n, 3)
            Particle positions, m.
        binding : bool
            False leaves out everything between particles, optical binding and Coulomb forces.
        """
        size = 3 * len(self.spheres)
        places = self._places(positions)
        return self._mechanics.stiffness(places, 1.0 if binding else 0.0).reshape(size, size)

    def momentum_diffusion(self, positions: ArrayLike) -> NDArray[np.complex128]:
        """P of Eq. (5), shape (3n, 3n), hermitian: d⟨pp⟩/dt = 2 Re P, (kg m/s)²/s."""
        return self._mechanics.diffusion(self._places(positions))

    def axial_omegas(self, positions: ArrayLike) -> Array:
        """ω_j along z without interaction, shape (n,), rad/s; measured values where given.

        Raises
        ------
        NotTrappedError
            If the stiffness along z is not positive.
        """
        measured = self._measured[:, 2]
        alone = self._mechanics.alone(self._places(positions))[:, 2, 2]
        for index, (value, known) in enumerate(zip(alone, measured, strict=True)):
            if value <= 0.0 and np.isnan(known):
                raise NotTrappedError(
                    f"particle {index + 1} is not trapped along z: the stiffness is {value:.3g} N/m"
                )
        computed = np.sqrt(np.maximum(alone, 0.0) / self.masses)
        return np.where(np.isnan(measured), computed, measured)

    def equilibrium(self) -> Array:
        """Positions where all forces vanish, binding included, shape (n, 3), m.

        Raises
        ------
        NotTrappedError
            If a particle has no equilibrium near its focus or its trap is not stable there.
        """
        return self._equilibrium.copy()

    def positions(self, at: Place = "equilibrium") -> Array:
        """Positions by name, "equilibrium" or "focus", or as given, shape (n, 3), m."""
        if isinstance(at, str):
            if at == "equilibrium":
                return self.equilibrium()
            if at == "focus":
                return self.foci
            raise InputError(f"at must be 'equilibrium', 'focus' or positions, got {at!r}")
        return self._places(at)

    def coefficients(self, at: Place = "equilibrium") -> ArrayCoefficients:
        """Frequencies, stiffness, diffusion and damping at "equilibrium", "focus" or positions."""
        places = self.positions(at)
        self.axial_omegas(places)  # names a particle that is not trapped
        return array_coefficients(
            self._mechanics,
            places,
            self.masses,
            self._measured,
            self.damping_rates,
            0.0 if self.gas is None else self.gas.temperature,
        )

    def pair_constants(
        self, at: Place = "equilibrium", *, pair: tuple[int, int] = (0, 1)
    ) -> PairCouplings:
        """Constants of Eqs. (6)–(9) of two particles from first principles.

        Parameters
        ----------
        at : "equilibrium", "focus" or array_like of shape (n, 3)
            Where to linearise.
        pair : tuple of int
            The two particles.
        """
        places = self.positions(at)
        index = list(pair)
        coefficients = self.coefficients(places)
        constants, diffusion = pair_constants(coefficients, pair)
        first, second = (self.tweezers[j] for j in index)
        return PairCouplings(
            at=at if isinstance(at, str) else "positions",
            positions=places[index],
            omegas=(float(coefficients.omegas[pair[0]]), float(coefficients.omegas[pair[1]])),
            masses=(self.spheres[pair[0]].mass, self.spheres[pair[1]].mass),
            constants=constants,
            phi=first.phase - second.phase,
            phi_local=local_phase(self.field(places), pair),
            kd=self.k * math.dist(places[pair[0]], places[pair[1]]),
            kd_set=self.k * math.dist(first.position, second.position),
            D=diffusion,
        )

    def far_field(
        self, at: Place = "equilibrium", *, pair: tuple[int, int] = (0, 1)
    ) -> FarFieldCouplings:
        """Far-field couplings of two particles with the local field, see :mod:`.farfield`."""
        places = self.positions(at)
        index = list(pair)
        if len(set(pair)) != 2 or not all(0 <= j < len(self.spheres) for j in pair):
            raise InputError(f"pair must name two of the {len(self.spheres)} particles, got {pair}")
        omega = float(self.axial_omegas(places)[index].mean())
        return far_field_couplings(
            self.field(places[index]),
            self.polarizabilities[index],
            places[index],
            (self.spheres[pair[0]].mass, self.spheres[pair[1]].mass),
            omega,
            self.k,
        )

    def linearize(self, at: Place = "equilibrium", axes: str = "z") -> LinearModel:
        """Linear model in quadratures with one scale, the mean axial ω.

        Parameters
        ----------
        at : "equilibrium", "focus" or array_like of shape (n, 3)
            Where to linearise.
        axes : str
            Which axes move, for example "z" or "xyz"; states (x_1, p_x1, y_1, p_y1, …, x_2, …).
        """
        found = self.coefficients(at)
        return oscillator_model(found.drift(axes), found.total_diffusion(axes))

    def doubts(self) -> tuple[str, ...]:
        """Sentences on where the model is doubtful: see :func:`.doubts.model_doubts`."""
        temperature = 293.0 if self.gas is None else self.gas.temperature
        return model_doubts(self.spheres, self.tweezers, self.k, temperature)

    @cached_property
    def _equilibrium(self) -> Array:
        start = lone_equilibria(self.spheres, self.polarizabilities, self.tweezers, self.k)
        places = force_balance(self._mechanics, start)
        check_apart(self.spheres, places)
        return places

    @cached_property
    def _mechanics(self) -> Mechanics:
        return self.mechanics(self.tweezers)

    @cached_property
    def _measured(self) -> Array:
        return measured_table(self.measured_omegas, len(self.spheres))

    def _places(self, positions: ArrayLike) -> Array:
        return position_array(positions, len(self.spheres))
