"""A gate and the player that shares its line, as one device of the guardian's process.

The guardian closes this gate as it closes any: what is played is ended first, also by a copy of the
driver that was made anew because a link has broken.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from ...models.errors import DeviceError, InputError
from ..capabilities import GateCapabilities
from ..driver import ReservedError
from ..protocols import DeviceState, Gate, LendsLine

__all__ = ["PLAYER_CALLS", "PlayedGate"]

PLAYER_CALLS = ("connect", "disconnect", "check", "arm", "played", "halt")
"""What may be asked of the player in the guardian's process."""


class PlayedGate:
    """A gate whose line a card plays as well.

    Parameters
    ----------
    gate : Gate
        Not connected; it lends its line where it holds it.
    player : PatternPlayer
        Not connected; it ends what copies of it have left when its ``release`` is called, and sets
        its outputs to what they have when idle by ``rest``, whatever a copy that is told of by
        ``inherit`` has left.
    """

    def __init__(self, gate: Gate, player: Any) -> None:
        self._gate, self._player = gate, player
        # Whether the player, or a lost copy of it, may hold the line; None: it is yet to be asked.
        self._busy: bool | None = None

    @property
    def name(self) -> str:
        """Name of the gate in the rig."""
        return self._gate.name

    @property
    def state(self) -> DeviceState:
        """Where the gate is in its life cycle."""
        return self._gate.state

    @property
    def capabilities(self) -> GateCapabilities:
        """Those of the gate, which a card switches on the sample clock, too."""
        limits = getattr(self._gate, "capabilities", GateCapabilities())
        return replace(limits, hardware_timed=True)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user of the gate should know."""
        return tuple(getattr(self._gate, "remarks", ()))

    def connect(self) -> str:
        """Connect the gate; the player is connected when it is needed."""
        return self._gate.connect()

    def disconnect(self) -> None:
        """Close both links; what is still played is ended by the player."""
        with contextlib.suppress(DeviceError):
            self._player.disconnect()
        self._gate.disconnect()

    def abandon(self) -> None:
        """Break off calls that hang, from another thread."""
        for device in (self._player, self._gate):
            abandon = getattr(device, "abandon", None)
            if abandon is not None:
                abandon()

    def __getattr__(self, name: str) -> Any:
        """What only some gates have: a watchdog."""
        if name.endswith("_watchdog"):
            return getattr(self._gate, name)
        raise AttributeError(name)

    def inherit(self) -> None:
        """A copy that was lost has played patterns: what it has left on outputs is not known."""
        self._busy = True
        self._player.inherit()

    # -- the gate ---------------------------------------------------------------------------------

    def set(self, closed: bool) -> None:
        """End what is played, switch and read back; then the light is as it is set again.

        Closing is tried at once: where no pattern holds the line it has not to wait for the player.
        A player that cannot be reached keeps nobody from trying the gate itself.

        Raises
        ------
        DeviceError
            If the gate is not as asked, or the player has not let go of the line or the light.
        """
        failed: DeviceError | None = None
        if self._busy is None:
            left = getattr(self._player, "left_behind", None)
            self._busy = left is None or left()
        if self._busy:
            if closed and self._player.state is not DeviceState.RUNNING:
                with contextlib.suppress(DeviceError):
                    self._gate.set(True)
            try:
                self._ready().release()
            except InputError:  # a card without these wires has never been armed
                self._busy = False
            except DeviceError as error:
                failed = error
        self._gate.set(closed)
        if failed is not None:
            raise failed
        if self._busy:
            self._player.rest()
            self._busy = False

    def read(self) -> bool:
        """Return whether the gate is closed."""
        return self._gate.read()

    def lend(self) -> None:
        """Let the player have the line."""
        if isinstance(self._gate, LendsLine):
            self._gate.lend()

    # -- the player -------------------------------------------------------------------------------

    def player_call(self, method: str, arguments: tuple[Any, ...]) -> Any:
        """Call the player.

        Raises
        ------
        InputError, DeviceError
            As it raises them.
        """
        assert method in PLAYER_CALLS
        player = self._player if method in ("connect", "disconnect") else self._ready()
        if method == "arm":
            self._busy = True
        try:
            value = getattr(player, method)(*arguments)
        except ReservedError:
            if method != "halt":
                raise
            self.lend()  # the gate has been closed and has its line back: the player is told after
            value = player.halt()
        if method == "connect":
            doubts = tuple(getattr(player, "doubts", ()))
            return value, player.capabilities, player.offset, doubts
        return value

    def _ready(self) -> Any:
        """The player, connected."""
        if self._player.state not in (DeviceState.READY, DeviceState.RUNNING):
            self._player.disconnect()
            self._player.connect()
        return self._player
