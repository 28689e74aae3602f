"""Carries out what remotes ask, in one thread of its own: nobody else ever waits for them.

A disk or a device that hangs holds up this thread and no other; answers are bytes already, those
of snapshots made once however many ask.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...models.errors import InputError, OptobindError
from ...models.light import TweezerState
from ...models.prefixes import engineering
from ...models.shown import one_line
from ..origin import RunOrigin
from .calls import SNAPSHOTS, STEERING, VIEWS, ServedSession
from .checked import checked
from .failures import failure_of
from .knobs import Knobs, Seat
from .wire import pack

__all__ = ["Answer", "Desk", "Guest"]

_WAITING = 256  # requests of all remotes together
_LONGEST_NOTE = 160  # characters of the arguments in the log

Answer = Callable[[str, bytes, int], None]
"""Told once: kind ("value", "same" or "error"), packed value, and number of a snapshot or 0."""


class Guest:
    """A seat with its own reading of the log, and the snapshots that it has.

    Parameters
    ----------
    seat : Seat
        Who it is.
    session : ServedSession
        What it watches.
    """

    def __init__(self, seat: Seat, session: ServedSession) -> None:
        self.seat, self._session = seat, session
        self.listener = session.listen()

    def leave(self) -> None:
        """Listen no more."""
        self._session.unlisten(self.listener)


class Desk:
    """Answers requests in their order.

    Parameters
    ----------
    session : ServedSession
        What is asked.
    knobs : Knobs
        Who may steer.
    about : mapping
        What ``about`` answers, beside who holds the knobs.
    url : str
        Address for other computers; told to the user who runs the experiment.
    """

    def __init__(
        self, session: ServedSession, knobs: Knobs, about: Mapping[str, Any], url: str
    ) -> None:
        self._session, self.knobs, self._about = session, knobs, about
        self._url = url
        self._queue: queue.Queue[Callable[[], None] | None] = queue.Queue(_WAITING)
        self._packed: dict[str, tuple[Any, int, bytes]] = {}
        self._number = 0
        self._thread = threading.Thread(target=self._work, name="remote-desk", daemon=True)
        self._thread.start()

    def ask(self, guest: Guest, request: Mapping[str, Any], answer: Answer) -> None:
        """Have a request carried out; ``answer`` is called once, in whatever thread."""
        try:
            self._queue.put_nowait(lambda: self._carry_out(guest, request, answer))
        except queue.Full:
            answer("error", failure_of(InputError("too many requests wait: ask less often")), 0)

    def close(self, timeout: float) -> None:
        """End the thread; one that hangs is left behind."""
        try:
            self._queue.put(None, timeout=timeout)
        except queue.Full:
            return
        self._thread.join(timeout)

    def _work(self) -> None:
        while (task := self._queue.get()) is not None:
            task()

    def _carry_out(self, guest: Guest, request: Mapping[str, Any], answer: Answer) -> None:
        try:
            found = self._found(guest, request)
        except BaseException as error:  # of whatever kind: it belongs to whoever asked
            answer("error", failure_of(error), 0)
            return
        if isinstance(found, Future):
            found.add_done_callback(lambda ended: self._later(ended, answer))
        else:
            self._answer(str(request["call"]), found, request.get("has"), answer)

    def _later(self, ended: Future[Any], answer: Answer) -> None:
        """Answer at the end of a future: in this thread again, as the runner's must not wait."""

        def tell() -> None:
            error = ended.exception() if not ended.cancelled() else InputError("it was given up")
            if error is not None:
                answer("error", failure_of(error), 0)
            else:
                self._answer("", ended.result(), None, answer)

        try:
            self._queue.put_nowait(tell)
        except queue.Full:
            answer("error", failure_of(OptobindError("done, but the answer was lost")), 0)

    def _answer(self, call: str, value: Any, has: object, answer: Answer) -> None:
        """Answer with a value; a snapshot that the remote has already is not sent again."""
        try:
            number, packed = self._packed_once(call, value)
        except BaseException as error:
            answer("error", failure_of(error), 0)
            return
        same = number > 0 and has == number
        answer("same" if same else "value", b"" if same else packed, number)

    def _packed_once(self, call: str, value: Any) -> tuple[int, bytes]:
        """Number and bytes of a snapshot, 0 and the bytes of anything else."""
        if call not in SNAPSHOTS or value is None:
            return 0, pack(value)
        before = self._packed.get(call)
        if before is None or before[0] is not value:
            self._number += 1
            before = self._packed[call] = value, self._number, pack(value)
        return before[1], before[2]

    def _found(self, guest: Guest, request: Mapping[str, Any]) -> Any:
        call, args, named = request.get("call"), request.get("args", ()), request.get("named", {})
        if not (isinstance(call, str) and isinstance(args, tuple) and isinstance(named, dict)):
            raise InputError("a request that is none")
        if call in ("about", "take", "give"):
            return self._of_knobs(guest.seat, call, named)
        if call in ("take_log", "take_events"):
            return getattr(guest.listener, call)()
        if call not in VIEWS | STEERING:
            raise InputError(f"a remote has no call {one_line(call)[:40]!r}")
        args, named = checked(call, args, named)
        if call in STEERING:
            self.knobs.require(guest.seat)
            if call == "start":
                args = self._start_of(guest.seat, *args)
            elif call == "note":
                args = (f"{guest.seat.name}: {args[0]}" if args[0].strip() else "",)
            self._note(guest.seat, call, args, named)
        return getattr(self._session, call)(*args, **named)

    def _of_knobs(self, seat: Seat, call: str, named: Mapping[str, Any]) -> Any:
        if call == "take":
            lost = self.knobs.take(seat, force=named.get("force") is True)
            self._session.note(f"{seat.name} steers" + (f" instead of {lost}" if lost else ""))
        elif call == "give" and self.knobs.give(seat) is not None:
            self._session.note(f"{seat.name} gave the knobs back")
        url = self._url if seat.local else ""
        return {**self._about, "owner": self.knobs.owner, "url": url}

    def _note(self, seat: Seat, call: str, args: tuple[Any, ...], named: dict[str, Any]) -> None:
        """Have it noted who asked for what; a note itself says who wrote it."""
        if call == "note":
            return
        given = [words for value in args if value is not None and (words := _words(value))]
        given += [f"{name} {_words(value)}" for name, value in named.items() if value]
        text = one_line(", ".join(given))
        if len(text) > _LONGEST_NOTE:
            text = text[: _LONGEST_NOTE - 1] + "…"
        self._session.note(f"{seat.name} asks for {call}" + (f": {text}" if text else ""))

    def _start_of(
        self, seat: Seat, plan: Any, out: Path | None = None, origin: RunOrigin | None = None
    ) -> tuple[Any, ...]:
        """Arguments of a start: recorded below the session's folder, by whom it was asked for."""
        if out is not None:
            folder = self._session.run_directory.resolve()
            out = (folder / out).resolve()
            if not out.is_relative_to(folder):
                raise InputError(f"a remote records below {folder}: give a path within it")
        origin = RunOrigin() if origin is None else origin
        return plan, out, replace(origin, operator=origin.operator or seat.name)


def _words(value: Any) -> str:
    """Say an argument in words, with units."""
    if isinstance(value, TweezerState):
        return "; ".join(f"{engineering(s.power, 'W')} {s.phase:.6g} rad" for s in value.sites) + (
            f", {engineering(value.separation, 'm')} apart" if len(value.sites) == 2 else ""
        )
    if isinstance(value, RunOrigin):
        return value.note
    return str(value)
