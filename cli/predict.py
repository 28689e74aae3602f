"""``optobind predict``: what an experiment on a rig would see, and how far it is from quantum."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib import util
from typing import Any, Literal

from ..config.build import build_trap
from ..config.load import read_rig
from ..models.array import TrapArray
from ..models.ranges import require_range
from .output import print_json, print_result, warn
from .prediction import prediction_of

__all__ = ["show_prediction"]

_DETECTOR = 0.3
_NARROW = 0.3  # Γ/ω up to which cold damping counts as narrow-band


def show_prediction(
    rig: str,
    settings: Sequence[str],
    at: Literal["equilibrium", "focus"],
    efficiency: float | None,
    as_json: bool,
) -> None:
    """Load a rig, predict, and print.

    Parameters
    ----------
    rig : str
        Shipped rig or TOML file.
    settings : sequence of str
        ``path=value`` changes.
    at : {"equilibrium", "focus"}
        Where the particles are.
    efficiency : float or None
        Detection efficiency; that of the rig's first out-of-loop detector by default.
    as_json : bool
        Print one JSON object in place of tables.
    """
    loaded = read_rig(rig, settings)
    eta = _DETECTOR
    for detector in loaded.config.detectors:
        if detector.role == "out_of_loop" and detector.efficiency is not None:
            eta = detector.efficiency
            break
    if efficiency is not None:
        eta = require_range("--efficiency", efficiency, 1e-6, 1.0)
    trap = build_trap(loaded.config)
    values = prediction_of(trap, at, eta)
    warn(trap.doubts())
    warn(_mie_doubts(trap))
    warn(_prediction_doubts(trap, values))
    if as_json:
        print_json(values)
    else:
        print_result(*_tables(loaded.name, values))


def _mie_doubts(trap: TrapArray) -> list[str]:
    """Where Mie theory and the dipole differ by more than 10 %, if its package is there."""
    if util.find_spec("miepython") is None:
        return []
    from ..models.mie import mie_corrections

    doubts = []
    for number, (sphere, tweezer) in enumerate(
        zip(trap.spheres[:2], trap.tweezers[:2], strict=True), start=1
    ):
        factor = min(1.0, max(0.1, tweezer.propagation_factor(trap.k)))
        found = mie_corrections(sphere, trap.wavelength, factor)
        doubts += [f"particle {number}: {text}" for text in found.doubts()]
    return doubts


def _prediction_doubts(trap: TrapArray, values: dict[str, Any]) -> list[str]:
    """Where the prediction itself is doubtful or not about everything."""
    doubts = []
    if len(trap.spheres) > 2:
        doubts.append(
            f"the rig has {len(trap.spheres)} particles: predicted are the first two, at rest "
            "among the others"
        )
    for number, particle in enumerate(values["particles"], start=1):
        share = particle["optimal_feedback_damping"] / particle["omega"]
        if share > _NARROW:
            doubts.append(
                f"particle {number}: the best cold damping is {share:.2g} ω, beyond narrow-band "
                f"feedback (Γ below {_NARROW:g} ω): its occupation is only a guide, and at least "
                "that of the conditional state"
            )
    return doubts


def _hz(rate: float | None) -> str:
    return "–" if rate is None else f"{rate / math.tau:.5g}"


_PARTICLE_ROWS: tuple[tuple[str, Any], ...] = (
    ("bare frequency ω/2π (Hz)", lambda p: _hz(p["omega"])),
    ("line ω̃/2π (Hz)", lambda p: _hz(p["line"])),
    ("mass (fg)", lambda p: f"{1e18 * p['mass']:.4g}"),
    ("zero-point motion (pm)", lambda p: f"{1e12 * p['zero_point_length']:.3g}"),
    ("recoil heating D/2π (Hz)", lambda p: _hz(p["recoil_rate"])),
    ("gas heating γ(n̄+½)/2π (Hz)", lambda p: _hz(p["gas_rate"])),
    ("gas damping γ/2π (Hz)", lambda p: _hz(p["gamma"])),
    ("occupation without cooling", lambda p: _number(p["uncooled_occupation"])),
    ("occupation, best cold damping", lambda p: _number(p["cooled_occupation"])),
    ("no feedback below (conditional)", lambda p: _number(p["conditional_occupation"])),
    ("best feedback damping Γ/2π (Hz)", lambda p: _hz(p["optimal_feedback_damping"])),
    ("gas = recoil at (mbar)", lambda p: f"{0.01 * p['crossover_pressure']:.3g}"),
)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4g}"


def _tables(name: str, values: dict[str, Any]) -> list[Any]:
    """Lay the prediction out for reading."""
    from rich.table import Table

    title = f"{name}, at the {values['at']}, detection efficiency {values['efficiency']:g}"
    table = Table(title=title, title_justify="left")
    numbered = [f"particle {j}" for j in range(1, 1 + len(values["particles"]))]
    for heading in ("", *numbered):
        table.add_column(heading, justify="right" if heading else "left")
    for label, pick in _PARTICLE_ROWS:
        table.add_row(label, *(pick(particle) for particle in values["particles"]))
    return [table, *(_sentences(values) if values["modes"] else [])]


def _sentences(values: dict[str, Any]) -> list[str]:
    modes, points = values["modes"], values["exceptional_points"]
    light = values["modulated_phase"]
    lines = [
        f"common and differential motion heat at {_hz(modes['heating_common'])} and "
        f"{_hz(modes['heating_differential'])} Hz, gas included: they differ by "
        f"{modes['difference_percent']:.3g} % of the recoil, " + _visible(modes),
        _about_symmetry(points, modes["growth_rate"]),
        "no mode is damped by binding (g_a = 0)"
        if values["saturation_occupation"] is None
        else "non-Hermitian damping, at its best, saturates at "
        f"n = {values['saturation_occupation']:.4g}",
        _about_entanglement(values["entanglement"]),
    ]
    if light is not None:
        lines.append(
            f"φ = 2ωt at kd = nπ: heating is {light['heating_over_coupling']:.3g} G/kd (squeezing "
            "needs less than 1, entanglement less than ½): squeezed variance "
            f"{light['squeezed_variance']:.4g}, conditional "
            f"{light['conditional_squeezed_variance']:.4g} (vacuum ½)"
        )
    return lines


def _visible(modes: dict[str, float]) -> str:
    """How long the noise of two lines stays in step."""
    if modes["line_splitting"] == 0.0:
        return "visible at any time (the lines coincide)"
    return (
        f"visible for {1e3 * modes['correlation_time']:.3g} ms (lines "
        f"{_hz(modes['line_splitting'])} Hz apart)"
    )


_OBSTACLES = {
    "interference": "neither detection nor squeezed light lifts this at |g_a| ≥ |g_r|, since the "
    "light in which both particles interfere cannot be taken away; use another phase or distance",
    "gas": "neither detection nor squeezed light lifts this against the heating by the gas; lower "
    "the pressure",
}


def _about_entanglement(quantum: dict[str, Any]) -> str:
    """Distance from the no-go, and what would lift it, as far as it can be had."""
    if quantum["obstacle"] == "coupling":
        return "there is no coupling to entangle with (g_r = Re D_12 = 0)"
    distance = f"heating is {quantum['margin']:.3g} times what binding could entangle against"
    if quantum["possible"]:
        return f"{distance}: entanglement is possible"
    if quantum["obstacle"] is not None:
        return f"{distance}: no entanglement; {_OBSTACLES[quantum['obstacle']]}"
    lost = 1.0 - quantum["efficiency_needed"]
    text = (
        f"{distance}: no entanglement; detection that loses less than {100.0 * lost:.3g} % of the "
        f"light or more than {quantum['squeezing_needed_db']:.3g} dB of squeezed light (full "
        "overlap) would be needed"
    )
    if quantum["squeezing_most_db"] is None:
        return text
    least = 1.0 - quantum["efficiency_most"]
    return (
        f"{text}; of the light {100.0 * least:.3g} % carries the interference of both and cannot "
        f"be taken away (at most {quantum['squeezing_most_db']:.3g} dB)"
    )


def _about_symmetry(points: dict[str, Any], growth: float) -> str:
    """Where the exceptional points are, and whether the pair grows."""
    where = "there are no exceptional points (|g_a| < |g_r|)"
    if points["delta_omega"] is not None:
        low, high = (_hz(value) for value in points["delta_omega"])
        where = f"exceptional points at δω/2π = {low} and {high} Hz"
    state = "broken" if points["symmetry_broken"] else "unbroken"
    text = f"{where}; here δω/2π = {_hz(points['present_delta_omega'])} Hz, PT symmetry {state}"
    return f"{text}, amplitudes grow at {growth:.4g} 1/s" if growth > 1e-3 else text
