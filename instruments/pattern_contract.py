"""What every pattern player promises, as checks that a driver's author can run."""

from __future__ import annotations

from ..models.errors import DeviceError, InputError
from .contract_base import Make, connected, refuses, require
from .patterns import FEEDBACK, LevelTrack, Pattern
from .protocols import DeviceState

__all__ = ["check_pattern_player"]


def check_pattern_player(make: Make, *, writes: bool = True) -> None:
    """It refuses what it does not have, arms what it has, and is idle after a halt.

    Nothing is played: the digitizer is not started.

    Raises
    ------
    ContractError
        Names the promise that is broken.
    """
    pattern = _releases(FEEDBACK)
    refuses(
        DeviceError,
        "a player that is not connected plays nothing",
        lambda: make().arm(pattern, 1e5),
    )
    with connected(make) as device:
        limits = device.capabilities
        require(FEEDBACK in limits.lines, f"a player has the line {FEEDBACK!r}")
        require(limits.max_rate > 0.0, "its fastest sample clock is known")
        require(device.offset >= 0, "an edge acts at its sample or later")
        rate = limits.max_rate
        device.check(pattern, rate)
        strange = _releases("a line that nobody has")
        refuses(InputError, "an unknown line is refused", lambda: device.check(strange, rate))
        if not writes:
            return
        device.halt()
        require(device.state is DeviceState.READY, "halting is safe when nothing is played")
        try:
            refuses(InputError, "an unknown line is not armed", lambda: device.arm(strange, rate))
            device.arm(pattern, rate)
            played = device.played()
            require(played in (None, 0), "nothing is played before the digitizer starts")
        finally:
            device.halt()
        for _ in range(2):
            device.halt()
            require(device.state is DeviceState.READY, "after a halt it is ready")


def _releases(line: str) -> Pattern:
    """Return two releases of 1000 samples on a line."""
    return Pattern(2000, 2, levels={line: LevelTrack(True, ((1000, False), (2000, True)))})
