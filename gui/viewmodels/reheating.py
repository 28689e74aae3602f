"""Reheating curves ready to draw, with error bars, single repetitions and the fit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...models.errors import InputError
from .curves import Curve
from .units import HeldPrefixes

if TYPE_CHECKING:
    from ...acquisition.snapshots import ReheatingSnapshot
    from ...models.inference.reheating.estimate import ReheatingEstimate
    from ...models.inference.result import FitResult

__all__ = [
    "Points",
    "ReheatingModel",
    "ReheatingView",
    "Single",
    "nearest_single",
    "parse_exclusion",
]

Floats = NDArray[np.float64]
_ENERGIES = ("E₁", "E₂")
_MODES = ("E₊", "E₋")
_CROSS = ("Re C", "Im C")
_UNITS = {"quanta": "quanta", "m": "m²", "V": "V²"}
_MOST_SINGLES = 12


@dataclass(frozen=True)
class Points:
    """A curve with error bars: name, t (s), value, standard error, and the fit (perhaps empty)."""

    name: str
    x: Floats
    y: Floats
    stderr: Floats
    fit: Curve


@dataclass(frozen=True)
class Single:
    """One repetition: number as on screen (from 1), E_1 and E_2, and whether it is left out."""

    number: int
    curves: tuple[Curve, ...]
    excluded: bool


@dataclass(frozen=True)
class ReheatingView:
    """What the tab draws: energies on top, C below, single repetitions faintly underneath."""

    energies: tuple[Points, ...]
    cross: tuple[Points, ...]
    singles: tuple[Single, ...]
    unit: str
    counter: str
    note: str
    parameters: str = ""


class ReheatingModel:
    """State of the reheating tab."""

    def __init__(self) -> None:
        self.show_modes = False
        self.show_singles = True
        self._prefixes = HeldPrefixes()
        self._fitted: tuple[FitResult, ReheatingEstimate, Floats] | None = None

    def view(self, snapshot: ReheatingSnapshot) -> ReheatingView:
        """Turn a snapshot into curves; noise that the detector adds is taken off E_1 and E_2."""
        counter = _counter(snapshot)
        estimate = snapshot.estimate
        if estimate is None:
            note = snapshot.error or "Curves appear after the second repetition."
            return ReheatingView((), (), (), "quanta", counter, note)
        offset = estimate.noise_offset
        shift = np.array([offset[0], offset[1], 0.0, 0.0])[:, None]
        data = estimate.curves() - shift
        fit = self._fit_curves(estimate, snapshot.result)
        curves = None if fit is None else fit - shift
        t = np.asarray(estimate.times)
        energies = self._modes if self.show_modes else self._particles
        return ReheatingView(
            energies(t, data, estimate, curves),
            tuple(
                Points(name, t, data[2 + i], estimate.stderr[2 + i], _line(t, curves, 2 + i))
                for i, name in enumerate(_CROSS)
            ),
            self._singles(t, snapshot, offset),
            _UNITS.get(estimate.unit, estimate.unit),
            counter,
            _note(snapshot),
            _parameters(snapshot.result, self._prefixes),
        )

    @staticmethod
    def _particles(
        t: Floats, data: Floats, estimate: ReheatingEstimate, fit: Floats | None
    ) -> tuple[Points, ...]:
        """E_1 and E_2."""
        return tuple(
            Points(name, t, data[i], estimate.stderr[i], _line(t, fit, i))
            for i, name in enumerate(_ENERGIES)
        )

    @staticmethod
    def _modes(
        t: Floats, data: Floats, estimate: ReheatingEstimate, fit: Floats | None
    ) -> tuple[Points, ...]:
        """E_± = (E_1 + E_2)/2 ± Re C.

        The error bar leaves out the covariance of E_1, E_2 and C, which the fit accounts for.
        """
        mean = 0.5 * (data[0] + data[1])
        s = estimate.stderr
        error = np.sqrt(0.25 * (s[0] ** 2 + s[1] ** 2) + s[2] ** 2)
        curves = []
        for sign, name in zip((1.0, -1.0), _MODES, strict=True):
            line = Curve.empty()
            if fit is not None:
                line = Curve(t, 0.5 * (fit[0] + fit[1]) + sign * fit[2])
            curves.append(Points(name, t, mean + sign * data[2], error, line))
        return tuple(curves)

    def _singles(
        self, t: Floats, snapshot: ReheatingSnapshot, offset: Floats
    ) -> tuple[Single, ...]:
        """Newest repetitions."""
        single, numbers = snapshot.single[-_MOST_SINGLES:], snapshot.single_numbers
        if not self.show_singles or self.show_modes or single.shape[-1] != t.size:
            return ()
        return tuple(
            Single(
                number,
                tuple(Curve(t, record[j] - offset[j]) for j in range(2)),
                number in snapshot.excluded,
            )
            for number, record in zip(numbers[-_MOST_SINGLES:], single, strict=True)
        )

    def _fit_curves(self, estimate: ReheatingEstimate, result: FitResult | None) -> Floats | None:
        """Expected E_1, E_2, Re C, Im C of the fit, shape (4, t); kept until the fit changes."""
        if result is None:
            return None
        if self._fitted is not None and self._fitted[0] is result:
            curves = self._fitted[2]
            return curves if curves.shape[1] == estimate.times.size else None
        from ...models.inference.reheating.moments import amplitude_moments

        values = {name: p.value for name, p in result.parameters.items()}
        equal = amplitude_moments(estimate.layout, values, vacuum=estimate.vacuum).equal
        # y = (Re a_1, Im a_1, Re a_2, Im a_2) and C = ⟨a_1* a_2⟩.
        curves = np.stack(
            [
                equal[:, 0, 0] + equal[:, 1, 1],
                equal[:, 2, 2] + equal[:, 3, 3],
                equal[:, 0, 2] + equal[:, 1, 3],
                equal[:, 0, 3] - equal[:, 1, 2],
            ]
        )
        self._fitted = (result, estimate, curves)
        return np.asarray(curves)


def _counter(snapshot: ReheatingSnapshot) -> str:
    """How far the step is, and what of it can be used where that is not all."""
    done, planned = snapshot.repetitions_done, snapshot.repetitions_planned
    text = f"repetition {min(done, planned)} of {planned}" if planned else f"{done} repetitions"
    count = snapshot.releases
    return text if count is None else f"{text} · {count.used()}"


def _parameters(result: FitResult | None, held: HeldPrefixes) -> str:
    """All parameters of the fit with their errors, on one line that may be wrapped."""
    if result is None:
        return ""
    from .fit import fit_rows

    rows = fit_rows(result, held=held)
    words = "  ·  ".join(f"{r.symbol} = {r.words}" for r in rows)
    return f"rates as value/2π:  {words}" if words else ""


def _line(t: Floats, curves: Floats | None, row: int) -> Curve:
    return Curve.empty() if curves is None else Curve(t, curves[row])


def _note(snapshot: ReheatingSnapshot) -> str:
    """Re D_12 with its error and the estimator that it is of, or why there is no fit."""
    if snapshot.result is None:
        return snapshot.error
    failed = f"The newest fit failed: {snapshot.error}. " if snapshot.error else ""
    from .fit import goodness

    quality, poor = goodness(snapshot.result.statistics)
    if quality:
        quality = f" · {quality}{': the model does not describe these releases' if poor else ''}"
    parameter = snapshot.result.parameters.get("re_D12")
    if parameter is None:
        return ""
    from .fit import shown
    from .units import value_with_error

    value, unit = shown(parameter.value, parameter.unit)
    stderr = None if parameter.stderr is None else shown(parameter.stderr, parameter.unit)[0]
    text, unit = value_with_error(value, stderr, unit)
    sigma = f" ({abs(value) / stderr:.1f} σ from 0)" if stderr else ""
    fitted = snapshot.result.input.get("repetitions")
    of = f" – fit of the first {fitted} repetitions" if _stale(snapshot, fitted) else ""
    estimator = snapshot.result.statistics["estimator"]
    by = "By the exact likelihood of the samples."
    if estimator != "exact":
        by = (
            f"By {estimator}; of the run file optobind fit reheating takes the exact likelihood, "
            "unless told otherwise (--estimator)."
        )
    return f"{failed}Re D₁₂/2π = {text} {unit}{sigma}{quality}{of}. {by}"


def _stale(snapshot: ReheatingSnapshot, fitted: object) -> bool:
    """Whether the fit rests on fewer repetitions than the curves."""
    estimate = snapshot.estimate
    return isinstance(fitted, int) and estimate is not None and fitted != estimate.repetitions


def nearest_single(
    singles: tuple[Single, ...], t: float, value: float, reach: tuple[float, float]
) -> Single | None:
    """Repetition whose curve passes closest to a point, or None if none is within reach.

    Parameters
    ----------
    singles : tuple of Single
        What is on screen.
    t, value : float
        The point: s, and the unit of the curves.
    reach : (float, float)
        Half axes of the ellipse that counts as near, in the same units.
    """
    found: list[tuple[float, int]] = []
    for index, single in enumerate(singles):
        for curve in single.curves:
            x, y = (curve.x - t) / reach[0], (curve.y - value) / reach[1]
            found.append((_distance_to_line(x, y), index))
    distance, index = min(found, default=(math.inf, 0))
    return singles[index] if distance <= 1.0 else None


def _distance_to_line(x: Floats, y: Floats) -> float:
    """Distance of the origin to a line through points."""
    if x.size < 2:
        return float(np.hypot(x, y).min(initial=math.inf))
    dx, dy = np.diff(x), np.diff(y)
    share = np.clip(-(x[:-1] * dx + y[:-1] * dy) / np.maximum(dx**2 + dy**2, 1e-30), 0.0, 1.0)
    return float(np.hypot(x[:-1] + share * dx, y[:-1] + share * dy).min())


def parse_exclusion(text: str, done: int | None = None) -> tuple[int, str]:
    """Read "12 hit by a flash": number of the repetition, counted from 1, and reason.

    Parameters
    ----------
    text : str
        What was typed.
    done : int, optional
        Number of the newest repetition.

    Raises
    ------
    InputError
        Without a number or a reason, or for a repetition that was not done.
    """
    number, _, reason = text.strip().partition(" ")
    if not number.isdigit() or not reason.strip():
        raise InputError(
            f"{text.strip()!r} cannot be read: give the repetition's number, a space, the reason"
        )
    if int(number) < 1 or (done is not None and int(number) > done):
        raise InputError(f"there is no repetition {number}; done so far: 1 to {done}")
    return int(number), reason.strip()
