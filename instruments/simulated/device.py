"""Life cycle shared by the devices of the simulated laboratory."""

from __future__ import annotations

from ...models.errors import DeviceError
from ..protocols import DeviceState

__all__ = ["SimulatedDevice"]


class SimulatedDevice:
    """A device that can be connected; connecting and disconnecting change nothing else."""

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

    def connect(self) -> str:
        """Open the link and return the identity; writes no setting."""
        if self._state is DeviceState.DISCONNECTED:
            self._state = DeviceState.READY
        return f"simulated {type(self).__name__.removeprefix('Simulated')} {self._name!r}"

    def disconnect(self) -> None:
        """Close the link; outputs stay as they are."""
        self._state = DeviceState.DISCONNECTED

    def _require_link(self) -> None:
        """Raise DeviceError unless connected."""
        if self._state is DeviceState.DISCONNECTED:
            raise DeviceError(f"{self._name} is not connected: connect it first")
