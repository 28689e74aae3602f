"""Who switches the gate in a plan's releases: a card on the sample clock, or calls of software."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from ..instruments.capabilities import GateCapabilities
from ..instruments.guard import GuardedLight
from ..instruments.rig import Rig
from ..models.errors import InputError
from ..models.light import TweezerState
from ..models.prefixes import engineering
from .plans import ReheatingPlan
from .release_pattern import Cycle

__all__ = ["LEAST_JITTERS", "timing_of"]

LEAST_JITTERS = 5.0
"""Shortest release of a gate that software switches, in units of its jitter."""


def timing_of(plan: ReheatingPlan, rig: Rig) -> tuple[Literal["card", "software"], str]:
    """Say who is to switch the gate of a rig that is connected.

    Returns
    -------
    timing : {"card", "software"}
        The card where the plan leaves the choice and it can.
    why : str
        Why the card does not though there is one; else empty.

    Raises
    ------
    InputError
        If the plan cannot be carried out so (says what is missing), or plays light that the rig
        does not allow.
    """
    _require_allowed(plan, rig)
    if plan.timing == "software":
        _require_steady_gate(plan, rig)
        return "software", ""
    if rig.pattern is None:
        if plan.timing == "card":
            raise InputError(
                f"plan.timing = card needs a card that plays patterns on the feedback line; rig "
                f"{rig.name} ({rig.mode}) has none: add [devices.pattern]"
            )
        _require_steady_gate(plan, rig)
        return "software", ""
    rate = rig.digitizer.info.sample_rate
    try:
        rig.pattern.check(Cycle.of(plan, rate).played(range(plan.repetitions), plan).pattern, rate)
    except InputError as error:
        if plan.timing == "card":
            raise
        _require_steady_gate(plan, rig, str(error))
        return "software", f"releases are switched by software: {error}"
    return "card", ""


def _require_allowed(plan: ReheatingPlan, rig: Rig) -> None:
    """Refuse a power of releases that the light of a rig may not have; nothing is sent.

    What a card plays passes by the control of the light, so it is asked here, about each setting
    that occurs.
    """
    if not plan.plays_power:
        return
    if rig.light is None:
        raise InputError(
            f"plan.release_power needs light whose power is known and limited; rig {rig.name} "
            f"({rig.mode}) has none: add SLM or RF"
        )
    guard = GuardedLight.around(rig.light, rig.trap)
    state = rig.light.read().state
    if plan.stepped_trap != "all" and int(plan.stepped_trap) > len(state.sites):
        raise InputError(
            f"plan.stepped_trap = {plan.stepped_trap}: rig {rig.name} has {len(state.sites)} trap"
        )
    stepped = TweezerState(
        tuple(
            replace(site, power=site.power * plan.release_power)
            if plan.stepped_trap in ("all", str(number))
            else site
            for number, site in enumerate(state.sites, start=1)
        )
    )
    turns = sorted({plan.turn_of(n) for n in (0, plan.alternating)})
    guard.check_jump(stepped, turns)


def _require_steady_gate(plan: ReheatingPlan, rig: Rig, why: str = "") -> None:
    """Refuse releases that are short against the jitter of a gate switched by calls.

    Where φ is to be reversed calls set it, too. Nothing but a card turns φ or steps the power with
    the feedback.
    """
    for key, output, needed in (
        ("release_power", "power", plan.plays_power),
        ("phase_rate", "phase", plan.phase_rate > 0.0),
    ):
        if needed and plan.timing == "software":
            raise InputError(
                f"plan.{key} needs a card that plays the {output}: calls switch the gate alone; do "
                "not set plan.timing = software"
            )
        if needed:
            raise InputError(
                f"plan.{key} needs a card that plays the {output}; rig {rig.name} ({rig.mode}) has "
                f"none{f' ({why})' if why else ''}: add [devices.pattern] with a {output} output"
            )
    if plan.alternating and rig.light is None:
        raise InputError(
            f"plan.phase_reversal needs a card that plays the phase or light that can be set; rig "
            f"{rig.name} ({rig.mode}) has neither{f' ({why})' if why else ''}: add "
            "[devices.pattern] with a phase output, or SLM or RF"
        )
    limits = getattr(rig.gate, "capabilities", GateCapabilities())
    least = LEAST_JITTERS * limits.jitter
    if plan.release_time >= least:
        return
    raise InputError(
        f"plan.release_time {engineering(plan.release_time, 's')} is shorter than "
        f"{LEAST_JITTERS:g} × the jitter of the gate ({engineering(limits.jitter, 's')}), "
        f"allowed: {engineering(least, 's')} or more where calls switch it; let a card do it "
        f"({why or _how(rig)}) or release for longer"
    )


def _how(rig: Rig) -> str:
    """What has a card switch the gate of a rig."""
    return "add [devices.pattern]" if rig.pattern is None else "plan.timing = card"
