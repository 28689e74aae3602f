"""What an NI card can play on its inputs' clock, asked of the card; what it cannot, in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ...models.errors import DeviceError
from ..links.base import LinkError
from .daqmx import DaqSystem
from .ni_capabilities import require_channels

__all__ = ["PatternLimits", "PatternWires", "read_limits"]

_TIMEBASES = {"100MHzTimebase": 100e6, "80MHzTimebase": 80e6}
_COUNTER_RATE = 5e6  # Hz: two ticks a level even of a slow timebase, four of the usual ones

_T = TypeVar("_T")


@dataclass(frozen=True)
class PatternWires:
    """What is wired to what.

    Attributes
    ----------
    line : str or None
        Digital line that switches the feedback, such as "port0/line0".
    counter : str or None
        Counter whose output switches it instead, such as "ctr0".
    outputs : mapping of str to str
        Analogue output of each signal of the light, such as {"phase": "ao0"}.
    """

    line: str | None = None
    counter: str | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class PatternLimits:
    """What a card can play of what is wired.

    Attributes
    ----------
    product : str
        Product type.
    feedback : bool
        Whether the feedback line can be played.
    line_rate, output_rate : float
        Fastest clock of the feedback line and of the outputs, Hz; 0 if it cannot be played.
    volts : float
        Largest voltage ±V of the outputs.
    timebase : tuple of (str, float) or None
        Terminal and rate (Hz) of a clock of the card's own that a counter can count.
    missing : tuple of str
        What it cannot play, and why.
    """

    product: str
    line_rate: float = 0.0
    output_rate: float = 0.0
    volts: float = 0.0
    timebase: tuple[str, float] | None = None
    missing: tuple[str, ...] = ()

    @property
    def feedback(self) -> bool:
        """Whether the feedback line can be played."""
        return self.line_rate > 0.0


def read_limits(system: DaqSystem, device: str, wires: PatternWires) -> PatternLimits:
    """Ask a card.

    Parameters
    ----------
    system : DaqSystem
        Open.
    device : str
        Name of the card.
    wires : PatternWires
        What is wired.

    Raises
    ------
    InputError
        For a line, a counter or an output that the card does not have.
    DeviceError
        If it does not answer.
    """
    card = system.device(device)
    product = str(card.product_type)
    terminals = _if_known(lambda: [str(name) for name in card.terminals], list[str]())
    clock = f"/{device}/ai/SampleClock"
    missing = []
    unclocked = clock.lower() not in {name.lower() for name in terminals}
    if unclocked:
        missing.append(f"{product} does not lead its inputs' clock to its outputs ({clock})")
    line_rate = output_rate = volts = 0.0
    if wires.counter is not None:
        known = _if_known(lambda: list(card.co_physical_chans.channel_names), list[str]())
        require_channels(known, (wires.counter,), device, "counter output")
        line_rate = 0.0 if unclocked else _COUNTER_RATE
    elif wires.line is not None:
        require_channels(card.do_lines.channel_names, (wires.line,), device, "digital output line")
        line_rate, why = _line_rate(system, card, device, wires.line)
        missing += [f"{product}: {why}"] if why else []
        line_rate = 0.0 if unclocked else line_rate
    if wires.outputs:
        known = card.ao_physical_chans.channel_names
        require_channels(known, tuple(wires.outputs.values()), device, "analogue output")
        volts = max(abs(float(bound)) for bound in card.ao_voltage_rngs)
        output_rate = _if_known(lambda: float(card.ao_max_rate), 0.0)
        if not output_rate:
            missing.append(f"{product} has no analogue output with a clock")
        output_rate = 0.0 if unclocked else output_rate
    timebases = [
        (f"/{device}/{name}", rate)
        for name, rate in _TIMEBASES.items()
        if f"/{device}/{name}".lower() in {terminal.lower() for terminal in terminals}
    ]
    return PatternLimits(
        product, line_rate, output_rate, volts, timebases[0] if timebases else None, tuple(missing)
    )


def _line_rate(system: DaqSystem, card: Any, device: str, line: str) -> tuple[float, str]:
    """Fastest clock of a line, Hz, or 0 and why it has none."""
    if not _is_clocked(system, f"{device}/{line}"):
        lines = _clocked(system, card)
        there = f"clocked lines are {lines}" if lines else "it has no clocked digital lines"
        return 0.0, f"line {line} cannot be played on a clock, {there}"
    return _if_known(lambda: float(card.do_max_rate), 0.0), ""


def _clocked(system: DaqSystem, card: Any) -> str:
    """Ports that can be played on a clock; empty if none can."""
    ports: dict[str, str] = {}  # one line of each speaks for the others
    for name in card.do_lines.channel_names:
        ports.setdefault(str(name).rpartition("/")[0], str(name))
    clocked = [port for port, line in ports.items() if _is_clocked(system, line)]
    return ", ".join(f"those of {port.rpartition('/')[2]}" for port in clocked)


def _is_clocked(system: DaqSystem, line: str) -> bool:
    """Whether a line can be played on a clock."""
    physical = system.physical_channel(line)
    return _if_known(lambda: bool(physical.do_samp_clk_supported), False)


def _if_known(ask: Callable[[], _T], otherwise: _T) -> _T:
    """What the card says, or ``otherwise`` where it does not have such a property.

    Raises
    ------
    Exception
        Whatever else goes wrong; a card's own "no" carries a DAQmx code.
    """
    try:
        return ask()
    except (DeviceError, LinkError):
        raise
    except Exception as error:
        if getattr(error, "error_code", None) is None:
            raise
        return otherwise
