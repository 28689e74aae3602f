"""Commands for the feedback loops of a rig's controller: read, set within what is safe.

The gate is what switches feedback off and on; nothing here touches it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..instruments.controller_protocol import FeedbackController, LoopSetting
from ..instruments.rig import Rig
from ..models.errors import DeviceError, InputError, UnstableModelError
from .events import Event, EventKind
from .prediction import NOTICEABLE_GROWTH

if TYPE_CHECKING:
    from .bench import Bench
    from .commands import Command

__all__ = [
    "controller_of",
    "loop_event",
    "loops_on",
    "predicted_growth",
    "put_loop",
    "read_loops",
    "require_stable",
    "set_loop",
]


def controller_of(rig: Rig) -> FeedbackController:
    """Return the controller of a rig.

    Raises
    ------
    InputError
        If it has none.
    """
    if rig.controller is None:
        raise InputError(
            f"rig {rig.name} has no feedback controller: add [devices.controller], see "
            "optobind instruments list"
        )
    return rig.controller


def read_loops(bench: Bench) -> tuple[LoopSetting, ...]:
    """Read every loop back and note it; none without a controller.

    Raises
    ------
    DeviceError
        If one cannot be read: none of them is known then.
    """
    device = bench.rig.controller
    if device is None:
        return ()
    try:
        found = tuple(device.read(loop) for loop in range(device.capabilities.loops))
    except BaseException:
        bench.loops_known(())
        raise
    bench.loops_known(found)
    return found


def loops_on(bench: Bench) -> tuple[bool, ...]:
    """Whether the output of each loop is on at the controller."""
    device = controller_of(bench.rig)
    return tuple(device.enabled(loop) for loop in range(device.capabilities.loops))


def loop_event(
    device: FeedbackController, loop: int, setting: LoopSetting, sample: int
) -> tuple[EventKind, dict[str, Any], int]:
    """Kind, payload and sample of the event that tells a setting."""
    limits = device.capabilities
    payload = {"particle": loop, "gain_unit": limits.gain_unit, **setting.to_dict()}
    return EventKind.LOOP, payload, sample


def predicted_growth(rig: Rig, loop: int, setting: LoopSetting) -> float | None:
    """Growth rate that the rig's model predicts, 1/s; None where no model knows the loops."""
    device: Any = rig.controller
    device = getattr(device, "inner", device)
    growth = getattr(device, "growth", None)
    return None if growth is None else float(growth(loop, setting))


def require_stable(rig: Rig, loop: int, setting: LoopSetting) -> None:
    """Raise UnstableModelError for a setting with which the model of the rig grows.

    Growth that is there already, of another loop, is none of this setting's.
    """
    growth = predicted_growth(rig, loop, setting)
    if growth is None or growth < 0.0 or rig.world is None:
        return
    if growth > 1.1 * max(0.0, rig.world.growth_rate(True)) + NOTICEABLE_GROWTH:
        raise UnstableModelError(
            growth,
            f"loop {loop + 1} stays as it is: lower its gain, turn its phase, or allow growth",
        )


def put_loop(bench: Bench, loop: int, setting: LoopSetting) -> tuple[LoopSetting, int]:
    """Set a loop, tell it with its sample, and return what is read back with that sample.

    Raises
    ------
    InputError
        For a setting that is not allowed; nothing was sent.
    DeviceError
        After a failure: what the loop holds was read back, or is not known.
    """
    device = controller_of(bench.rig)
    device.check(loop, setting)
    try:
        with bench.changing():
            found = device.set(loop, setting)
    except InputError:
        raise
    except BaseException as error:
        bench.log.add("warning", f"loop {loop + 1} was not set: {error}")
        try:
            read_loops(bench)
        except DeviceError as worse:
            bench.log.add("warning", f"nor is it known how the loops are set: {worse}")
        bench.update_growth()
        raise
    kind, payload, sample = loop_event(device, loop, found, bench.streaming.present)
    bench.event(Event(sample, kind, payload, time.time()))
    bench.loop_known(loop, found)
    bench.update_growth()
    return found, sample


def set_loop(
    loop: int, setting: LoopSetting, *, allow_growth: bool = False
) -> Command[LoopSetting]:
    """Have a loop set between two blocks; refused while a run holds the rig."""

    def carry_out(bench: Bench) -> LoopSetting:
        bench.require_free("the feedback controller")
        device = controller_of(bench.rig)
        device.check(loop, setting)
        if not allow_growth:
            require_stable(bench.rig, loop, setting)
        found, _ = put_loop(bench, loop, setting)
        return found

    return carry_out
