"""A property of a PyMeasure instrument as a knob or a sensor.

PyMeasure's own ``shutdown`` is not called: it may switch outputs off. What an instrument's class
sends when it is made is its own affair; most send nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...models.errors import DeviceError
from ..knob_protocol import KnobLimits, SensorLimits
from .base import KnobDriver, SensorDriver
from .foreign import ForeignDevice, ForeignLink, Package, part_of

__all__ = ["PyMeasureKnob", "PyMeasureSensor"]


def _make(made: Any, address: str | None, arguments: Mapping[str, Any], _number: int) -> Any:
    return made(**arguments) if address is None else made(address, **arguments)


def _close(instrument: Any) -> None:
    adapter = getattr(instrument, "adapter", None)
    if adapter is not None:
        adapter.close()


PYMEASURE = Package("pymeasure", _make, _close)


def _member(instrument: Any, path: str) -> tuple[Any, str, Any]:
    """Owner, name and class member of a path; a name that the class lacks could be set in vain.

    Raises
    ------
    DeviceError
        If there is no such member.
    """
    owner, name = part_of(instrument, path)
    member = getattr(type(owner), name, None)
    if member is None:
        raise DeviceError(f"{type(owner).__name__} has no property {name}")
    return owner, name, member


def _read(instrument: Any, path: str) -> Any:
    owner, name, member = _member(instrument, path)
    found = getattr(owner, name)
    return found() if callable(member) and not isinstance(member, property) else found


def _write(instrument: Any, path: str, number: float) -> None:
    owner, name, member = _member(instrument, path)
    if callable(member) and not isinstance(member, property):
        getattr(owner, name)(number)
    else:
        setattr(owner, name, number)


def _require_settable(instrument: Any, path: str) -> None:
    _, name, member = _member(instrument, path)
    if isinstance(member, property) and member.fset is None:
        raise DeviceError(f"{name} can be read but not set: make it a sensor")


def _identity(instrument: Any, link: ForeignLink) -> str:
    name = getattr(instrument, "name", "")
    return f"{name} ({link.where})" if isinstance(name, str) and name else link.where


class PyMeasureKnob(ForeignDevice, KnobDriver):
    """A property that is set and read, or one that is set and another that is read.

    Parameters
    ----------
    name : str
        Name of the device in the rig.
    limits : KnobLimits
        Unit (that of the property), range, slew and tolerance.
    instrument : str
        ``module:Class``, such as "pymeasure.instruments.agilent:Agilent33500".
    attribute : str
        Property, or method of one argument, such as "ch_1.amplitude".
    readback : str, optional
        What is read, if that is another one.
    address : str, optional
        First argument of the class.
    arguments : mapping, optional
        Further arguments by name.
    """

    def __init__(
        self,
        name: str,
        limits: KnobLimits,
        *,
        instrument: str,
        attribute: str,
        readback: str | None = None,
        address: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, limits)
        self._set, self._get = attribute, readback or attribute
        self.link = ForeignLink(PYMEASURE, instrument, address, arguments, limits.timeout)

    def _open(self) -> str:
        self.link.open()
        self.link.call(lambda made: _require_settable(made, self._set))
        self._ask()
        return self.link.call(lambda made: _identity(made, self.link))

    def _send(self, number: float) -> None:
        self.link.call(lambda made: _write(made, self._set, number))

    def _ask(self) -> Any:
        return self.link.call(lambda made: _read(made, self._get))


class PyMeasureSensor(ForeignDevice, SensorDriver):
    """A property, or method without arguments, that is read; parameters as of the knob."""

    def __init__(
        self,
        name: str,
        limits: SensorLimits,
        *,
        instrument: str,
        attribute: str,
        address: str | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(name, limits)
        self._get = attribute
        self.link = ForeignLink(PYMEASURE, instrument, address, arguments, limits.timeout)

    def _open(self) -> str:
        self.link.open()
        self._ask()
        return self.link.call(lambda made: _identity(made, self.link))

    def _ask(self) -> Any:
        return self.link.call(lambda made: _read(made, self._get))
