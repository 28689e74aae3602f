"""Conditions under which measuring waits: pressure, gauge, disk, monitors, saturation.

A rule is frozen data; :func:`troubles` compares a picture of the experiment with the rules and says
what is wrong in words. Who measures waits while there is trouble, and ends in the safe state when
it lasts too long; feedback is on and the light stays meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from ..models.prefixes import engineering
from ..models.units import Quantity
from .plan_keys import WithKeys, documented, key

__all__ = ["NO_RULES", "Picture", "SuspendRules", "lines_out", "troubles"]

_PRESSURE = Quantity("Pa", 1e-10, 2e5, "1e-8 mbar", ("mbar", "Pa", "hPa"))
_TIME = Quantity("s", 0.0, 1e7, "10 min", ("s", "min", "hour"))
_SIZE = Quantity("B", 0.0, 1e15, "2 GB", ("kB", "MB", "GB", "TB"))
_LINE = Quantity("Hz", 0.0, 1e8, "50 kHz", ("Hz", "kHz", "MHz"))


@documented
@dataclass(frozen=True)
class SuspendRules(WithKeys):
    """When measuring waits, and for how long.

    Examples
    --------
    >>> import optobind as ob
    >>> rules = ob.SuspendRules(pressure_high=1e-5, timeout=600.0)
    >>> axis = ob.Axis("phi", start=0.0, stop=3.0, points=7)
    >>> ob.SweepPlan((axis,), ob.MonitorPlan(duration=0.2), suspend=rules).suspend.timeout
    600.0
    """

    pressure_low: float | None = key(
        None, "pressure from", "Wait while the pressure is lower.", _PRESSURE, blank="any"
    )
    pressure_high: float | None = key(
        None, "pressure to", "Wait while the pressure is higher.", _PRESSURE, blank="any"
    )
    gauge_silent: bool = key(False, "gauge silent", "Wait while the gauge tells no pressure.")
    disk_free: float = key(
        50e6, "disk free", "Wait while fewer bytes are free than this, after the next point.",
        _SIZE,
    )  # fmt: skip
    monitors: bool = key(
        True,
        "monitors",
        "Wait while a monitor channel or a sensor is out of the limits of the rig's file.",
    )
    saturated: bool = key(False, "saturation", "Wait while a detector is saturated.")
    line_low: float | None = key(
        None, "lines from", "End where a fitted line is lower.", _LINE, blank="any"
    )
    line_high: float | None = key(
        None, "lines to", "End where a fitted line is higher.", _LINE, blank="any"
    )
    quiet: float = key(5.0, "quiet for", "Go on when all has been well for so long.", _TIME)
    timeout: float = key(
        3600.0, "wait at most", "Then the sweep ends in its safe state; it can be resumed.", _TIME
    )

    _where: ClassVar[str] = "plan.suspend"


NO_RULES = SuspendRules()
"""What holds unless something else is said."""


@dataclass(frozen=True)
class Picture:
    """What is known at one moment; None and empty where nothing is."""

    pressure: float | None = None
    gauge: tuple[str, ...] = ()
    free: float | None = None
    needed: float = 0.0
    monitors: tuple[str, ...] = ()
    saturated: bool = False
    lines: tuple[float, ...] = ()


def troubles(rules: SuspendRules, seen: Picture) -> tuple[str, ...]:
    """Say what is wrong, a line each; none if measuring may go on.

    Parameters
    ----------
    rules : SuspendRules
        What is allowed.
    seen : Picture
        What is; pressure in Pa, free and needed bytes.

    Examples
    --------
    >>> troubles(SuspendRules(pressure_high=1e-5), Picture(pressure=3e-5))
    ('the pressure is 30 µPa, at most 10 µPa is allowed',)
    """
    found = [*_of_pressure(rules, seen)]
    if seen.free is not None and seen.free < seen.needed + rules.disk_free:
        found.append(
            f"{max(0.0, seen.free) / 1e6:.0f} MB are free on the disk, the next point needs "
            f"{seen.needed / 1e6:.0f} MB and {rules.disk_free / 1e6:.0f} MB are to be left: make "
            "room"
        )
    if rules.monitors:
        found += seen.monitors
    if rules.saturated and seen.saturated:
        found.append("a detector is saturated: lower its gain, or check feedback and alignment")
    return tuple(found)


def _of_pressure(rules: SuspendRules, seen: Picture) -> list[str]:
    if seen.pressure is None:
        silent = "; ".join(seen.gauge) or "the gauge tells no pressure"
        limited = rules.pressure_low is not None or rules.pressure_high is not None
        return [silent] if rules.gauge_silent or limited else []
    is_ = f"the pressure is {engineering(seen.pressure, 'Pa')}"
    if rules.pressure_high is not None and seen.pressure > rules.pressure_high:
        return [f"{is_}, at most {engineering(rules.pressure_high, 'Pa')} is allowed"]
    if rules.pressure_low is not None and seen.pressure < rules.pressure_low:
        return [f"{is_}, at least {engineering(rules.pressure_low, 'Pa')} is needed"]
    return []


def lines_out(rules: SuspendRules, lines: Sequence[float]) -> str:
    """Say which fitted line (Hz) is out of its window; empty where none is."""
    low, high = rules.line_low, rules.line_high
    for number, line in enumerate(lines, start=1):
        if (low is not None and line < low) or (high is not None and line > high):
            window = f"{engineering(low or 0.0, 'Hz')} … " + (
                "any" if high is None else engineering(high, "Hz")
            )
            return f"line {number} was found at {engineering(line, 'Hz')}, out of {window}"
    return ""
