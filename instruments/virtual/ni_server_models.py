"""Models of NI cards that the virtual one can be, and what each says of itself.

The numbers are those of NI's specifications; only what a pattern depends on is told apart: which
lines are clocked, how many counters there are, whether the inputs share one converter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

__all__ = ["MODELS", "CardModel"]


@dataclass(frozen=True)
class CardModel:
    """A model of card.

    Attributes
    ----------
    product : str
        Product type.
    ports : tuple of int
        Lines of port 0, 1, …; those of port 0 are clocked if ``line_rate`` is not 0.
    line_rate, output_rate : float
        Fastest clock of digital lines and analogue outputs, Hz; 0 where they are not clocked.
    outputs : int
        Analogue outputs.
    pins : mapping of str to str
        Counters that can make pulses and the line that shares the pin of each.
    timebases : mapping of str to float
        Clocks that counters count by their terminals, Hz.
    conversion_rate : float
        Of the one converter that all inputs share, Hz; 0 where each input has its own.
    inputs_clocked : bool
        Whether the inputs' sample clock can be routed to other parts of the card.
    """

    product: str
    ports: tuple[int, ...]
    line_rate: float
    output_rate: float
    outputs: int = 2
    pins: Mapping[str, str] = field(default_factory=dict)
    timebases: Mapping[str, float] = field(default_factory=dict)
    conversion_rate: float = 0.0
    inputs_clocked: bool = True

    @property
    def lines(self) -> list[str]:
        """All digital lines."""
        return [f"port{p}/line{k}" for p, count in enumerate(self.ports) for k in range(count)]

    def clocked(self, line: str) -> bool:
        """Whether a line can be played on a sample clock."""
        return self.line_rate > 0.0 and line.startswith("port0/")

    @property
    def terminals(self) -> list[str]:
        """Terminals without the device."""
        own = ["ai/SampleClock", "ai/StartTrigger"] if self.inputs_clocked else []
        return [*(f"PFI{k}" for k in range(16)), *own, *self.timebases]

    def attributes(
        self, device: str, inputs: Sequence[str], ranges: Sequence[float], rate: float
    ) -> dict[int, Any]:
        """Attributes of the device by number (DAQmx_Dev_…).

        Parameters
        ----------
        device : str
            Name of the card.
        inputs : sequence of str
            Analogue inputs.
        ranges : sequence of float
            Pairs of bounds of the input ranges, V.
        rate : float
            Sample rate of the inputs, Hz.
        """

        def listed(names: Sequence[str], before: str = "") -> str:
            return ", ".join(f"{before}{device}/{name}" for name in names)

        values: dict[int, Any] = {
            0x0631: self.product,
            0x0632: 0x0B1D,  # serial number
            0x22CA: True,  # is simulated
            0x231E: listed(inputs),
            0x231F: listed([f"ao{k}" for k in range(self.outputs)]),
            0x2320: listed(self.lines),
            0x2322: listed(self.lines),
            0x2323: listed([f"port{p}" for p in range(len(self.ports))]),
            0x2325: listed(list(self.pins)),  # counters with an output
            0x2A40: listed(self.terminals, "/"),
            0x298C: rate * (len(inputs) if self.conversion_rate else 1),
            0x298D: rate * (len(inputs) if self.conversion_rate else 1),
            0x298E: rate,  # slowest rate
            0x298F: not self.conversion_rate,  # simultaneous sampling
            0x2990: list(ranges),
            0x2985: True,  # digital triggers
            0x2984: False,  # analogue triggers
            0x2996: self.output_rate > 0.0,
            0x299B: [-10.0, 10.0],
        }
        if self.output_rate:
            values |= {0x2997: self.output_rate, 0x2998: 1e-2}
        if self.line_rate:  # a card without clocked lines does not have this property at all
            values[0x299A] = self.line_rate
        return values


MODELS = {
    "x-series": CardModel(
        "PCIe-6374",
        ports=(8, 8, 8),
        line_rate=10e6,
        output_rate=3.3e6,
        pins={f"ctr{k}": f"port2/line{4 + k}" for k in range(4)},  # PFI12 … PFI15
        timebases={"100MHzTimebase": 100e6, "20MHzTimebase": 20e6},
    ),
    "m-series": CardModel(
        "PCI-6259",
        ports=(32, 8, 8),
        line_rate=10e6,
        output_rate=2.86e6,
        outputs=4,
        pins={"ctr0": "port2/line4", "ctr1": "port2/line5"},
        timebases={"80MHzTimebase": 80e6, "20MHzTimebase": 20e6},
        conversion_rate=1.25e6,
    ),
    "usb-6009": CardModel(
        "USB-6009", ports=(8, 4), line_rate=0.0, output_rate=0.0, inputs_clocked=False
    ),
    "no-counter": CardModel("PCIe-6374", ports=(8, 8, 8), line_rate=10e6, output_rate=3.3e6),
}
"""By the name under which the virtual card is told to be one."""
