"""N axial oscillators and the rates between them: Eqs. (6)–(11) for any number of particles.

g_jl is the rate at which particle l drives particle j, z̈_j = −ω̃_j²z_j + 2ωΣ_l g_jl z_l − …, so
that g_12 = g_r + g_a and g_21 = g_r − g_a. In the far field every pair couples, at 1/kd.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.array import Place, TrapArray
from ...models.errors import InputError
from ...models.farfield import far_field_couplings, noise_kernel
from ...models.linear import LinearModel
from ...models.oscillators import oscillator_drift, oscillator_model
from ...models.ranges import require_count, require_finite, require_finite_array, require_range
from ...models.reprs import short_repr
from ...models.tweezer import LocalField

__all__ = ["CouplingNetwork"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CouplingNetwork:
    """Constants of N coupled axial oscillators; all rates in rad/s or 1/s.

    Attributes
    ----------
    omegas : ndarray, shape (n,)
        Frequencies without binding; their mean ω scales all quadratures.
    g : ndarray, shape (n, n)
        g_jl, what l does to j; 0 on the diagonal.
    shifts : ndarray, shape (n,)
        Local stiffness shifts s_j.
    D : ndarray, shape (n, n)
        Recoil diffusion, hermitian and positive semidefinite.
    gamma : ndarray, shape (n,)
        Energy damping rates.
    n_thermal : float
        Occupation of the gas bath at ω.

    Raises
    ------
    InputError
        For shapes that do not fit, or values that are no physical rates.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eqs. (6)–(11).

    Examples
    --------
    For two particles g_12 = g_r + g_a, g_21 = g_r − g_a, and Im D_12 = g_a.

    >>> import optobind as ob
    >>> network = ob.theory.CouplingNetwork.exact(ob.load_trap("simulated-pair"))
    >>> g_a = 0.5 * float(network.g[0, 1] - network.g[1, 0])
    >>> network.g.shape, abs(float(network.D[0, 1].imag) / g_a - 1.0) < 1e-6
    ((2, 2), True)
    """

    omegas: Array
    g: Array
    shifts: Array
    D: NDArray[np.complex128]
    gamma: Array
    n_thermal: float = 0.0

    __repr__ = short_repr

    def __post_init__(self) -> None:
        n = len(np.atleast_1d(self.omegas))
        shapes = {"omegas": (n,), "g": (n, n), "shifts": (n,), "D": (n, n), "gamma": (n,)}
        for name, shape in shapes.items():
            kind = np.complex128 if name == "D" else np.float64
            value = np.array(getattr(self, name), dtype=kind)
            if value.shape != shape or not np.isfinite(value).all():
                raise InputError(f"{name} must be finite, shape {shape}; got {value.shape}")
            value.setflags(write=False)
            object.__setattr__(self, name, value)
        require_range("n_thermal", self.n_thermal, 0.0, 1e15)
        if self.omegas.min() <= 0.0 or min(self.gamma.min(), self.n_thermal) < 0.0:
            raise InputError("omegas must be positive, gamma and n_thermal at least 0")
        if np.diag(self.g).any():
            raise InputError("g must be zero on the diagonal: no particle drives itself")
        size = np.abs(self.D).max(initial=0.0)
        if np.abs(self.D - self.D.conj().T).max(initial=0.0) > 1e-9 * size:
            raise InputError("D must be hermitian")
        if np.linalg.eigvalsh(self.D)[0] < -1e-9 * size:
            raise InputError("D must be positive semidefinite: the master equation would not be")

    @classmethod
    def exact(cls, array: TrapArray, at: Place = "equilibrium") -> CouplingNetwork:
        """All rates of an array from first principles.

        Parameters
        ----------
        array : TrapArray
            Any number of particles.
        at : "equilibrium", "focus" or array_like of shape (n, 3)
            Where to linearise.
        """
        parts = array.coefficients(at)
        return cls(
            omegas=parts.omegas,
            g=parts.couplings,
            shifts=parts.shifts,
            D=parts.rates,
            gamma=parts.gamma,
            n_thermal=float(parts.thermal_occupation),
        )

    @classmethod
    def far_field(cls, array: TrapArray, at: Place = "focus") -> CouplingNetwork:
        """All rates in the limit kd ≫ 1, see :mod:`..farfield`; shifts as at the foci, Eq. (9).

        Raises
        ------
        InputError
            For fewer than two particles, or two of them one behind the other.
        """
        places = array.positions(at)
        if len(places) < 2:
            raise InputError("far-field couplings need two particles, the array has 1")
        count = len(places)
        field, alpha, masses = array.field(places), array.polarizabilities, array.masses
        omegas = array.axial_omegas(places)
        omega = float(omegas.mean())
        rates, diffusion = np.zeros((count, count)), np.zeros((count, count), dtype=np.complex128)
        for j, other in itertools.combinations(range(count), 2):
            pair = [j, other]
            local = LocalField(field.value[:, pair], field.first[:, pair], field.second[:, pair])
            far = far_field_couplings(
                local, alpha[pair], places[pair], (masses[j], masses[other]), omega, array.k
            )
            rates[j, other], rates[other, j] = far.g_r + far.g_a, far.g_r - far.g_a
            diffusion[np.ix_(pair, pair)] = far.D
        gas = array.gas
        return cls(
            omegas=omegas,
            g=rates,
            shifts=(rates * np.sqrt(masses[None, :] / masses[:, None])).sum(axis=1),
            D=diffusion,
            gamma=array.damping_rates,
            n_thermal=0.0 if gas is None else gas.occupation(omega),
        )

    @classmethod
    def chain(
        cls,
        count: int,
        *,
        omega: float,
        kd: float,
        G: float,
        phase_step: float = 0.0,
        propagation_factor: float = 1.0,
        gamma: float = 0.0,
        n_thermal: float = 0.0,
    ) -> CouplingNetwork:
        """Ideal chain along x: Eq. (6) between all particles, recoil with its exact kernel.

        Parameters
        ----------
        count : int
            Number of particles.
        omega : float
            Frequency of all of them, rad/s.
        kd : float
            k times the spacing.
        G : float
            Coupling constant, rad/s.
        phase_step : float
            φ_{j+1} − φ_j, rad.
        propagation_factor : float
            A; D_jj = G(A² + 2/5)/(1.5A²).
        gamma, n_thermal : float
            Damping rate, 1/s, and occupation of the gas.
        """
        require_count("count", count, 1, 10_000)
        require_range("kd", kd, 1e-6, 1e9)
        require_range("propagation_factor", propagation_factor, 0.1, 1.0)
        rates_given = {"omega": omega, "G": G, "phase_step": phase_step, "gamma": gamma}
        for name, value in rates_given.items():
            require_finite(name, value)
        index = np.arange(count)
        gap = index[:, None] - index[None, :]
        distance = np.where(gap == 0, 1.0, kd * np.abs(gap))
        rates = np.where(gap == 0, 0.0, G / distance * np.cos(distance - phase_step * gap))
        square = propagation_factor**2
        recoil = abs(G) * (square + 0.4) / (1.5 * square)
        kernel = noise_kernel(kd * gap, propagation_factor)
        return cls(
            omegas=np.full(count, omega),
            g=rates,
            shifts=rates.sum(axis=1),
            D=recoil * kernel * np.exp(1j * phase_step * gap),
            gamma=np.full(count, gamma),
            n_thermal=n_thermal,
        )

    @property
    def count(self) -> int:
        """Number of particles."""
        return len(self.omegas)

    @property
    def omega(self) -> float:
        """Mean frequency ω, rad/s."""
        return float(self.omegas.mean())

    @property
    def lines(self) -> Array:
        """ω̃_j with ω̃_j² = ω_j² + 2ωs_j, (n,), rad/s.

        Raises
        ------
        InputError
            If binding anti-traps a particle.
        """
        squares = self.omegas**2 + 2.0 * self.omega * self.shifts
        if squares.min() <= 0.0:
            worst = int(squares.argmin()) + 1
            raise InputError(f"binding anti-traps particle {worst}: ω_j² + 2ωs_j is not positive")
        return np.asarray(np.sqrt(squares))

    @property
    def total_diffusion(self) -> Array:
        """Recoil and gas, D_jj + γ_j(n̄ + ½), (n,), 1/s."""
        return np.asarray(np.diag(self.D).real + self.gamma * (self.n_thermal + 0.5))

    def to_linear(self) -> LinearModel:
        """Full dynamics in states (z_1, p_1, z_2, …), as :meth:`TrapArray.linearize`."""
        own = self.omegas**2 / self.omega + 2.0 * self.shifts
        drift = oscillator_drift(self.omega, 2.0 * self.g - np.diag(own), self.gamma)
        bath = self.gamma * (self.n_thermal + 0.5)
        return oscillator_model(drift, self.D.real + np.diag(bath))

    def dynamical_matrix(self) -> NDArray[np.complex128]:
        """H of the rotating wave, da/dt = −iHa, in the frame at ω, (n, n), rad/s.

        H_jl = (ω_j − ω + s_j − iγ_j/2)δ_jl − g_jl; Eq. (11) is this at two particles without gas
        and with g_r taken off the diagonal.
        """
        own = self.omegas - self.omega + self.shifts - 0.5j * self.gamma
        return np.asarray(np.diag(own) - self.g)

    def within(self, reach: int) -> CouplingNetwork:
        """Keep couplings up to the ``reach``-th neighbour in the order of the particles.

        Shifts and noise stay: they are local, and measured.
        """
        require_count("reach", reach, 1)
        index = np.arange(self.count)
        near = np.abs(index[:, None] - index[None, :]) <= reach
        return replace(self, g=np.where(near, self.g, 0.0))

    def levelled(self, line: float | None = None) -> CouplingNetwork:
        """Copy with all lines at ``line`` (rad/s; by default their mean), as powers trim them."""
        target = float(self.lines.mean()) if line is None else require_finite("line", line)
        return replace(self, shifts=(target**2 - self.omegas**2) / (2.0 * self.omega))

    def damped(self, gamma: ArrayLike) -> CouplingNetwork:
        """Copy with other damping rates, one or (n,), 1/s."""
        rates = require_finite_array("gamma", gamma, "1/s")
        if rates.shape not in ((), (self.count,)):
            raise InputError(f"gamma must have shape () or ({self.count},), got {rates.shape}")
        return replace(self, gamma=np.broadcast_to(rates, (self.count,)))
