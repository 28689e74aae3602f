"""The light of an array in time, and the weights by which it enters every force.

Forces, stiffness and diffusion at fixed positions are quadratic in the fields of the beams. With
E_m ∝ √p_m e^{iφ_m}, everything linear about the particles is therefore Σ_k w_k(t) X_k with constant
X_k and the weights w = (1, p_1 … p_M, then √(p_mp_n)cos(φ_m−φ_n) and √(p_mp_n)sin(φ_m−φ_n) for
each pair m < n). This is exact, for any distance and focus, as long as the positions rest.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...models.errors import InputError
from ...models.light import TweezerState
from .drives import detuned
from .waveform import Constant, Ramp, Waveform, common_period, time_array

__all__ = ["LightProgram"]

Array: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class LightProgram:
    """Phases and powers of M beams as functions of time.

    Attributes
    ----------
    phases : tuple of Waveform
        Set phase φ_m(t) of each beam, unit "rad".
    powers : tuple of Waveform
        Power of each beam, unit "1" (a factor of the reference power) or "W".

    Raises
    ------
    InputError
        For numbers or units that do not match, or a power below 0.

    Examples
    --------
    >>> import optobind as ob
    >>> light = ob.theory.LightProgram.pair(ob.theory.detuned(1e3), 1.0, 0.25)  # 1 kHz apart
    >>> [round(float(w), 6) for w in light([0.0])[0]], round(light.period, 6)
    ([1.0, 1.0, 0.25, 0.5, 0.0], 0.001)
    """

    phases: tuple[Waveform, ...]
    powers: tuple[Waveform, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "phases", tuple(self.phases))
        object.__setattr__(self, "powers", tuple(self.powers))
        if not self.phases or len(self.phases) != len(self.powers):
            raise InputError(
                f"a light program needs one phase and one power per beam, got {len(self.phases)} "
                f"phases and {len(self.powers)} powers"
            )
        for index, (phase, power) in enumerate(zip(self.phases, self.powers, strict=True), 1):
            if phase.unit != "rad":
                raise InputError(f"phase {index} must be in 'rad', its unit is {phase.unit!r}")
            if power.unit not in ("1", "W"):
                raise InputError(f"power {index} must be in '1' or 'W', not {power.unit!r}")
            if power.bounds[0] < 0.0:
                raise InputError(
                    f"power {index} must be at least 0, it falls to {power.bounds[0]:g} "
                    f"{power.unit}"
                )

    @classmethod
    def pair(
        cls,
        phi: Waveform | float = 0.0,
        power_1: Waveform | float = 1.0,
        power_2: Waveform | float = 1.0,
    ) -> LightProgram:
        """Two beams with φ = φ_1 − φ_2 (rad) and power factors; numbers are at rest."""
        phase = phi if isinstance(phi, Waveform) else Constant(phi)
        powers = tuple(
            p if isinstance(p, Waveform) else Constant(p, "1") for p in (power_1, power_2)
        )
        return cls((phase, Constant(0.0)), powers)

    @classmethod
    def detuned_pair(cls, delta_nu: float, phi_0: float = 0.0) -> LightProgram:
        """Two tones Δν = ν_2 − ν_1 (Hz) apart: φ(t) = φ_0 + 2πΔνt."""
        return cls.pair(detuned(delta_nu, phi_0))

    @classmethod
    def from_state(cls, state: TweezerState) -> LightProgram:
        """Beams that rest but for their detunings: φ_m(t) = φ_m − 2πν_mt, powers in W."""
        phases = tuple(
            Ramp(site.phase, -2.0 * math.pi * site.detuning)
            if site.detuning
            else Constant(site.phase)
            for site in state.sites
        )
        return cls(phases, tuple(Constant(site.power, "W") for site in state.sites))

    def relative_to(self, powers: Sequence[float]) -> LightProgram:
        """Express powers in W as factors of reference powers (W).

        Raises
        ------
        InputError
            For a number of powers that does not match, or a reference of 0 W.
        """
        if len(powers) != self.beams:
            raise InputError(f"{self.beams} beams need as many powers, got {len(powers)}")
        waves = []
        for wave, power in zip(self.powers, powers, strict=True):
            if wave.unit == "W" and not power > 0.0:
                raise InputError(f"a reference power must be positive, got {power!r} W")
            waves.append(wave.scaled(1.0 / power, "1") if wave.unit == "W" else wave)
        return LightProgram(self.phases, tuple(waves))

    @property
    def beams(self) -> int:
        """Number M of beams."""
        return len(self.phases)

    @property
    def count(self) -> int:
        """Number of weights, 1 + M + M(M−1)."""
        return 1 + self.beams**2

    def __call__(self, times: ArrayLike) -> Array:
        """Weights at times (s), shape (t, k); powers must be factors.

        Raises
        ------
        InputError
            For powers in W, see :meth:`relative_to`.
        """
        if any(power.unit == "W" for power in self.powers):
            raise InputError("powers in W need the reference powers of an array: relative_to")
        t = time_array(times)
        power = np.stack([wave(t) for wave in self.powers])
        phase = np.stack([wave(t) for wave in self.phases])
        columns = [np.ones(t.shape), *power]
        for m, n in itertools.combinations(range(self.beams), 2):
            root = np.sqrt(power[m] * power[n])
            columns += [root * np.cos(phase[m] - phase[n]), root * np.sin(phase[m] - phase[n])]
        return np.stack(columns, axis=-1)

    @property
    def period(self) -> float | None:
        """Common period of the powers and of the phase *differences*, s."""
        differences = [phase + self.phases[-1].scaled(-1.0, "rad") for phase in self.phases[:-1]]
        merged = [_merge_ramps(wave).period for wave in differences]
        return common_period([*merged, *(power.period for power in self.powers)])

    @property
    def rate(self) -> float:
        """Bound on how fast a weight turns, rad/s."""
        fastest = sorted((phase.rate for phase in self.phases), reverse=True)
        return sum(fastest[:2]) + max(power.rate for power in self.powers)

    @property
    def stepwise(self) -> bool:
        """Whether every waveform is constant between its breaks."""
        return all(wave.stepwise for wave in (*self.phases, *self.powers))

    def breaks(self, start: float, stop: float) -> Array:
        """Breaks of every waveform in (start, stop), s, and kinks of √P where beams interfere."""
        waves = (*self.phases, *self.powers)
        times = [wave.breaks(start, stop) for wave in waves]
        if self.beams > 1:
            times += [power.kinks(start, stop) for power in self.powers]
        return np.unique(np.concatenate(times))


def _merge_ramps(wave: Waveform) -> Waveform:
    """Add up the ramps of a sum, so that equal detunings cancel."""
    terms = wave.terms if hasattr(wave, "terms") else (wave,)
    slope = sum(term.slope for term in terms if isinstance(term, Ramp))
    largest = max((abs(term.slope) for term in terms if isinstance(term, Ramp)), default=0.0)
    others = [term for term in terms if not isinstance(term, Ramp)]
    total: Waveform = Ramp(0.0, slope if abs(slope) > 1e-12 * largest else 0.0)
    for term in others:
        total = total + term
    return total
