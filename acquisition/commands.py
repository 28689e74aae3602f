"""What a session may ask for between two blocks: plain functions of the bench.

Each makes a :data:`Command`, which the runner carries out in its thread when its turn comes. A
command that goes on after its turn, such as a ramp of the light, returns the future of its end.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeAlias, TypeVar

from ..instruments.guard import GuardedLight
from ..instruments.protocols import AppliedLight
from ..models.errors import InputError
from ..models.light import TweezerState
from .bench import Bench
from .loops import read_loops

__all__ = [
    "Command",
    "check_way",
    "connect",
    "disconnect",
    "note",
    "release_particles",
    "reload_particles",
    "set_feedback",
    "set_light",
    "set_streaming",
]

T = TypeVar("T")

Command: TypeAlias = Callable[[Bench], T | Future[T]]
"""Carried out in the runner's thread; what it returns, or the future's result, is the answer."""

# What connecting grants slow devices to answer before it goes on without them.
_SLOW_SECONDS = 1.0


def connect(bench: Bench) -> None:
    """Connect every device and read its state; writes nothing.

    Slow devices are connected by their own threads: one that is missing is reported, and tried
    again for as long as the session lives.
    """
    bench.light.require_still("connect")
    bench.slow.open()
    bench.devices.connect()
    bench.devices.look_at_light()
    bench.gate.connected(bench.closing)
    read_loops(bench)
    bench.update_growth()
    if bench.streaming.now is None:  # samples that flow are not kept waiting
        bench.slow.settle(_SLOW_SECONDS)
    for text in bench.rig.warnings:
        bench.log.shout("warning", text)
    bench.log.add("info", f"connected to {bench.rig.name}")


def disconnect(bench: Bench) -> None:
    """Disconnect every device; light stays as it is, an opened feedback gate is closed."""
    why = "the rig is disconnected"
    bench.require_free("the rig")
    bench.light.interrupt(why)
    bench.streaming.end()
    bench.gate.restore()
    bench.light.stop(why)
    bench.slow.close()
    bench.devices.disconnect()


def note(text: str) -> Command[None]:
    """Have a line noted at the present sample: in the file of the run, if one is under way."""
    return lambda bench: bench.note(text)


def set_streaming(on: bool) -> Command[None]:
    """Start or stop the live stream (a run has its own)."""

    def carry_out(bench: Bench) -> None:
        bench.require_free("the digitizer")
        if on and bench.streaming.now is None:
            bench.devices.require_connected()
            bench.streaming.begin()
        elif not on:
            bench.streaming.end()

    return carry_out


def set_light(state: TweezerState, *, allow_untrapped: bool = False) -> Command[AppliedLight]:
    """Have the light set while samples are read; one change after the other."""

    def carry_out(bench: Bench) -> Future[AppliedLight]:
        _require_light(bench)
        return bench.light.move(state, allow_untrapped=allow_untrapped)

    return carry_out


def check_way(start: TweezerState | None, goal: TweezerState) -> Command[None]:
    """Refuse light, or the way to it, that is not allowed; sends nothing."""

    def carry_out(bench: Bench) -> None:
        _require_light(bench)
        assert bench.rig.light is not None
        GuardedLight.around(bench.rig.light, bench.rig.trap).check_way(start, goal)

    return carry_out


def release_particles(bench: Bench) -> Future[None]:
    """Have the trap light switched off; ends a change that is under way."""
    _require_light(bench)
    return bench.light.release()


def _require_light(bench: Bench) -> None:
    bench.require_free("the light")
    if bench.rig.light is None:
        raise InputError(f"rig {bench.rig.name} has no light control")


def set_feedback(closed: bool) -> Command[None]:
    """Switch the feedback gate between two blocks."""

    def carry_out(bench: Bench) -> None:
        bench.require_free("the feedback gate")
        if bench.rig.gate is None:
            raise InputError(f"rig {bench.rig.name} has no feedback gate")
        with bench.changing():
            try:
                incident = bench.gate.set(closed)
            finally:
                bench.update_growth()
        if incident:
            bench.log.add("warning", incident)

    return carry_out


def reload_particles(bench: Bench) -> None:
    """Put lost particles of the simulated world back into their traps."""
    bench.require_free("the rig")
    world = bench.rig.world
    if world is None:
        raise InputError(
            f"rig {bench.rig.name} ({bench.rig.mode}) is not simulated: load particles at the "
            "apparatus"
        )
    if not any(world.lost):
        raise InputError("no particle is lost: there is nothing to reload")
    with bench.changing():
        world.reload()
        bench.update_growth()
    bench.note("lost particles reloaded")
