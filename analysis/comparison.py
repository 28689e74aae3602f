"""Estimates beside predictions and, in a simulation, beside the truth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ..models.array import TrapArray
from ..models.errors import InputError
from ..models.inference.convention import fit_convention
from ..models.inference.digits import as_precise, in_hertz, measured
from ..models.inference.parameters import symbol_of
from ..models.inference.result import FitResult
from .figures.comparison import COMPARED, ComparedValue

__all__ = [
    "compare",
    "predictions",
    "pull_text",
    "rows_of",
]

# With feedback on these are not those of the light and gas alone.
_OF_FEEDBACK = ("gamma_1", "gamma_2", "D11", "D22")


def predictions(trap: TrapArray) -> dict[str, dict[str, float] | None]:
    """Predict the parameters of a pair fit, without feedback.

    Parameters
    ----------
    trap : TrapArray
        As configured, two particles.

    Returns
    -------
    dict
        ``exact`` and ``far_field`` (None for a pair that is not side by side): omega_1, omega_2,
        gamma_1, gamma_2, g_r, g_a, D11, D22, re_D12 in rad/s, at the equilibrium, converted to the
        convention of fits of a calibrated record. The far field has the exact lines.

    Examples
    --------
    >>> import optobind as ob
    >>> predicted = ob.predictions(ob.load_trap("simulated-pair"))
    >>> sorted(predicted), sorted(predicted["exact"])[:3]
    (['exact', 'far_field'], ['D11', 'D22', 'g_a'])
    """
    exact = trap.pair_constants().constants
    result: dict[str, dict[str, float] | None] = {"exact": fit_convention(exact, "m")}
    try:
        far = trap.far_field()
    except InputError:  # one behind the other: there is no far-field formula
        return {**result, "far_field": None}
    shifts = exact.shifts
    constants = replace(
        exact,
        g_r=far.g_r,
        g_a=far.g_a,
        D11=float(far.D[0, 0].real),
        D22=float(far.D[1, 1].real),
        re_D12=float(far.D[0, 1].real),
        shift_1=shifts[0],
        shift_2=shifts[1],
    )
    return {**result, "far_field": fit_convention(constants, "m")}


def compare(
    fits: Mapping[str, FitResult | None],
    truth: Mapping[str, Any] | None,
    predicted: Mapping[str, Mapping[str, float] | None] | None,
) -> list[ComparedValue]:
    """Set estimates beside what they should be.

    Parameters
    ----------
    fits : mapping
        "spectrum" and "reheating" to their results.
    truth : mapping or None
        Parameters with feedback on; under "reheating" those of the free evolution.
    predicted : mapping or None
        From :func:`predictions`. γ and D_jj of a spectrum with feedback on are not compared: the
        feedback damps and adds force noise.

    Returns
    -------
    list of ComparedValue
        One for each parameter and fit, for :func:`comparison_figure`.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> predicted = ob.predictions(ob.load_trap("simulated-pair"))
    >>> fits = {"spectrum": ob.analyse_spectrum(record).result}
    >>> ob.compare(fits, None, predicted)[0].name
    'omega_1'
    """
    values = []
    for name in COMPARED:
        for source, result in fits.items():
            if result is None or name not in result.parameters:
                continue
            parameter = result.parameters[name]
            if not parameter.vary or not parameter.stderr:
                continue
            own = truth.get("reheating", truth) if truth and source == "reheating" else truth
            feedback = source == "spectrum" and name in _OF_FEEDBACK
            values.append(
                ComparedValue(
                    name=name,
                    source=source,
                    value=parameter.value,
                    stderr=parameter.stderr,
                    truth=None if own is None else own.get(name),
                    exact=None if feedback else _of(predicted, "exact", name),
                    far_field=None if feedback else _of(predicted, "far_field", name),
                    unit=parameter.unit,
                )
            )
    return values


def _of(
    predicted: Mapping[str, Mapping[str, float] | None] | None, kind: str, name: str
) -> float | None:
    mine = (predicted or {}).get(kind)
    return None if mine is None else mine.get(name)


def pull_text(pull: float | None) -> str:
    """Write a deviation in standard deviations."""
    return "–" if pull is None else f"{pull:+.1f} σ"


def rows_of(values: Sequence[ComparedValue]) -> list[tuple[str, ...]]:
    """Lines of a table: symbol, fit, estimate, truth, exact, far field, pull; rates in Hz."""
    rows = []
    for v in values:
        unit = in_hertz(None, v.unit)[1]
        value, error = in_hertz(v.value, v.unit)[0], in_hertz(v.stderr, v.unit)[0]
        assert value is not None
        others = [in_hertz(x, v.unit)[0] for x in (v.truth, v.exact, v.far_field)]
        texts = ["–" if x is None else as_precise(x, error) for x in others]
        rows.append(
            (
                symbol_of(v.name),
                unit,
                v.source,
                measured(value, error),
                *texts,
                pull_text(v.pull),
            )
        )
    return rows
