"""Name and state of every device; the life cycle shared by the drivers of real ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..models.errors import DeviceError
from .links.base import LinkError
from .protocols import DeviceState

__all__ = ["Driver", "NamedDevice", "ReservedError"]


class ReservedError(DeviceError):
    """The device is there but another program holds it, or one that crashed: it may become free."""


class NamedDevice:
    """A device that tells its name and its state; subclasses write ``_state``.

    Parameters
    ----------
    name : str
        Name of the device in the rig, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._state = DeviceState.DISCONNECTED

    @property
    def name(self) -> str:
        """Name of the device in the rig."""
        return self._name

    @property
    def state(self) -> DeviceState:
        """Where the device is in its life cycle."""
        return self._state


class Driver(NamedDevice):
    """A device with a link: states, one identity, no writing on connect.

    Subclasses give ``_open`` (open the link, read the identity and what the device does now; write
    no setting) and ``_close`` (close the link, leave the outputs as they are; never raise).

    Parameters
    ----------
    name : str
        Name of the device in the rig, for messages.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._identity = ""
        self._fault = ""  # what broke the link, in words

    def connect(self) -> str:
        """Open the link and return the identity; writes no setting.

        Raises
        ------
        DeviceError
            Names the device and the remedy; the device is faulted then.
        """
        if self._state in (DeviceState.READY, DeviceState.RUNNING):
            return self._identity
        self._state, self._fault = DeviceState.CONNECTING, ""
        try:
            self._identity = self._open()
        except BaseException as error:
            self._state = DeviceState.FAULTED
            self._close()
            if isinstance(error, DeviceError) and not str(error).startswith(self._name):
                raise type(error)(f"{self._name}: {error}") from error
            raise
        self._state = DeviceState.READY
        return self._identity

    def disconnect(self) -> None:
        """Close the link; outputs stay as they are."""
        self._close()
        self._state = DeviceState.DISCONNECTED

    def _open(self) -> str:
        raise AttributeError(f"{type(self).__name__} lacks _open")

    def _close(self) -> None:
        """Close the link."""

    def _require_link(self) -> None:
        """Raise DeviceError unless connected; after a fault it says which one."""
        self._require_sound()
        if self._state not in (DeviceState.READY, DeviceState.RUNNING):
            raise DeviceError(f"{self._name} is {self._state.value}: connect it first")

    def _require_running(self, remedy: str) -> None:
        """Raise DeviceError unless it samples; after a fault it says which one, not the remedy."""
        self._require_sound()
        if self._state is not DeviceState.RUNNING:
            raise DeviceError(f"{self._name} is not running: {remedy}")

    def _require_sound(self) -> None:
        """Raise what broke the link, again: whoever met it first may have kept it to himself."""
        if self._state is DeviceState.FAULTED and self._fault:
            raise DeviceError(f"{self._name} is faulted ({self._fault}): connect it again")

    @contextmanager
    def _talking(self) -> Iterator[None]:
        """Use the link: what breaks it leaves the device faulted and names it."""
        self._require_link()
        try:
            yield
        except LinkError as error:
            self._state = DeviceState.FAULTED
            self._fault = str(error)
            raise LinkError(f"{self._name}: {error}") from error
