"""What is said of a tuning: a line a try, a table, the outlook, the fragment of a rig file."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..models.errors import OptobindError

if TYPE_CHECKING:
    from ..analysis.tuning.plan import LoopTuning, Step
    from ..analysis.tuning.reading import Occupation
    from ..config.load import LoadedRig
    from ..instruments.controller_protocol import ControllerCapabilities, LoopSetting
    from ..instruments.rig import Rig

__all__ = ["fragment_of", "gain_text", "report_of", "step_text", "values_of"]


def gain_text(setting: LoopSetting, limits: ControllerCapabilities) -> str:
    """Gain and phase (or delay) of a setting."""
    gain = (
        f"Γ/2π {setting.gain / math.tau:.4g} Hz"
        if limits.gain_unit == "1/s"
        else f"{setting.gain:.4g} V/V"
    )
    if limits.timing == "delay":
        return f"{gain}, delay {1e6 * setting.delay:.4g} us"
    return f"{gain}, phase {setting.phase:.3f} rad"


def _occupation_text(found: Occupation | None) -> str:
    if found is None:
        return "not cooled"
    return f"n̄ = {found.value:.3g} ± {found.stderr:.1g} ({1e6 * found.kelvin:.3g} µK)"


def step_text(step: Step, limits: ControllerCapabilities) -> str:
    """One try in one line."""
    parts = [f"particle {step.particle + 1}, {step.stage}: {gain_text(step.setting, limits)}"]
    if step.damping is not None:
        parts.append(f"damping {step.damping:.0f} ± {step.damping_stderr or 0.0:.0f} 1/s")
    if step.occupation is not None:
        parts.append(_occupation_text(step.occupation))
    if step.trouble:
        parts.append(step.trouble)
    return "; ".join(parts)


def report_of(
    tuned: Sequence[LoopTuning], values: dict[str, Any], limits: ControllerCapabilities
) -> str:
    """Before and after of each particle, beside what the rig's model expects."""
    lines = []
    for loop, told in zip(tuned, values["particles"], strict=True):
        lines.append(f"particle {loop.particle + 1}: {len(loop.steps)} settings tried")
        start = gain_text(loop.start, limits)
        lines.append(f"  before: {start}: {_occupation_text(loop.before)}")
        if loop.best is not None:
            best = gain_text(loop.best, limits)
            lines.append(f"  after:  {best}: {_occupation_text(loop.after)}")
        model = told["model"]
        if model is not None:
            lines.append(
                f"  model:  best cold damping Γ/2π {model['damping_hz']:.4g} Hz, n̄ = "
                f"{model['occupation']:.3g} (one particle, no delay, η = {model['efficiency']:g})"
            )
        if told["conditional"] is not None:
            lines.append(
                f"  bound:  conditional state, n̄ ≥ {told['conditional']:.3g}: no feedback on this "
                "detection goes below"
            )
    return "\n".join(lines)


def values_of(
    loaded: LoadedRig, rig: Rig, tuned: Sequence[LoopTuning], *, applied: bool
) -> dict[str, Any]:
    """All numbers as JSON values."""
    models, bounds = _expected(loaded, rig)
    particles = []
    for loop in tuned:
        j = loop.particle
        particles.append(
            {
                "particle": j + 1,
                "start": loop.start.to_dict(),
                "best": None if loop.best is None else loop.best.to_dict(),
                "set": (loop.safe if applied or loop.best is None else loop.start).to_dict(),
                "before": _values(loop.before),
                "after": _values(loop.after),
                "phase_stderr": loop.phase_stderr,
                "rate_per_gain": loop.rate_per_gain,
                "model": models[j],
                "conditional": bounds[j],
                "steps": [step.to_dict() for step in loop.steps],
            }
        )
    unit = "" if rig.controller is None else rig.controller.capabilities.gain_unit
    return {
        "rig": rig.name,
        "mode": rig.mode,
        "gain_unit": unit,
        "applied": applied,
        "particles": particles,
    }


def _values(found: Occupation | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {
        "occupation": found.value,
        "stderr": found.stderr,
        "kelvin": found.kelvin,
        "line_hz": found.line,
    }


def _efficiencies(loaded: LoadedRig, count: int) -> list[float | None]:
    """η of each particle's in-loop detector, as far as the rig file tells."""
    found: list[float | None] = [None] * count
    devices = loaded.config.devices
    usual = getattr(getattr(devices, "gate", None), "efficiency", None)
    for j in range(count):
        own = [d for d in loaded.config.detectors if d.particle == j and d.role == "in_loop"]
        found[j] = own[0].efficiency if own else usual
    return found


def _expected(
    loaded: LoadedRig, rig: Rig
) -> tuple[list[dict[str, float] | None], list[float | None]]:
    """Best cold damping and conditional state of the rig's model; None where it does not know."""
    from ..analysis.tuning.outlook import outlook_of

    if rig.trap is None:
        return [None] * 64, [None] * 64
    count = len(rig.trap.spheres)
    etas = _efficiencies(loaded, count)
    try:
        outlooks = outlook_of(rig.trap, etas)
    except OptobindError:  # light that the model does not hold: nothing is known
        return [None] * count, [None] * count
    models = [
        None
        if found is None
        else {
            "damping_hz": found.damping / math.tau,
            "occupation": found.occupation,
            "efficiency": found.efficiency,
        }
        for found in outlooks
    ]
    return models, _conditional(rig, etas)


def _conditional(rig: Rig, etas: Sequence[float | None]) -> list[float | None]:
    """Occupations of the conditional states of a pair that is seen with these efficiencies."""
    from .prediction import least_occupations

    assert rig.trap is not None
    if len(etas) != 2:
        return [None] * len(etas)
    pair = rig.trap.pair_constants().constants
    try:
        return [None if e is None else least_occupations(pair, e)[j] for j, e in enumerate(etas)]
    except OptobindError:
        return [None, None]


def fragment_of(
    loaded: LoadedRig, rig: Rig, tuned: Sequence[LoopTuning], limits: ControllerCapabilities
) -> str:
    """Lines for the rig file; empty unless every loop that was tuned has a best setting."""
    best = {loop.particle: loop.best for loop in tuned}
    if any(setting is None for setting in best.values()):
        return ""
    if rig.drivers.get("controller") != "simulated":
        lines = [
            "# The controller keeps these itself; max_gain guards them.",
            "[devices.controller]",
        ]
        gains = [s.gain for s in best.values() if s is not None]
        lines.append(f"max_gain = {2.0 * max(gains):.4g}  # {limits.gain_unit}")
        lines += [
            f"# loop {p + 1}: {gain_text(s, limits)}" for p, s in best.items() if s is not None
        ]
        return "\n".join(lines) + "\n"
    assert loaded.config.devices is not None
    gate, table = loaded.config.devices.gate, loaded.config.devices.controller
    gains = list(getattr(gate, "damping", [1000.0]))
    phases = list(getattr(table, "phase", [0.0]))
    damping = [gains[j] if len(gains) > 1 else gains[0] for j in range(limits.loops)]
    phase = [phases[j] if len(phases) > 1 else phases[0] for j in range(limits.loops)]
    for particle, setting in best.items():
        assert setting is not None
        damping[particle] = setting.gain / math.tau
        phase[particle] = setting.phase
    rates = ", ".join(f'"{value:.5g} Hz"' for value in damping)
    leads = ", ".join(f'"{value:.4f} rad"' for value in phase)
    return f"[devices.gate]\ndamping = [{rates}]\n\n[devices.controller]\nphase = [{leads}]\n"
