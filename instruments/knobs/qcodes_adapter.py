"""A parameter of a QCoDeS instrument as a knob or a sensor.

What an instrument's class sends when it is made is its own affair; most ask for the identity and
send nothing. The line that QCoDeS prints on connecting is left out: it would go among the results.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Any

from ...models.errors import DeviceError
from ..knob_protocol import KnobLimits, SensorLimits
from .base import KnobDriver, SensorDriver
from .foreign import ForeignDevice, ForeignLink, Package, part_of

__all__ = ["QcodesKnob", "QcodesSensor"]


def _say_nothing(*_arguments: Any, **_more: Any) -> None:
    """In the place of ``connect_message``."""


def _make(made: Any, address: str | None, arguments: Mapping[str, Any], number: int) -> Any:
    name = f"optobind_{number}"  # QCoDeS refuses a name that an instrument has
    if hasattr(made, "connect_message"):
        quiet = {"connect_message": _say_nothing, "__module__": made.__module__}
        made = types.new_class(made.__name__, (made,), {}, lambda body: body.update(quiet))
    return made(name, **arguments) if address is None else made(name, address, **arguments)


def _close(instrument: Any) -> None:
    instrument.close()


QCODES = Package("qcodes", _make, _close)


def _parameter(instrument: Any, path: str, *, settable: bool = False) -> Any:
    """Parameter of a path.

    Raises
    ------
    DeviceError
        If there is none, or it cannot be read or set.
    """
    owner, name = part_of(instrument, path)
    found = getattr(owner, name, None)
    if found is None or not hasattr(found, "get"):
        known = ", ".join(list(getattr(owner, "parameters", {}))[:12])
        raise DeviceError(
            f"{type(owner).__name__} has no parameter {name}"
            + (f"; known: {known}" if known else "")
        )
    if settable and not getattr(found, "settable", hasattr(found, "set")):
        raise DeviceError(f"{name} can be read but not set: make it a sensor")
    if not settable and not getattr(found, "gettable", True):
        raise DeviceError(f"{name} cannot be read: name a readback")
    return found


class QcodesKnob(ForeignDevice, KnobDriver):
    """A parameter that is set and read, or one that is set and another that is read.

    Parameters
    ----------
    name : str
        Name of the device in the rig.
    limits : KnobLimits
        Unit (that of the parameter), range, slew and tolerance.
    instrument : str
        ``module:Class``, such as "qcodes.instrument_drivers.Keysight:Keysight33522B".
    parameter : str
        Such as "ch1.frequency".
    readback : str, optional
        Parameter that is read, if that is another one.
    address : str, optional
        Second argument of the class, after the name.
    arguments : mapping, optional
        Further arguments by name.
    """

    def __init__(
        self,
        name: str,
        limits: KnobLimits,
        *,
        instrument: str,
        parameter: str,
        readback: str | None = None,
        address: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, limits)
        self._set, self._get = parameter, readback or parameter
        self.link = ForeignLink(QCODES, instrument, address, arguments, limits.timeout)

    def _open(self) -> str:
        self.link.open()
        self.link.call(lambda made: _parameter(made, self._set, settable=True))
        self._ask()
        return self.link.where

    def _send(self, number: float) -> None:
        self.link.call(lambda made: _parameter(made, self._set, settable=True).set(number))

    def _ask(self) -> Any:
        return self.link.call(lambda made: _parameter(made, self._get).get())


class QcodesSensor(ForeignDevice, SensorDriver):
    """A parameter that is read; parameters as of the knob."""

    def __init__(
        self,
        name: str,
        limits: SensorLimits,
        *,
        instrument: str,
        parameter: str,
        address: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, limits)
        self._get = parameter
        self.link = ForeignLink(QCODES, instrument, address, arguments, limits.timeout)

    def _open(self) -> str:
        self.link.open()
        self._ask()
        return self.link.where

    def _ask(self) -> Any:
        return self.link.call(lambda made: _parameter(made, self._get).get())
