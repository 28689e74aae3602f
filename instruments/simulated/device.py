"""Life cycle shared by the devices of the simulated laboratory."""

from __future__ import annotations

from ...models.errors import DeviceError
from ..driver import NamedDevice
from ..protocols import DeviceState

__all__ = ["SimulatedDevice"]


class SimulatedDevice(NamedDevice):
    """A device that can be connected; connecting and disconnecting change nothing else."""

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
