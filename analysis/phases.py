"""Fig. 3 of the Letter, for ideal constants or for a pair: both maps drawn, stored and told."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from ..models.array import TrapArray
from ..models.array_phases import (
    ArrayRegimes,
    ArraySymmetry,
    array_regimes,
    array_symmetry,
    symmetry_range,
)
from ..models.errors import InputError
from ..models.family_coefficients import Reason
from ..models.phases import (
    LETTER_POINTS,
    RegimeMap,
    SymmetryMap,
    area_shares,
    eigenfrequency_cut,
    ideal_regimes,
    ideal_symmetry,
)
from ..models.regimes import exceptional_detunings
from .figures.pictogram import Couple
from .figures.regimes import pair_regimes_figure, regimes_figure
from .figures.style import si_prefix
from .figures.symmetry import Cut, pair_symmetry_figure, symmetry_figure

__all__ = ["PhasesResult", "ideal_phases", "pair_phases"]

At: TypeAlias = Literal["equilibrium", "focus"]

_IDEAL_RANGES = ((-math.pi, math.pi), (4.5 * math.pi, 6.5 * math.pi), (-12.0, 12.0), (-3.0, 3.0))
_IDEAL_CUTS = (2.0, 1.0, 0.0)  # g_a/g_r
_DRAWN = 361  # points a side of the ideal picture, whatever the grid of the JSON
_CUT, _PAIR_CUT = 1201, 301  # detunings of a cut
_UNITS = {"angles": "rad", "rates and frequencies": "rad/s", "lengths": "m"}
_IDEAL_UNITS = {"angles": "rad", "fig3a": "rates in G", "fig3b": "rates in g_r"}


@dataclass(frozen=True, repr=False)
class PhasesResult:
    """Both maps in three forms.

    Attributes
    ----------
    figures : dict
        ``fig3a`` and ``fig3b``.
    document : dict
        The grids, for JSON.
    summary : dict
        Without the grids.
    warnings : tuple of str
        Where the model is doubtful.
    """

    figures: dict[str, Figure]
    document: dict[str, Any]
    summary: dict[str, Any]
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Source, grid and shares of the regimes in one line."""
        shares = ", ".join(f"{name} {share:.0%}" for name, share in self.summary["shares"].items())
        return f"<PhasesResult: {self.summary['source']}, grid {self.summary['grid']}, {shares}>"


def ideal_phases(points: int = 121) -> PhasesResult:
    """Compute and draw both maps of Fig. 3 for the far-field constants of the Letter.

    Parameters
    ----------
    points : int
        Points a side of the grids in ``document``; the figures are drawn finer.

    Returns
    -------
    PhasesResult
        Rates of Fig. 3(a) in units of G, of Fig. 3(b) in units of g_r.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Fig. 3.

    Examples
    --------
    >>> import optobind as ob
    >>> sorted(ob.ideal_phases(8).figures)
    ['fig3a', 'fig3b']
    """
    phi, kd, detuning, anti = (np.linspace(*limits, points) for limits in _IDEAL_RANGES)
    regimes, symmetry = ideal_regimes(phi, kd), ideal_symmetry(detuning, anti)
    fine = [np.linspace(*limits, _DRAWN) for limits in _IDEAL_RANGES]
    dense = np.linspace(*_IDEAL_RANGES[2], _CUT)
    cuts = []
    for g_a in _IDEAL_CUTS:
        found = eigenfrequency_cut(dense, g_a)
        lower, upper = exceptional_detunings([] if g_a < 1.0 else [g_a])
        label = f"$g_a={g_a:g}\\,g_r$" if g_a else "$g_a=0$"
        level = np.full(dense.shape, g_a)
        both = sorted({*lower.tolist(), *upper.tolist()})
        cuts.append(Cut(level, label, dense, found.real, found.imag, both))
    figures = {
        "fig3a": regimes_figure(ideal_regimes(fine[0], fine[1])),
        "fig3b": symmetry_figure(ideal_symmetry(fine[2], fine[3]), cuts),
    }
    points_of = {name: {"phi": p, "kd": d} for name, (p, d) in LETTER_POINTS.items()}
    head = {"source": "ideal", "at": None, "grid": points}
    document = {
        **head,
        "units": _IDEAL_UNITS,
        "fig3a": {**_regime_values(regimes, area_shares()), "points": points_of},
        "fig3b": {**_symmetry_values(symmetry), "cuts": [_cut_values(cut) for cut in cuts]},
    }
    summary = {
        **head,
        "shares": area_shares(),
        "points": {name: _flags_at(*place) for name, place in LETTER_POINTS.items()},
        "broken_share": float(symmetry.broken.mean()),
        "cuts": [
            {"g_a": g_a, "exceptional_points": cut.exceptional}
            for g_a, cut in zip(_IDEAL_CUTS, cuts, strict=True)
        ],
    }
    return PhasesResult(figures, document, summary)


