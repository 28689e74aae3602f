"""Working points: the modulation frequency at which light does one thing best, by Floquet theory.

The rotating wave says where to look, ω̃_2 − ω̃_1 for a beam splitter, 2ω̃_j for squeezing of one
particle and ω̃_1 + ω̃_2 for squeezing of both, and what to expect. The exact monodromy matrix then
decides: the growth rate is maximised, or the splitting of the two hybrid modes minimised, without
any rotating wave. The two agree to O(g/ω).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from ...models.errors import InputError
from ...models.ranges import require_count
from .drift import ModulatedModel
from .floquet import FloquetAnalysis, floquet
from .rotating import EffectiveRates, effective_rates, mean_lines, rotating_model

__all__ = ["Kind", "WorkingPoint", "find_working_point"]

Array: TypeAlias = NDArray[np.float64]
Kind: TypeAlias = Literal["beam_splitter", "one_mode_squeezing", "two_mode_squeezing"]

KINDS = ("beam_splitter", "one_mode_squeezing", "two_mode_squeezing")
_TOLERANCE = 1e-10
_LEAST = 1e-6  # of a mechanical frequency: slower rates are no working point


@dataclass(frozen=True)
class WorkingPoint:
    """A modulation frequency and what the light does there.

    Attributes
    ----------
    kind : str
        "beam_splitter", "one_mode_squeezing" or "two_mode_squeezing".
    frequency : float
        At which the light repeats, Hz: |Δν| of a detuned pair, or the modulation frequency.
    order : int
        Harmonic of the light that meets the resonance.
    model : ModulatedModel
        The model at this frequency, with its own damping.
    rates : EffectiveRates
        Rotating-wave rates there.
    rotating_rate : float
        Rate of the rotating wave, rad/s: exchange rate g (amplitudes ∝ cos gt) or growth rate of
        the amplified quadrature.
    rate : float
        The same from the Floquet exponents.
    growth_rate : float
        Largest growth rate of an amplitude without damping, 1/s (Floquet).
    damping_needed : float
        Energy damping γ = 2·growth_rate from which on the driven pair is stable, 1/s.
    stable : bool
        Whether it is stable with its own damping.
    squeezed_variance : float
        Variance that the most damped quadrature settles at, vacuum ½ (rotating wave, own damping
        and noise); NaN for a beam splitter.

    Examples
    --------
    Two tones as far apart as the lines couple at half of g: states are swapped after π/g.

    >>> import math
    >>> import optobind as ob
    >>> kd = 6.0 * math.pi
    >>> model = ob.theory.far_field_model(
    ...     omega=3e6, delta_omega=1e5, kd=kd, G=1e3 * kd, D11=2e3, D22=2e3,
    ...     phi=ob.theory.detuned(1e3),
    ... )
    >>> point = ob.theory.find_working_point(model, "beam_splitter")
    >>> round(point.transfer_time * 1e3 / math.pi, 2)
    1.0
    """

    kind: str
    frequency: float
    order: int
    model: ModulatedModel
    rates: EffectiveRates
    rotating_rate: float
    rate: float
    growth_rate: float
    damping_needed: float
    stable: bool
    squeezed_variance: float

    @property
    def transfer_time(self) -> float:
        """Time after which a beam splitter has swapped the two states, π/(2g), s; else infinite."""
        swaps = self.kind == "beam_splitter" and self.rate > 0.0
        return math.pi / (2.0 * self.rate) if swaps else math.inf


def _target(kind: str, lines: Array, particle: int) -> float:
    """Resonance in rad/s that a harmonic of the light must meet."""
    if kind == "beam_splitter":
        return float(abs(lines[1] - lines[0]))
    if kind == "one_mode_squeezing":
        return float(2.0 * lines[particle])
    return float(lines.sum())


def resonant_frame(kind: str, lines: Array, frequency: float, order: int) -> tuple[float, float]:
    """Frames (ω_r1, ω_r2), rad/s, that a harmonic of the light connects exactly."""
    turn = 2.0 * math.pi * order * frequency
    if kind == "beam_splitter":
        mean, half = 0.5 * float(lines.sum()), 0.5 * math.copysign(turn, lines[1] - lines[0])
        return mean - half, mean + half
    return 0.5 * turn, 0.5 * turn


def _hybrid_splitting(analysis: FloquetAnalysis) -> complex:
    """Difference of the exponents of the two modes of positive frequency, folded to near 0."""
    modes = analysis.modes / np.linalg.norm(analysis.modes, axis=0)
    weight = np.abs(modes[0::2] + 1j * modes[1::2]) ** 2
    mirrored = np.abs(modes[0::2] - 1j * modes[1::2]) ** 2
    chosen = np.argsort(-(weight - mirrored).sum(axis=0))[:2]
    difference = complex(np.subtract(*analysis.exponents[chosen]))
    turn = 2.0 * math.pi / analysis.period
    return complex(difference.real, math.remainder(difference.imag, turn))


def _objective(kind: str, model: ModulatedModel) -> Callable[[float], float]:
    """What to minimise over the frequency (Hz)."""
    if kind == "beam_splitter":

        def splitting(frequency: float) -> float:
            """Re of (2g)² + detuning², a parabola around the resonance even for complex g²."""
            found = floquet(model.played_at(frequency), tolerance=_TOLERANCE)
            return -(_hybrid_splitting(found) ** 2).real

        return splitting

    def decay(frequency: float) -> float:
        return -floquet(model.played_at(frequency), tolerance=_TOLERANCE).growth_rate

    return decay


def find_working_point(
    model: ModulatedModel, kind: Kind, *, particle: int = 0, order: int = 1
) -> WorkingPoint:
    """Find the modulation frequency at which a pair is best coupled or squeezed.

    Parameters
    ----------
    model : ModulatedModel
        A pair (4 states) under periodic light of any period; its waveform is kept, its frequency
        is varied.
    kind : str
        "beam_splitter", "one_mode_squeezing" or "two_mode_squeezing".
    particle : int
        0 or 1, of one-mode squeezing.
    order : int
        Harmonic of the light that is to meet the resonance, at least 1.

    Returns
    -------
    WorkingPoint
        Frequency in Hz, rates in rad/s.

    Raises
    ------
    InputError
        For a model that is no pair, light at rest, lines that coincide (beam splitter), or light
        that does not drive the resonance.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Eq. (13).

    Examples
    --------
    Equation (13) without a rotating wave: equal particles are squeezed at 2ω and grow at g.

    >>> import math
    >>> import optobind as ob
    >>> kd = 6.0 * math.pi
    >>> model = ob.theory.far_field_model(
    ...     omega=3e6, kd=kd, G=1e3 * kd, D11=2e3, D22=2e3, phi=ob.theory.detuned(1e3)
    ... )
    >>> point = ob.theory.find_working_point(model, "two_mode_squeezing")
    >>> round(math.pi * point.frequency / 3e6, 2), round(point.growth_rate / 1e3, 2)
    (1.0, 1.0)
    """
    if kind not in KINDS:
        raise InputError(f"unknown kind {kind!r} of working point; known: {', '.join(KINDS)}")
    require_count("particle", particle, 0, 1)
    require_count("order", order, 1)
    if model.states != 4:
        raise InputError(
            f"a working point needs a pair (4 states); the model has {model.states} states"
        )
    model.require_period()
    bare, lines = model.undamped(), mean_lines(model)
    target = _target(kind, lines, particle)
    guess = target / (2.0 * math.pi * order)
    if guess <= 0.0:
        raise InputError("the two lines coincide: static light is the beam splitter then")
    expected = _rotating_rate(kind, bare, lines, guess, order)
    if expected < _LEAST * lines.min():
        raise InputError(
            f"harmonic {order} of the light does not drive {kind.replace('_', ' ')} at "
            f"{guess:.6g} Hz (rate {expected:.2g} rad/s)"
        )
    low, high = _bracket(kind, lines, target, expected)
    best = minimize_scalar(
        _objective(kind, bare),
        bounds=(low / (2.0 * math.pi * order), high / (2.0 * math.pi * order)),
        method="bounded",
        options={"xatol": 1e-4 * expected / (2.0 * math.pi * order)},
    )
    return _described(kind, model, bare, lines, float(best.x), order)


def _bracket(kind: str, lines: Array, target: float, expected: float) -> tuple[float, float]:
    """Where to search, rad/s: shifts are of second order, (rate)²/(distance of resonances)."""
    apart = abs(float(lines[1] - lines[0]))
    reach = 3.0 * expected + 10.0 * expected**2 / target
    if kind == "beam_splitter":
        if expected > 0.25 * apart:
            raise InputError(
                f"the exchange rate {expected:.4g} rad/s is not small against the distance of the "
                f"lines, {apart:.4g} rad/s: unbalance the powers, or use static light"
            )
        return max(target - reach, 0.6 * target), min(target + reach, 1.4 * target)
    if apart > 2.0 * expected:
        reach = min(reach, 0.5 * apart)  # 2ω̃_1, ω̃_1 + ω̃_2 and 2ω̃_2 are resonances of their own
    return target - reach, target + reach


def _rotating_rate(
    kind: str, bare: ModulatedModel, lines: Array, frequency: float, order: int
) -> float:
    """Exchange or growth rate in the rotating wave, rad/s."""
    frame = resonant_frame(kind, lines, frequency, order)
    played = bare.played_at(frequency)
    if kind == "beam_splitter":
        return abs(effective_rates(played, frame).exchange)
    return max(0.0, rotating_model(played, frame).growth_rate)


def _described(
    kind: str,
    model: ModulatedModel,
    bare: ModulatedModel,
    lines: Array,
    frequency: float,
    order: int,
) -> WorkingPoint:
    """Everything about a located frequency."""
    frame = resonant_frame(kind, lines, frequency, order)
    own = model.played_at(frequency)
    rates = effective_rates(own, frame)
    analysis = floquet(bare.played_at(frequency), tolerance=_TOLERANCE)
    growth = max(0.0, analysis.growth_rate)
    if kind == "beam_splitter":
        rotating, rate = abs(rates.exchange.real), 0.5 * abs(_hybrid_splitting(analysis).imag)
    else:
        rotating, rate = _rotating_rate(kind, bare, lines, frequency, order), growth
    return WorkingPoint(
        kind=kind,
        frequency=frequency,
        order=order,
        model=own,
        rates=rates,
        rotating_rate=rotating,
        rate=rate,
        growth_rate=growth,
        damping_needed=2.0 * growth,
        stable=floquet(own, tolerance=_TOLERANCE).is_stable,
        squeezed_variance=(math.nan if kind == "beam_splitter" else _squeezed_variance(own, frame)),
    )


def _squeezed_variance(model: ModulatedModel, frame: tuple[float, float]) -> float:
    """Stationary variance lᵀNl/(2|Re λ|) of the fastest decaying quadrature, lᵀA = λlᵀ."""
    slow = rotating_model(model, frame)
    values, vectors = np.linalg.eig(slow.drift.T)
    index = int(values.real.argmin())
    if values[index].real >= 0.0:
        return math.nan
    left = vectors[:, index] / np.linalg.norm(vectors[:, index])
    return float((left.conj() @ slow.noise @ left).real / (2.0 * abs(values[index].real)))
