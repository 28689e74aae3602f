"""The guardian's side: wait for orders and for the end of the program, and close the gate then.

It alone owns the gate's device. It closes the gate when the pipe ends, when the program is gone or
gives no sign of life while the gate is open, and when an opening or a closing fails, over a fresh
link each time until the gate reads closed. It never touches the light.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from ...models.errors import DeviceError, InputError
from ..links.base import LinkError
from ..protocols import DeviceState
from .apart import stand_apart, watch_of
from .hand import Hand
from .messages import MOST_SILENCE, Answer, Order, Report, kind_of

__all__ = ["Guardian", "guard"]

_TICK = 0.05  # s between two looks while the gate is open or has to be closed
_IDLE_TICK = 0.5
_LOOK = 0.25  # s between two looks at the gate itself, and two feedings of the card's watchdog
_CONNECT_SECONDS = 60.0  # importing a vendor's package takes seconds on a busy computer
_CALL_SECONDS = 2.0
_ARM_SECONDS = 15.0  # a long pattern takes its time on the way to the card
# Limits of the attempts to close, s: short, so that a link that is back is found soon, and longer
# ones in between for a device that is merely slow. One that was ordered is answered within 2 s.
_ATTEMPTS = (1.0, 0.5, 0.5, 2.0, 0.5, 0.5, 5.0, 0.5, 0.5, 15.0)
_ORDERED_SECONDS = 2.0
_WARY_SECONDS = 30.0  # a frozen link may deliver an opening that was given up, that much later
_FREE_SECONDS = 3.0  # for a card behind a broken link to let go of lines and tasks
_LAST_SECONDS = 3600.0  # after which a guardian whose program is gone gives up


def guard(pipe: Connection, packed: bytes, parent: int) -> None:
    """Be the guardian until the program has no more use for one; runs in the spawned process.

    Parameters
    ----------
    pipe : Connection
        To the program.
    packed : bytes
        The gate's driver, pickled.
    parent : int
        Process id of the program.
    """
    stand_apart()
    try:
        Guardian(pipe, packed, parent).run()
    finally:
        os._exit(0)  # a driver's thread that hangs must not keep the process


class Guardian:
    """The gate's owner.

    Parameters
    ----------
    pipe, packed, parent
        As for :func:`guard`.
    """

    def __init__(self, pipe: Connection, packed: bytes, parent: int) -> None:
        self._pipe, self._packed, self._parent = pipe, packed, parent
        self._hand: Hand | None = None
        self._open = False  # the gate is open by our hand, or may be
        self._lent = False  # a pattern player has its line
        self._at_most = self._until = math.inf  # how long, and until when it is meant to be
        self._duty = ""  # why it has to be closed
        self._attempts = 0
        self._alone = False
        self._leaving = self._broken = self._linked = False
        self._beat = self._looked = 0.0
        self._wary_until = 0.0
        self._since = 0.0

    def run(self) -> None:
        """Serve until told to leave or alone, and until the gate has been closed."""
        sources: list[Any] = [self._pipe]
        if (watch := watch_of(self._parent)) is not None:
            sources.append(watch)
        while not (self._duty == "" and (self._leaving or self._alone)):
            if self._alone:
                time.sleep(_TICK if time.monotonic() - self._since < 60.0 else 1.0)
            else:
                self._listen(sources)
            self._judge()
            if self._duty:
                self._try_to_close()
            else:
                self._look_after()
            if self._alone and time.monotonic() - self._since > _LAST_SECONDS:
                break
        self._free()

    def _free(self) -> None:
        """Disconnect; over a fresh link if this one is broken, so that nothing stays reserved."""
        until = time.monotonic() + _FREE_SECONDS
        while self._hand is not None or (self._broken and self._linked):
            try:
                if self._broken:
                    self._call(lambda device: device.connect(), _CALL_SECONDS)
                self._call(lambda device: device.disconnect(), _CALL_SECONDS)
                return
            except Exception:
                self._let_go()
            if time.monotonic() > until:
                return
            time.sleep(_TICK)

    # -- the program ----------------------------------------------------------------------------

    def _listen(self, sources: Sequence[Any]) -> None:
        """Carry out the orders that wait; see whether the program is still there."""
        busy = self._open or bool(self._duty) or time.monotonic() < self._wary_until
        ready = wait(sources, _TICK if busy else _IDLE_TICK)
        try:
            while self._pipe.poll(0):
                self._carry_out(self._pipe.recv())
        except (EOFError, OSError):
            self._lonely("the program that opened it has ended")
            return
        gone = any(source is not self._pipe for source in ready)
        if gone or (sys.platform != "win32" and os.getppid() != self._parent):
            self._lonely("the program that opened it was killed")

    def _lonely(self, why: str) -> None:
        self._alone, self._since = True, time.monotonic()
        if self._open:
            self._duty = self._duty or why

    def _carry_out(self, order: Order) -> None:
        """Do what an order says and answer."""
        self._beat = time.monotonic()
        if order.verb == "beat":
            return
        if order.verb == "open":
            self._at_most = order.at_most
        verbs: dict[str, Callable[[], Any]] = {
            "connect": self._connect,
            "disconnect": self._disconnect,
            "open": self._open_gate,
            "lend": self._lend,
            "player": lambda: self._ask_player(*order.call),
            "close": self._close_gate,
            "read": self._read,
        }
        try:
            value = verbs[order.verb]()
            answer = Answer(order.number, value, self._state(), remarks=self._remarks())
        except Exception as error:  # whatever a driver raises is the program's to judge
            text = str(error) or repr(error)
            answer = Answer(order.number, None, self._state(), text, kind_of(error))
        self._beat = time.monotonic()
        self._send(answer)

    def _send(self, message: Answer | Report) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody listens: seen at the next look
            self._pipe.send(message)

    def _judge(self) -> None:
        """See whether the program gives signs of life and closes the gate when it meant to."""
        silent = time.monotonic() - self._beat
        if self._open and not self._duty and silent > MOST_SILENCE:
            self._duty = (
                f"the program gave no sign of life for {MOST_SILENCE:g} s while feedback was off"
            )
        elif self._open and not self._duty and time.monotonic() > self._until:
            self._duty = (
                f"feedback was off for longer than {self._at_most:.3g} s: the program waits for a "
                "device or is too slow"
            )

    # -- the gate -------------------------------------------------------------------------------

    def _state(self) -> str:
        if self._hand is None:
            return "faulted" if self._broken else "disconnected"
        return str(self._hand.device.state.value)

    def _remarks(self) -> tuple[str, ...]:
        device = None if self._hand is None else self._hand.device
        return tuple(getattr(device, "remarks", ()))

    def _there(self) -> Hand:
        if self._hand is None:
            self._hand = Hand(self._packed)
            inherit = getattr(self._hand.device, "inherit", None)
            if self._lent and inherit is not None:
                inherit()
        return self._hand

    def _let_go(self) -> None:
        if self._hand is not None:
            self._hand.let_go()
        self._hand, self._broken = None, True

    def _call(self, function: Callable[[Any], Any], seconds: float) -> Any:
        """Call the driver; a hand that hangs is let go."""
        hand = self._there()
        try:
            return hand.call(lambda: function(hand.device), seconds)
        except LinkError:
            self._let_go()
            raise

    def _connect(self) -> str:
        identity = str(self._call(lambda device: device.connect(), _CONNECT_SECONDS))
        self._broken, self._linked = False, True
        return identity

    def _disconnect(self) -> bool:
        """Disconnect; the guardian leaves with it unless the gate is still to be closed."""
        if not self._duty:
            self._leaving = True
            self._open = self._lent = False  # closed by the program, or left open on purpose
            if self._hand is not None:
                self._call(lambda device: device.disconnect(), _CALL_SECONDS)
        return bool(self._duty)

    def _open_gate(self) -> None:
        """Open; if that fails the level is not known, and the gate is closed."""
        if self._duty:
            raise LinkError(f"the gate has to be closed first: {self._duty}")
        self._open, self._looked = True, time.monotonic()
        self._until = self._looked + self._at_most
        try:
            self._call(lambda device: _opened(device), _CALL_SECONDS)
        except Exception as error:
            self._duty = f"an opening failed ({error})"
            self._wary_until = time.monotonic() + _WARY_SECONDS
            raise

    def _lend(self) -> None:
        """Let a pattern player have the line; if the program ends, it is taken back and closed."""
        if self._duty:
            raise LinkError(f"the gate has to be closed first: {self._duty}")
        self._open, self._lent, self._until = True, True, math.inf
        try:
            self._call(_lent, _CALL_SECONDS)
        except Exception as error:
            self._duty = f"the line could not be lent ({error})"
            raise

    def _ask_player(self, method: str, arguments: tuple[Any, ...]) -> Any:
        """Call the player; if arming fails, what it holds is not known, and the gate is closed."""
        arming = method == "arm"
        if arming and self._duty:
            raise LinkError(f"the gate has to be closed first: {self._duty}")
        if arming and not self._lent:
            raise DeviceError("the gate has not lent its line to the player: close and lend it")
        if method == "played":
            self._require_playing()
        seconds = _ARM_SECONDS if method in ("arm", "check") else _CALL_SECONDS
        seconds = _CONNECT_SECONDS if method == "connect" else seconds
        try:
            value = self._call(lambda device: device.player_call(method, arguments), seconds)
            if arming:  # it is not fed while a long pattern is on its way to the card
                self._looked = time.monotonic()
                self._call(_watched, _CALL_SECONDS)
            return value
        except InputError:  # nothing has been sent
            raise
        except Exception as error:
            if arming:
                self._duty = f"a pattern could not be armed ({error})"
            raise

    def _require_playing(self) -> None:
        """Raise if the pattern has been ended, by this guardian or by the card's watchdog."""
        self._looked = -math.inf
        self._look_after()
        if self._duty or not self._lent:
            raise DeviceError(f"nothing is played any more: {self._duty or 'the gate was closed'}")

    def _close_gate(self) -> None:
        """Close once; if that fails the guardian goes on by itself."""
        if self._open and time.monotonic() - self._looked > MOST_SILENCE:
            self._look_after()  # this process stood still: the card may have acted meanwhile
        why = self._duty
        self._duty = why or "a closing failed"
        self._attempt(_ORDERED_SECONDS)
        self._done()
        if why:
            self._send(Report(why, True))

    def _read(self) -> bool:
        return bool(self._call(lambda device: device.read(), _CALL_SECONDS))

    def _try_to_close(self) -> None:
        """One attempt out of our own will, reported to the program."""
        why = self._duty
        try:
            self._attempt(_ATTEMPTS[self._attempts % len(_ATTEMPTS)])
        except Exception as error:
            if self._attempts == 1:
                self._send(Report(f"{why}; the gate could not be closed yet: {error}", False))
            self._complain(str(error))
            return
        self._done()
        self._send(Report(f"{why}: the guardian closed the gate by itself", True))

    def _attempt(self, limit: float) -> None:
        """Close and read back, over a fresh link if the last attempt failed."""
        self._attempts += 1
        try:
            self._call(_closed, limit)
        except Exception:
            self._let_go()
            raise

    def _done(self) -> None:
        self._open = self._lent = self._broken = False
        self._duty, self._attempts = "", 0

    def _complain(self, why: str) -> None:
        """Say it on the terminal when nobody else can: the program is gone."""
        if self._alone and self._attempts % 200 == 20:
            with contextlib.suppress(OSError):
                text = f"optobind: GATE STILL OPEN: {why}; close it by hand\n"
                os.write(2, text.encode(errors="replace"))

    def _look_after(self) -> None:
        """Feed the card's watchdog; see that an opening that was given up has not come after."""
        now = time.monotonic()
        if now - self._looked < _LOOK or self._hand is None or self._alone:
            return
        self._looked = now
        if self._open:
            try:
                self._call(_fed, _CALL_SECONDS)
            except Exception as error:  # the card has closed it by itself, or the link is gone
                self._duty = f"the watchdog of the gate could not be fed ({error})"
        elif now < self._wary_until:
            with contextlib.suppress(Exception):
                if not self._read():
                    self._open, self._duty = True, "an opening that had been given up came late"


def _opened(device: Any) -> None:
    _watched(device)
    device.set(False)


def _watched(device: Any) -> None:
    watch = getattr(device, "arm_watchdog", None)
    if watch is not None:
        watch()


def _lent(device: Any) -> None:
    lend = getattr(device, "lend", None)
    if lend is not None:
        lend()


def _fed(device: Any) -> None:
    feed = getattr(device, "feed_watchdog", None)
    if feed is not None:
        feed()


def _closed(device: Any) -> None:
    """Close and read back; connected first if the link is a fresh one."""
    if device.state is not DeviceState.READY:
        device.disconnect()
        device.connect()
    device.set(True)
    if not device.read():
        raise LinkError(f"{device.name} was closed but reads open: check its wiring")
    disarm = getattr(device, "disarm_watchdog", None)
    if disarm is not None:
        disarm()
