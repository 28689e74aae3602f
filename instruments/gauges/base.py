"""What the drivers of gauges share: options, units, gas correction.

A reading is a value in Pa for a stated gas, or a status without a value: never a number that a
device gave with a bad status, in a unit that is not known, or for another gas.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import ClassVar

from ...models.errors import DeviceError
from ...models.ranges import require_range
from ..capabilities import GaugeCapabilities
from ..driver import Driver
from ..links.base import LinkError, TextLink
from ..links.visa import LinkOptions, make_link
from ..protocols import GaugeReading
from .species import check_sensor, correction
from .validity import judge, sensor_range

__all__ = ["PASCALS", "GaugeDriver", "GaugeOptions", "unless_refused"]

PASCALS = {
    "mbar": 100.0,
    "torr": 101325.0 / 760.0,
    "pascal": 1.0,
    "hpascal": 100.0,
    "micron": 101325.0 / 760.0 * 1e-3,
}
"""Pa in one unit."""

# A gauge that was just powered up sends readings by itself or answers the question before: it is
# asked again when the line has been quiet. Once if it refuses or is silent, more often if it talks.
_GREETINGS = 5
_FIRST_PAUSE = 0.1


def unless_refused(ask: Callable[[str], str], question: str) -> str | None:
    """Ask; None if this controller does not know the question. A broken link is still raised."""
    try:
        return ask(question)
    except LinkError:
        raise
    except DeviceError:
        return None


class GaugeOptions(LinkOptions, total=False):
    """Options of :class:`GaugeDriver`, for drivers that add their own."""

    channel: int
    gas: str
    sensor: str | None
    device_corrects: bool
    pressure_range: Sequence[float] | None


class GaugeDriver(Driver):
    """A gauge controller on a text link, one of its channels.

    Parameters
    ----------
    name : str
        Name of the device in the rig.
    address : str, optional
        VISA resource name: ``ASRL3::INSTR``, ``TCPIP0::192.168.0.5::8000::SOCKET``.
    channel : int
        Channel of the controller, counted from 1 as on its panel.
    gas : str
        Gas in the chamber: a key of :data:`~optobind.models.gas.GAS_SPECIES`.
    sensor : str, optional
        Kind of sensor, a key of :data:`~.species.SENSORS`; needed for gases other than air and N2
        unless the controller tells.
    device_corrects : bool
        The controller itself is set to this gas: its readings are taken as they are. Otherwise a
        controller that is not set to air/N2 is refused, lest the gas is corrected for twice.
    pressure_range : (low, high), optional
        Range of the sensor by its data sheet, Pa, in air equivalents; otherwise the usual one of
        its kind. A number outside is no reading.
    timeout : float
        Longest wait for an answer, s; 0.01 … 60.
    baud_rate : int, optional
        Of a serial line, if not the device's usual one.
    backend : str
        pyvisa library: "@py" for pyvisa-py, "" for the installed vendor VISA.
    link : TextLink, optional
        In place of ``address``, for tests.

    Raises
    ------
    InputError
        For an unknown gas or sensor, an option out of range, or without an address.
    """

    ends: ClassVar[tuple[str, str]]
    channels: ClassVar[int]
    baud: ClassVar[int] = 9600
    rate: ClassVar[float] = 5.0  # readings a second

    def __init__(
        self,
        name: str,
        address: str | None = None,
        *,
        channel: int = 1,
        gas: str = "air",
        sensor: str | None = None,
        device_corrects: bool = False,
        pressure_range: Sequence[float] | None = None,
        timeout: float = 2.0,
        baud_rate: int | None = None,
        backend: str = "@py",
        link: TextLink | None = None,
    ) -> None:
        super().__init__(name)
        check_sensor(gas, sensor)
        self._channel = int(require_range("channel", channel, 1, self.channels))
        self._gas, self._sensor = gas, sensor
        self._device_corrects = device_corrects
        self._given_range = None if pressure_range is None else tuple(pressure_range)
        sensor_range(sensor, self._given_range)
        self._timeout = timeout
        self._link = make_link(
            name,
            address,
            link,
            ends=self.ends,
            timeout=timeout,
            baud_rate=self.baud if baud_rate is None else baud_rate,
            backend=backend,
        )

    @property
    def capabilities(self) -> GaugeCapabilities:
        """Range in which readings are believed, Pa, and whether they depend on the gas."""
        return GaugeCapabilities(
            pressure_range=sensor_range(self._sensor, self._given_range),
            depends_on_gas=self._sensor != "capacitance",
            update_rate=self.rate,
        )

    def read(self) -> GaugeReading:
        """Read the pressure; a reading with status ≠ ok carries no value.

        Raises
        ------
        DeviceError
            If the controller refuses the question.
        LinkError
            If it does not answer or its answer makes no sense; the device is faulted then.
        """
        self._require_link()
        with self._talking():
            indicated, status = self._measure()
        if indicated is not None:
            indicated, status = judge(indicated, sensor_range(self._sensor, self._given_range))
        if indicated is None:
            return GaugeReading(None, self._gas, status)
        if self._device_corrects:
            return GaugeReading(indicated, self._gas)
        factor = correction(self._gas, self._sensor, indicated)
        if factor is None:
            what = "of an unknown sensor" if self._sensor is None else f"of a {self._sensor} sensor"
            return GaugeReading(None, self._gas, f"no correction {what} for {self._gas} here")
        return GaugeReading(factor * indicated, self._gas)

    def _open(self) -> str:
        """Open the link and ask who is there, until it is understood; see ``_GREETINGS``."""
        self._link.open()
        deadline = time.monotonic() + 1.5 * self._timeout
        refusal: DeviceError | None = None
        for attempt in range(_GREETINGS):
            try:
                return self._greet()
            except DeviceError as error:
                if refusal is not None:
                    raise refusal from None
                if not isinstance(error, LinkError):
                    refusal = error
                pause = _FIRST_PAUSE * 2.0**attempt
                if attempt == _GREETINGS - 1 or time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            self._link.flush()
        raise AssertionError("the last attempt returns or raises")

    def _greet(self) -> str:
        """Ask an open link for the identity and for what the controller is set to."""
        raise AttributeError(f"{type(self).__name__} lacks _greet")

    def _measure(self) -> tuple[float | None, str]:
        """Return the indicated pressure in Pa with status "ok", or None and what is wrong."""
        raise AttributeError(f"{type(self).__name__} lacks _measure")

    def _close(self) -> None:
        self._link.close()
