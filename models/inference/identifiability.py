"""What a fit of one record cannot separate: detectors from physics, and parameters from each other.

Nuisances of the detectors are added to the model and the Fisher information says what they do. With
own parameters p and nuisances n, a nuisance δ that the fit leaves out moves the estimates by
F_pp⁻¹F_pn δ, whatever the length of the record. For the mixing and gains T of y = Tz the shift is
known exactly (:mod:`.joint.seen`): T maps the model onto itself, F with T added is singular, and no
record of one light tells (physics.md §10).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from .exact.gains import NoFilterError, gains_of
from .exact.likelihood import ExactLikelihood
from .exact.model import FilterModel
from .joint.seen import Motion, mixed
from .matrices import NAMES
from .result import FitResult
from .steps import invert

__all__ = [
    "Degeneracy",
    "Identifiability",
    "Presupposed",
    "identifiability",
    "separation_lines",
]

_Array = NDArray[np.float64]

_MOVED = ("g_r", "g_a", "re_D12")
_MIXED = ("omega_1", "omega_2", "g_r", "g_a", "D11", "D22", "re_D12")
# A nuisance, its unit of one step in T or delay, and the words for it.
_OF_T = {
    "mix_12": "particle 2 in detector 1",
    "mix_21": "particle 1 in detector 2",
    "mixing": "each particle in the other's detector",
    "gain_1": "gain of detector 1",
    "gain_2": "gain of detector 2",
}
_OF_FILTER = {"delay_12": "delay of channel 2", "noise_12": "common noise of the detectors"}
_STEP = 1e-4
_SAMPLES = 1 << 13
# Eigenvalues of the information of unit diagonal below which a direction is hardly determined.
_WEAK = 0.02
_INVOLVED = 0.3
_DARK = 0.5  # relative error of D_jj: whether the particle moves is hardly seen


@dataclass(frozen=True)
class Presupposed:
    """What one nuisance does that the fit takes for 0.

    Attributes
    ----------
    nuisance : str
        Name, such as "mixing".
    meaning : str
        In words.
    unit : str
        Of ``feigns``: "" for shares, "s" for delays.
    shifts : mapping of str to float
        Change of g_r, g_a and re_D12 per unit of the nuisance, rad/s.
    feigns : mapping of str to float
        Size of the nuisance that feigns one standard error of each; infinite where it does nothing.
    exact : bool
        Whether no record of one light can tell, however long.
    """

    nuisance: str
    meaning: str
    unit: str
    shifts: Mapping[str, float]
    feigns: Mapping[str, float]
    exact: bool


@dataclass(frozen=True)
class Degeneracy:
    """A combination of parameters that the record hardly determines.

    Attributes
    ----------
    parameters : mapping of str to float
        The combination, in standard errors of each if the others were known; unit length.
    excess : float
        By how much its error exceeds that of independent parameters.
    """

    parameters: Mapping[str, float]
    excess: float


@dataclass(frozen=True)
class Identifiability:
    """What a record cannot separate.

    Attributes
    ----------
    presupposed : tuple of Presupposed
        Nuisances that were taken for 0, the most dangerous to Re D_12 first.
    degenerate : tuple of Degeneracy
        Combinations of fitted parameters that are hardly determined, the worst first.
    statements : tuple of str
        Lines too near each other, dark particles, signs: in words.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> report = ob.analyse_spectrum(record).result.identifiability()
    >>> report.presupposed[0].nuisance[:3]
    'mix'
    """

    presupposed: tuple[Presupposed, ...] = ()
    degenerate: tuple[Degeneracy, ...] = ()
    statements: tuple[str, ...] = field(default=())

    def to_dict(self) -> dict[str, Any]:
        """JSON values; what a nuisance does not feign is None."""
        return {
            "presupposed": [
                {
                    "nuisance": one.nuisance,
                    "meaning": one.meaning,
                    "unit": one.unit,
                    "shifts": dict(one.shifts),
                    "feigns_one_stderr": {
                        n: v if math.isfinite(v) else None for n, v in one.feigns.items()
                    },
                    "exactly_degenerate": one.exact,
                }
                for one in self.presupposed
            ],
            "degenerate": [
                {"parameters": dict(one.parameters), "excess": one.excess}
                for one in self.degenerate
            ],
            "statements": list(self.statements),
        }


def identifiability(
    result: FitResult, *, sample_rate: float | None = None, filtered: bool = True
) -> Identifiability:
    """Say what the data of a fit cannot separate.

    Parameters
    ----------
    result : FitResult
        Of a pair or its releases; of one particle only its own degeneracies.
    sample_rate : float, optional
        Hz; that of the result's input by default.
    filtered : bool
        Whether delay and common noise are looked at too, which takes a tenth of a second.

    Returns
    -------
    Identifiability
        Nuisances with what they feign, weak combinations, statements.

    Raises
    ------
    InputError
        If the fit has no errors at all.

    Examples
    --------
    >>> import optobind as ob
    >>> record = ob.open_record("runs/first/run.h5")  # of optobind demo --out runs/first
    >>> found = ob.identifiability(ob.analyse_spectrum(record).result)
    >>> found.presupposed[0].feigns["re_D12"] < 0.02  # less cross-talk than 2 % is one error
    True
    """
    if not result.varying:
        raise InputError("a fit without fitted parameters determines nothing")
    presupposed: list[Presupposed] = []
    if all(name in result.parameters for name in _MIXED):
        presupposed = _of_mixing(result)
        rate = sample_rate or result.input.get("sample_rate")
        if filtered and rate and "mix_12" not in result.varying:
            presupposed += _of_filter(result, float(rate))
        presupposed = [one for one in presupposed if one.nuisance not in result.varying]
        presupposed.sort(key=_danger)
    weak = _degenerate(result)
    return Identifiability(tuple(presupposed), tuple(weak), tuple(_statements(result)))


def _danger(one: Presupposed) -> float:
    """Shares first, by how little feigns Re D_12."""
    return one.feigns["re_D12"] + (1e6 if one.unit else 0.0)


def _presupposed(
    result: FitResult, name: str, unit: str, shifts: Mapping[str, float], *, exact: bool
) -> Presupposed:
    feigns = {}
    for moved, shift in shifts.items():
        error = result.stderr(moved) or 0.0
        feigns[moved] = error / abs(shift) if shift else math.inf
    words = {**_OF_T, **_OF_FILTER}[name]
    return Presupposed(name, words, unit, dict(shifts), feigns, exact)


def _of_mixing(result: FitResult) -> list[Presupposed]:
    """Mixing and gains: how T = 1 + δ shifts what a fit finds, exactly."""
    motion = Motion(*(np.array([result.value(n)]) for n in _MIXED))
    rows = [_MIXED.index(n) for n in _MOVED]
    directions = {
        "mix_12": (1.0, 0.0, 0.0, 0.0),
        "mix_21": (0.0, 1.0, 0.0, 0.0),
        "mixing": (1.0, 1.0, 0.0, 0.0),
        "gain_1": (0.0, 0.0, 1.0, 0.0),
        "gain_2": (0.0, 0.0, 0.0, 1.0),
    }
    found = []
    for name, direction in directions.items():
        up, down = (
            mixed(motion, tuple(np.array([0.0, 0.0, 1.0, 1.0]) + s * _STEP * np.array(direction)))
            for s in (1.0, -1.0)
        )
        slope = (up - down)[0, rows] / (2.0 * _STEP)
        shifts = dict(zip(_MOVED, slope.tolist(), strict=True))
        found.append(_presupposed(result, name, "", shifts, exact=True))
    return found


def _of_filter(result: FitResult, sample_rate: float) -> list[Presupposed]:
    """Delay and common noise: F_pp⁻¹F_pn of the exact likelihood at the fitted values."""
    fisher, names = _information(result, sample_rate)
    if fisher is None:
        return []
    free = [i for i, n in enumerate(names) if n in result.varying]
    covariance, determined = invert(fisher[np.ix_(free, free)])
    if not determined:
        return []
    found = []
    for name, unit in (("delay_12", "s"), ("noise_12", "")):
        column = fisher[np.ix_(free, [names.index(name)])][:, 0]
        if name == "noise_12":  # as a share of both imprecisions
            column = column * math.sqrt(abs(result.value("noise_1") * result.value("noise_2")))
        moved = dict(zip([names[i] for i in free], (covariance @ column).tolist(), strict=True))
        shifts = {n: moved.get(n, 0.0) for n in _MOVED}
        found.append(_presupposed(result, name, unit, shifts, exact=False))
    return found


def _information(result: FitResult, sample_rate: float) -> tuple[_Array | None, tuple[str, ...]]:
    """Expected information of the samples, delay and common noise added, of a unit of record."""
    released = result.model == "reheating"
    vacuum = 0.5 if result.input.get("unit") == "quanta" else 0.0
    model = FilterModel("pair", released, ("noise_12", "delay_12"), vacuum)
    known = {n: p.value for n, p in result.parameters.items()}
    values = np.array([known.get(n, 0.0) for n in model.names])
    for at, name in enumerate(model.names):
        if name in ("noise_1", "noise_2"):
            values[at] = max(values[at], 1e-12)
    likelihood = ExactLikelihood(model, [], sample_rate, np.ones(2), np.zeros(2))
    try:
        space = likelihood.space(values)
        if space is None:
            return None, model.names
        return gains_of(space, np.ones(_SAMPLES, dtype=bool)).information(), model.names
    except (NoFilterError, np.linalg.LinAlgError):
        return None, model.names


def _degenerate(result: FitResult) -> list[Degeneracy]:
    """Weak directions of the fitted parameters' information, on a unit diagonal."""
    sigma = np.sqrt(np.maximum(np.diag(result.covariance), 0.0))
    if not (np.isfinite(sigma).all() and (sigma > 0.0).all()):
        return []
    fisher = np.linalg.pinv(result.covariance / np.outer(sigma, sigma), hermitian=True)
    scale = np.sqrt(np.diag(fisher))
    values, vectors = np.linalg.eigh(fisher / np.outer(scale, scale))
    found = []
    for value, vector in zip(values, vectors.T, strict=True):
        if value > _WEAK:
            break
        parts = {n: float(v) for n, v in zip(result.varying, vector, strict=True)}
        parts = {n: v for n, v in parts.items() if abs(v) > _INVOLVED}
        found.append(Degeneracy(parts, 1.0 / math.sqrt(max(float(value), 1e-30))))
    return found