def _flags_at(phi: float, kd: float) -> list[str]:
    """Regimes at one point."""
    return [name for name, flag in ideal_regimes([phi], [kd]).flags.items() if flag.all()]


def _regime_values(regimes: RegimeMap, shares: dict[str, float]) -> dict[str, Any]:
    """Grid of Fig. 3(a); rates are null where no pair is held."""
    rates = {name: getattr(regimes, name) for name in ("g_r", "g_a", "re_D12")}
    return {
        "phi": regimes.phi,
        "kd": regimes.kd,
        **{name: _held(rate, regimes.valid) for name, rate in rates.items()},
        **regimes.flags,
        "none": regimes.none,
        "shares": shares,
    }


def _held(values: NDArray[np.float64], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """NaN, which JSON writes as null, where there is nothing."""
    return np.asarray(np.where(valid, values, np.nan))


def _symmetry_values(symmetry: SymmetryMap) -> dict[str, Any]:
    anti, lower, upper = symmetry.exceptional_lines
    return {
        "delta_omega": symmetry.delta_omega,
        "g_a": symmetry.g_a,
        "g_r": symmetry.g_r,
        "re_omega_plus": symmetry.frequencies[..., 0].real,
        "im_omega_plus": symmetry.frequencies[..., 0].imag,
        "broken": symmetry.broken,
        "antireciprocal": symmetry.antireciprocal,
        "exceptional_points": {"g_a": anti, "lower": lower, "upper": upper},
    }


def _cut_values(cut: Cut, scale: float = 1.0) -> dict[str, Any]:
    return {
        "g_a": cut.g_a * scale,
        "delta_omega": cut.detuning * scale,
        "real": cut.real * scale,
        "imaginary": cut.imaginary * scale,
        "exceptional_points": [point * scale for point in cut.exceptional],
    }


def pair_phases(
    trap: TrapArray, points: int = 60, *, at: At = "equilibrium", name: str = "pair"
) -> PhasesResult:
    """Compute and draw both maps of Fig. 3 with the exact couplings of a pair.

    Parameters
    ----------
    trap : TrapArray
        Two particles.
    points : int
        Points a side of both maps.
    at : {"equilibrium", "focus"}
        Where the particles are.
    name : str
        Written above the figures.

    Returns
    -------
    PhasesResult
        Rates and frequencies in rad/s, lengths in m; warnings where the model is doubtful.

    Raises
    ------
    InputError
        Unless there are two particles, side by side.
    NotTrappedError
        If the light does not hold them.

    References
    ----------
    H. Rudolph et al., PRL 133, 233603 (2024), Fig. 3.

    Examples
    --------
    >>> import optobind as ob
    >>> found = ob.pair_phases(ob.load_trap("simulated-pair"), 8)
    >>> found.summary["as_set"]["regime"]
    ['unidirectional']
    """
    if len(trap.spheres) != 2:
        raise InputError(f"phases are of a pair, there are {len(trap.spheres)} particles")
    pair = trap.pair_constants(at)
    regimes = array_regimes(
        trap, np.linspace(-math.pi, math.pi, points), _separations(trap, points), at
    )
    phases, balances = (np.linspace(*limits, points) for limits in symmetry_range(trap, at))
    symmetry = array_symmetry(trap, phases, balances, at)
    cuts, scale = _pair_cuts(trap, symmetry, pair.phi, at)
    own, title = pair.constants, f"{name}, {at}"
    figures = {
        "fig3a": pair_regimes_figure(
            regimes, (pair.phi, pair.kd_set), Couple(own.g_r, own.g_a, own.re_D12), title
        ),
        "fig3b": pair_symmetry_figure(symmetry, cuts, scale, (own.delta_omega, own.g_a), title),
    }
    head = {"source": name, "at": at, "grid": points}
    set_point = {
        "phi": math.remainder(pair.phi, math.tau),
        "kd": pair.kd_set,
        "delta_omega": own.delta_omega,
        "g_r": own.g_r,
        "g_a": own.g_a,
        "re_D12": own.re_D12,
        "regime": [name for name, flag in own.regime().items() if flag],
        "growth_rate": own.to_linear().growth_rate,
        "gamma": own.gamma,
    }
    cut_values = [_cut_values(cut, scale) for cut in cuts]
    middles = [float(np.median(cut.g_a)) * scale for cut in cuts]
    summary = {
        **head,
        "as_set": set_point,
        "shares": regimes.regimes.shares,
        "unstable_share": float(regimes.unstable.mean()),
        "not_held_share": float((~regimes.regimes.valid).mean()),
        "broken_share": float(symmetry.broken.mean()),
        "cuts": [
            {"g_a": middle, "exceptional_points": values["exceptional_points"]}
            for middle, values in zip(middles, cut_values, strict=True)
        ],
    }
    document = {
        **head,
        "units": _UNITS,
        "as_set": set_point,
        "fig3a": _pair_regime_values(regimes),
        "fig3b": {**_pair_symmetry_values(symmetry), "cuts": cut_values},
    }
    return PhasesResult(figures, document, summary, (*trap.doubts(), *_overlap(trap)))


def _overlap(trap: TrapArray) -> list[str]:
    """Say where a pair may rest in more than one place."""
    first, second = trap.tweezers
    distance = math.dist(first.position, second.position)
    reach = 0.5 * (first.waist_x + first.waist_y + second.waist_x + second.waist_y)
    if distance >= reach:
        return []
    return [
        f"the foci are {distance:g} m apart and the waists add up to {reach:g} m: each beam pulls "
        "at both particles, equilibria may jump within a map"
    ]


def _separations(trap: TrapArray, points: int) -> NDArray[np.float64]:
    """Distances over two half waves around the one that is set, spheres apart."""
    distance = float(np.linalg.norm(trap.foci[0] - trap.foci[1]))
    least = 1.05 * sum(sphere.radius for sphere in trap.spheres)
    half = 0.5 * trap.wavelength
    return np.linspace(max(distance - half, least), max(distance, least) + half, points)


def _pair_cuts(
    trap: TrapArray, symmetry: ArraySymmetry, phi: float, at: At
) -> tuple[list[Cut], float]:
    """Cuts at the set phase, where g_a vanishes and where it is large; the unit of the axes."""
    factor, prefix = si_prefix(symmetry.delta_omega / math.tau)
    scale = math.tau * factor
    middle = 0.5 * float(symmetry.phi[0] + symmetry.phi[-1])
    set_phase = middle + math.remainder(phi - middle, math.tau)
    side = math.copysign(1.0, set_phase - middle)
    aside = abs(set_phase - middle) / (0.5 * math.pi)
    # The set phase takes the place of the nearest of three that show all that there is.
    shares = [0.0, 0.4, 0.8]
    shares[int(np.abs(np.array(shares) - aside).argmin())] = aside
    chosen = [middle + side * share * 0.5 * math.pi for share in shares]
    balances = np.linspace(symmetry.balance[0], symmetry.balance[-1], _PAIR_CUT)
    dense = array_symmetry(trap, chosen, balances, at)
    cuts = []
    for row, phase in enumerate(chosen):
        held = dense.valid[row]
        if not held.any():
            continue
        waves, anti = dense.frequencies[row, held], dense.g_a[row, held] / scale
        middle_of = float(np.median(anti))
        centred = waves.real - waves.real.mean(axis=1, keepdims=True)
        mark = " (set)" if shares[row] == aside else ""
        turn = math.remainder(phase, math.tau) / math.pi
        angle = f"{turn:.2f}\\pi" if abs(turn) >= 0.005 else "0"
        label = f"$\\varphi={angle}${mark}, $g_a/2\\pi={_short(middle_of)}$ {prefix}Hz"
        cuts.append(
            Cut(
                anti,
                label,
                dense.delta_omega[row, held] / scale,
                centred.T[::-1] / scale,
                waves.imag.T[::-1] / scale,
                [point / scale for point in dense.exceptional_points(row)],
            )
        )
    cuts.sort(key=lambda cut: -float(np.median(cut.g_a)))
    return cuts, scale


def _short(value: float) -> str:
    """Two decimals, without a sign of nothing."""
    return f"{value:.2f}" if abs(value) >= 0.005 else "0"


def _pair_regime_values(found: ArrayRegimes) -> dict[str, Any]:
    valid = found.regimes.valid
    return {
        **_regime_values(found.regimes, found.regimes.shares),
        "separation": found.separation,
        "D11": _held(found.D11, valid),
        "D22": _held(found.D22, valid),
        "growth_rate": _held(found.growth_rate, valid),
        "unstable": found.unstable,
        "reason": found.reason,
        "reasons": _reasons(),
    }


def _reasons() -> dict[str, int]:
    return {reason.name.lower(): int(reason) for reason in Reason}


def _pair_symmetry_values(symmetry: ArraySymmetry) -> dict[str, Any]:
    valid = symmetry.valid
    both = {
        "re_omega": symmetry.frequencies.real,
        "im_omega": symmetry.frequencies.imag,
        "lines": symmetry.lines,
    }
    single = {name: getattr(symmetry, name) for name in ("delta_omega", "omega", "g_r", "g_a")}
    return {
        "phi": symmetry.phi,
        "balance": symmetry.balance,
        **{name: _held(values, valid) for name, values in single.items()},
        **{name: _held(values, valid[..., None]) for name, values in both.items()},
        "gamma": symmetry.gamma,
        "broken": symmetry.broken,
        "antireciprocal": symmetry.antireciprocal,
        "unstable": symmetry.unstable,
        "exceptional_points": [symmetry.exceptional_points(i) for i in range(len(symmetry.phi))],
        "reason": symmetry.reason,
        "reasons": _reasons(),
    }
