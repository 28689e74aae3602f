"""The devices of a rig: connected, watched, brought back after a fault, disconnected."""

from __future__ import annotations

from collections.abc import Callable

from ..instruments.protocols import AppliedLight, DeviceReport, DeviceState
from ..instruments.rig import Rig
from ..instruments.supervisor import Supervisor
from ..models.errors import DeviceError
from ..models.light import TweezerState
from .runner_state import StateBoard
from .slots import LogBook
from .slow_channels import SlowChannels

__all__ = ["RigDevices", "check_setups", "disconnect", "remarks_of"]

_GOOD = (DeviceState.READY, DeviceState.RUNNING)
_LIGHT = ("slm", "rf")


class RigDevices:
    """What the runner's thread does with the devices as such; nothing here sets an output.

    Slow devices are connected and brought back by their own threads.

    Parameters
    ----------
    rig : Rig
        The devices.
    log : LogBook
        Receives what happens, in words.
    board : StateBoard
        Gets identities; tells what light was asked for.
    slow : SlowChannels
        Know the states of the slow devices.
    light_known : callable
        Called with the light read back, None if not known, and what counts as asked for.
    """

    def __init__(
        self,
        rig: Rig,
        log: LogBook,
        board: StateBoard,
        slow: SlowChannels,
        light_known: Callable[[AppliedLight | None, TweezerState | None], None],
    ) -> None:
        self._rig, self._log, self._board, self._slow = rig, log, board, slow
        self._light_known = light_known
        self._supervisor = Supervisor(rig.driven())

    def connect(self) -> None:
        """Connect all that are not; each is tried.

        Raises
        ------
        DeviceError
            Names all that could not be connected.
        """
        failures = []
        for family, device in self._rig.driven():
            if device.state in _GOOD:
                continue
            try:
                self._board.identify(family, device.connect())
                for remark in getattr(device, "remarks", ()):
                    self._log.add("warning", remark)
            except DeviceError as error:
                self._board.identify(family, str(error))
                failures.append(str(error))
        if failures:
            all_of_them = DeviceError("; ".join(failures))
            all_of_them.failures = tuple(failures)
            raise all_of_them

    def disconnect(self) -> None:
        """Disconnect all; outputs stay as they are."""
        disconnect(self._rig, self._log)

    def require_connected(self) -> None:
        """Raise DeviceError unless every device is ready that cannot be done without."""
        for family, device in self._rig.driven():
            if device.state not in _GOOD:
                raise DeviceError(
                    f"{family} {device.name} is {device.state.value}: connect the rig first"
                )

    def read_light(self) -> AppliedLight | None:
        """Read the light back; what cannot be read is not known.

        Returns
        -------
        AppliedLight or None
            None without light control.

        Raises
        ------
        DeviceError
            If it cannot be read.
        """
        if self._rig.light is None:
            return None
        try:
            applied = self._rig.light.read()
        except DeviceError:
            self._light_known(None, None)
            raise
        self._light_known(applied, self._board.state.requested or applied.state)
        return applied

    def look_at_light(self) -> None:
        """Read the light back; light that was never set from here may not be known."""
        try:
            self.read_light()
        except DeviceError as error:
            self._log.add("warning", f"the light is not known: {error}")

    def bring_back(self, *, may_connect: bool) -> None:
        """Make the attempts at faulted devices that are due; nothing is applied again.

        Parameters
        ----------
        may_connect : bool
            False only notes faults.
        """
        for incident in self._supervisor.poll(may_connect=may_connect):
            good = incident.kind == "reconnected"
            self._log.add("info" if good else "warning", incident.text)
            if good and incident.family in _LIGHT:
                self.look_at_light()

    def reports(self) -> tuple[DeviceReport, ...]:
        """States of all devices, the slow ones included; from any thread."""
        identities = self._board.state.identities
        return tuple(
            DeviceReport(
                family=family,
                name=device.name,
                driver=self._rig.drivers.get(family, ""),
                state=self._slow.state(family) or device.state,
                detail=identities.get(family, "")
                if self._slow.state(family) is None
                else self._slow.detail(family),
            )
            for family, device in self._rig.devices()
        )


def check_setups(rig: Rig, log: LogBook) -> None:
    """Look before a run whether devices are as they were: somebody may have used their panels.

    Parameters
    ----------
    rig : Rig
        The devices; those that can look have ``check_setup``.
    log : LogBook
        Receives what the user should know.

    Raises
    ------
    DeviceError
        If a state falsifies what is measured; names value and remedy.
    """
    for _, device in rig.driven():
        look = getattr(device, "check_setup", None)
        for remark in () if look is None else look():
            log.add("warning", remark)


def remarks_of(rig: Rig) -> list[str]:
    """What the user of the devices should know, as they say it now; slow ones have nothing to say.

    Parameters
    ----------
    rig : Rig
        Connected.
    """
    return [remark for _, device in rig.driven() for remark in getattr(device, "remarks", ())]


def disconnect(rig: Rig, log: LogBook) -> None:
    """Disconnect all devices but the slow ones; outputs stay as they are."""
    for _, device in rig.driven():
        try:
            device.disconnect()
        except Exception as error:  # whatever a driver raises, the others follow
            log.add("warning", f"{device.name} could not be disconnected: {error}")
