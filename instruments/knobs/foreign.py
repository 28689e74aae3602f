"""Instruments that somebody else's package drives: found by name, opened once, closed once.

A power supply with three outputs is one instrument and three knobs, each asked by a thread of its
own: they share one object and take turns. After a fault the object is thrown away, and whoever asks
next gets a new one. The package is imported when a device is connected.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, TypeVar

from ...models.errors import DeviceError, InputError
from ...models.json_values import json_text
from ..links.base import LinkError
from ..links.claim import Claim

__all__ = ["ForeignDevice", "ForeignLink", "Package", "part_of"]

T = TypeVar("T")


@dataclass(frozen=True)
class Package:
    """How a package makes its instruments, and closes them without touching their outputs.

    Attributes
    ----------
    name : str
        As it is imported; the extra is called alike.
    make : callable
        (class, address or None, arguments, number) → instrument; the number is of no other one.
    close : callable
        Closes the link of an instrument.
    """

    name: str
    make: Callable[[Any, str | None, Mapping[str, Any], int], Any]
    close: Callable[[Any], None]


@dataclass
class _Shared:
    """An instrument and who uses it."""

    users: int = 0
    instrument: Any = None
    claim: Claim | None = None
    gone: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


_OPEN: dict[str, _Shared] = {}
_OPEN_LOCK = threading.Lock()
_NUMBERS = itertools.count(1)


class ForeignLink:
    """The share that one knob or sensor has of an instrument.

    Parameters
    ----------
    package : Package
        Whose instrument it is.
    path : str
        ``module:Class``.
    address : str or None
        As the package takes it, usually a VISA resource name.
    arguments : mapping or None
        Further arguments by name.
    timeout : float
        How long another knob of the instrument is waited for, s.

    Raises
    ------
    InputError
        For a path of another form.
    """

    def __init__(
        self,
        package: Package,
        path: str,
        address: str | None,
        arguments: Mapping[str, Any] | None,
        timeout: float,
    ) -> None:
        module, colon, name = path.partition(":")
        if not (module and colon and name):
            raise InputError(
                f'instrument must be "module:Class", such as '
                f'"{package.name}.instruments.maker:Model", got {path!r}'
            )
        self._package, self._module, self._name = package, module, name
        self._address, self._arguments = address, dict(arguments or {})
        self._timeout = timeout
        self._key = json_text([package.name, path, address, self._arguments])
        self._shared: _Shared | None = None
        self._inside = False

    @property
    def where(self) -> str:
        """Class and address, for identities."""
        return f"{self._name} at {self._address}" if self._address else self._name

    def find_class(self) -> Any:
        """Import the class of the instrument.

        Raises
        ------
        DeviceError
            If it cannot be imported; says what to do.
        """
        package = self._package.name
        try:
            found = import_module(self._module)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] == package:
                with suppress(ImportError):
                    import_module(package)
                    raise DeviceError(
                        f"{package} is installed but has no module {self._module}: see its "
                        "documentation for the name"
                    ) from None
                raise DeviceError(
                    f"{package} is not installed: pip install optobind[{package}]"
                ) from None
            raise DeviceError(f"{self._module} cannot be imported: {error}") from None
        except Exception as error:  # somebody else's module
            text = f"{self._module} cannot be imported: {type(error).__name__}: {error}"
            raise DeviceError(text) from error
        if not hasattr(found, self._name):
            raise DeviceError(f"{self._module} has no {self._name}: see its documentation")
        return getattr(found, self._name)

    def open(self) -> None:
        """Make the instrument unless another knob has it open."""
        with _OPEN_LOCK:
            shared = _OPEN.setdefault(self._key, _Shared())
            shared.users += 1
        self._shared = shared
        try:
            with self._turn():
                if shared.instrument is None:
                    self._make(shared)
        except BaseException:
            self.close()
            raise

    def _make(self, shared: _Shared) -> None:
        made = self.find_class()
        if self._address is not None and "::" in self._address:
            shared.claim = Claim(self._address)
        instrument = self._package.make(made, self._address, self._arguments, next(_NUMBERS))
        if shared.gone:  # making it took too long: it was given up meanwhile
            with suppress(Exception):
                self._package.close(instrument)
            raise LinkError(f"{self.where} was given up while it was opened")
        shared.instrument = instrument

    def call(self, function: Callable[[Any], T]) -> T:
        """Do something with the instrument, one knob at a time.

        Raises
        ------
        LinkError
            If it was closed after a fault.
        DeviceError
            If another knob of it does not come to an end.
        """
        with self._turn() as instrument:
            return function(instrument)

    @contextmanager
    def _turn(self) -> Iterator[Any]:
        shared = self._shared
        if shared is None:
            raise LinkError("the link is closed")
        if not shared.lock.acquire(timeout=self._timeout):
            raise DeviceError(
                f"{self.where} is busy with another knob or sensor of the rig for more than "
                f"{self._timeout:g} s"
            )
        self._inside = True
        try:
            if shared.gone:
                raise LinkError(f"{self.where} was closed after a fault: it is opened anew")
            yield shared.instrument
        finally:
            self._inside = False
            shared.lock.release()

    def close(self, *, broken: bool = False) -> None:
        """Give the share back; the last one closes, and so does one whose call hangs or broke.

        Never raises.
        """
        shared, self._shared = self._shared, None
        if shared is None:
            return
        with _OPEN_LOCK:
            shared.users -= 1
            if shared.gone or (shared.users > 0 and not (broken or self._inside)):
                return
            shared.gone = True
            if _OPEN.get(self._key) is shared:
                del _OPEN[self._key]
        with suppress(Exception):  # a link that is gone, or hangs
            if shared.instrument is not None:
                self._package.close(shared.instrument)
        if shared.claim is not None:
            shared.claim.release()


class ForeignDevice:
    """What adapters do alike; beside the base class of a knob or a sensor.

    Attributes
    ----------
    link : ForeignLink
        The share of the instrument.
    """

    link: ForeignLink
    _fault: str

    def find_class(self) -> Any:
        """Import the class of the instrument; nothing is connected.

        Raises
        ------
        DeviceError
            If it cannot be imported; says what to do.
        """
        return self.link.find_class()

    def prepare(self) -> None:
        """Import the class, if it can be; what is wrong with it is told on connecting."""
        with suppress(DeviceError):
            self.link.find_class()

    def _close(self) -> None:
        self.link.close(broken=bool(self._fault))


def part_of(instrument: Any, path: str) -> tuple[Any, str]:
    """Follow a dotted path to the part that has its last name: "ch_1.amplitude".

    Raises
    ------
    DeviceError
        If there is no such part; names it.
    """
    *parts, last = path.split(".")
    here = instrument
    for number, part in enumerate(parts):
        if not hasattr(here, part):
            raise DeviceError(f"{type(instrument).__name__} has no {'.'.join(parts[: number + 1])}")
        here = getattr(here, part)
    return here, last