def _statements(result: FitResult) -> list[str]:
    """Near lines, dark particles, signs."""
    found: list[str] = []
    known = {n: p.value for n, p in result.parameters.items()}
    if not set(NAMES["pair"][:9]) <= set(known):
        return found
    splitting = abs(known["omega_2"] - known["omega_1"])
    width = max(known["gamma_1"] + known["gamma_2"], 0.0) * 0.5
    coupling = 2.0 * math.sqrt(known["g_r"] ** 2 + known["g_a"] ** 2)
    if splitting < max(width, coupling):
        found.append(
            f"the lines lie {splitting / math.tau:.3g} Hz apart, less than their width or coupling "
            f"({max(width, coupling) / math.tau:.3g} Hz): which particle is which rests on the "
            "detectors alone, and mixing turns the lines into g_r"
        )
    for j in ("1", "2"):
        error, value = result.stderr(f"D{j}{j}"), known[f"D{j}{j}"]
        if error is not None and error > _DARK * abs(value):
            found.append(
                f"particle {j} is dark: its heating is {value:.3g} ± {error:.3g}; an unseen one "
                "makes couplings and damping of the other that these data cannot tell apart"
            )
    found.append(
        "the signs of g_r, g_a and re_D12 together rest on the polarities of the detectors; a "
        "phase between the channels turns the coupling: see delay_12"
    )
    if "re_D12" in result.varying and result.stderr("re_D12"):
        found.append(
            "one light: only the reversal of φ (optobind fit global) tells cross-talk from physics"
        )
    return found


def separation_lines(found: Identifiability) -> list[str]:
    """Write what a record cannot separate, for reading; rates divided by 2π.

    Parameters
    ----------
    found : Identifiability
        Of :func:`identifiability`.

    Returns
    -------
    list of str
        One line a nuisance, weak combination or statement.
    """
    lines = []
    for one in found.presupposed:
        if one.nuisance in ("mix_12", "mix_21"):
            continue  # of which "mixing" is the sum
        sizes = ", ".join(
            f"{_sized(size, one.unit)} of {name}"
            for name, size in one.feigns.items()
            if math.isfinite(size)
        )
        never = "; no record of one light tells" if one.exact else ""
        lines.append(f"{one.meaning}: one standard error is {sizes}{never}")
    for weak in found.degenerate:
        names = " and ".join(weak.parameters)
        lines.append(f"{names} are determined together, errors {weak.excess:.2g} times larger")
    return [*lines, *found.statements]


def _sized(size: float, unit: str) -> str:
    return f"{1e9 * size:.2g} ns" if unit == "s" else f"{100.0 * size:.2g} %"
