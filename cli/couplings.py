"""``optobind couplings``: what first principles and the far field predict for a pair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

from ..config.build import build_trap
from ..config.load import read_rig
from ..models.array import TrapArray
from ..models.couplings import PairCouplings
from ..models.errors import InputError
from ..models.farfield import FarFieldCouplings
from .output import print_json, print_result, warn

__all__ = ["couplings_of", "show_couplings"]


def _wrapped(angle: float) -> float:
    """Wrap an angle to −π … π."""
    return math.remainder(angle, math.tau)


def _matrix(diffusion: Any) -> list[list[list[float]]]:
    return [[[float(entry.real), float(entry.imag)] for entry in row] for row in diffusion]


def couplings_of(trap: TrapArray, at: Literal["equilibrium", "focus"]) -> dict[str, Any]:
    """Predict the couplings of the first two particles, as JSON values.

    Parameters
    ----------
    trap : TrapArray
        At least two particles.
    at : {"equilibrium", "focus"}
        Where the particles are.

    Returns
    -------
    dict
        ``at, kd, phi, phi_local, particles, exact, far_field, regime,
        heating_rate_difference_percent``; rates in rad/s, positions in m, masses in kg, angles in
        rad. ``kd`` and ``phi`` = φ_1 − φ_2 (wrapped) are as set, of the foci;
        ``phi_local`` is at the particles; ``omega`` is without binding. The heating
        rate difference is (D_+ − D_−)/D_11 = 2 Re D_12/D_11. ``far_field`` is null for a pair that
        is not side by side.

    Raises
    ------
    InputError
        For fewer than two particles, or an untrapped one.
    """
    pair, far = _predict(trap, at)
    constants = pair.constants
    return {
        "at": at,
        "kd": pair.kd_set,
        "phi": _wrapped(pair.phi),
        "phi_local": pair.phi_local,
        "particles": [
            {"omega": omega, "position": [float(x) for x in position], "mass": mass}
            for omega, position, mass in zip(pair.omegas, pair.positions, pair.masses, strict=True)
        ],
        "exact": {"g_r": constants.g_r, "g_a": constants.g_a, "D": _matrix(pair.D)},
        "far_field": None
        if far is None
        else {"g_r": far.g_r, "g_a": far.g_a, "D": _matrix(far.D), "G": far.G},
        "regime": constants.regime(),
        "heating_rate_difference_percent": 100.0 * pair.heating_rate_difference,
    }


def _predict(
    trap: TrapArray, at: Literal["equilibrium", "focus"]
) -> tuple[PairCouplings, FarFieldCouplings | None]:
    """Exact and far-field couplings of the first two particles."""
    if len(trap.spheres) < 2:
        raise InputError("couplings need two particles, the rig has 1")
    pair = trap.pair_constants(at)
    try:
        return pair, trap.far_field(at)
    except InputError:  # one behind the other: there is no far-field formula
        return pair, None


def _doubts(trap: TrapArray, at: Literal["equilibrium", "focus"], far: Any) -> list[str]:
    """Collect what the user should know before believing the numbers."""
    doubts = list(trap.doubts())
    if len(trap.spheres) > 2:
        doubts.append(f"the rig has {len(trap.spheres)} particles; shown are the first two")
    if far is None:
        doubts.append("the pair is not side by side: there are no far-field couplings")
    model = trap.linearize(at)
    # Without gas nothing damps: what is left of rounding is no instability.
    if model.growth_rate > 1e-6 * float(trap.axial_omegas(trap.positions(at)).mean()):
        doubts.append(
            f"without feedback the amplitudes grow at {model.growth_rate:.4g} 1/s at this light"
        )
    return doubts


def show_couplings(
    rig: str, settings: Sequence[str], at: Literal["equilibrium", "focus"], as_json: bool
) -> None:
    """Load a rig, predict, and print."""
    _refuse_plan_settings(settings)
    loaded = read_rig(rig, settings)
    trap = build_trap(loaded.config)
    values = couplings_of(trap, at)
    warn(_doubts(trap, at, values["far_field"]))
    if as_json:
        print_json(values)
    else:
        print_result(*_tables(loaded.name, values))


def _refuse_plan_settings(settings: Sequence[str]) -> None:
    for setting in settings:
        if setting.startswith("plan."):
            raise InputError(f"--set {setting!r} addresses a plan, and there is none here")


def _tables(name: str, values: dict[str, Any]) -> list[Any]:
    """Lay the prediction out for reading: rates divided by 2π, in Hz."""
    from rich.table import Table

    particles = Table(title=f"{name}, at the {values['at']}", title_justify="left")
    for heading in ("particle", "ω/2π (kHz)", "x (nm)", "y (nm)", "z (nm)", "mass (fg)"):
        particles.add_column(heading, justify="right")
    for number, particle in enumerate(values["particles"], start=1):
        place = [f"{1e9 * x:.1f}" for x in particle["position"]]
        frequency = f"{particle['omega'] / math.tau / 1e3:.3f}"
        particles.add_row(str(number), frequency, *place, f"{1e18 * particle['mass']:.4g}")
    rates = Table(title="rates divided by 2π, in Hz", title_justify="left")
    for heading in ("", "exact", "far field"):
        rates.add_column(heading, justify="right")
    exact, far = values["exact"], values["far_field"]
    for label, pick in _ROWS:
        row = [f"{pick(source) / math.tau:.2f}" if source else "–" for source in (exact, far)]
        rates.add_row(label, *row)
    regimes = [flag.replace("_", "-") for flag, on in values["regime"].items() if on]
    lines = [
        f"set kd = {values['kd']:.4f}   set φ = {values['phi']:.4f} rad   "
        f"local φ = {values['phi_local']:.4f} rad",
        f"regime: {', '.join(regimes) or 'none'}",
        f"heating rates of common and differential motion differ by "
        f"{values['heating_rate_difference_percent']:.2f} %",
    ]
    return [particles, rates, *lines]


_ROWS: tuple[tuple[str, Any], ...] = (
    ("g_r", lambda v: v["g_r"]),
    ("g_a", lambda v: v["g_a"]),
    ("g_r + g_a", lambda v: v["g_r"] + v["g_a"]),
    ("g_r − g_a", lambda v: v["g_r"] - v["g_a"]),
    ("D_11", lambda v: v["D"][0][0][0]),
    ("D_22", lambda v: v["D"][1][1][0]),
    ("Re D_12", lambda v: v["D"][0][1][0]),
    ("Im D_12", lambda v: v["D"][0][1][1]),
)
