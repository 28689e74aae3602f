"""One connection of a client: requests numbered, answers brought to their futures by a thread."""

from __future__ import annotations

import contextlib
import itertools
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from ...models.errors import DeviceError, OptobindError
from .addresses import Address
from .failures import raised
from .frames import HEAD, KINDS, MAX_ANSWER, NUMBER
from .greeting import SECONDS, introduce, refusal
from .wire import pack, unpack

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

__all__ = ["Link"]

_GOING_AWAY = 1001  # code of a server that ends
_PING_SECONDS, _PONG_SECONDS = 5.0, 10.0


class Link:
    """A connection to an experiment that has been greeted.

    Parameters
    ----------
    address : Address
        Where.
    name : str
        Of this remote.
    timeout : float
        Longest wait for the connection, s.

    Attributes
    ----------
    ended : bool
        Whether the experiment has said that it ends.

    Raises
    ------
    InputError
        If the token is refused.
    DeviceError
        If nobody answers there.
    """

    def __init__(self, address: Address, name: str, timeout: float) -> None:
        self._address, self._name, self._timeout = address, name, timeout
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._waiting: dict[int, tuple[Future[Any], str]] = {}
        self._snapshots: dict[str, tuple[int, Any]] = {}
        self._line: ClientConnection | None = None
        self._failure: OptobindError | None = None
        self.ended = False
        self._ready, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="remote-link", daemon=True)
        self._thread.start()
        if not self._ready.wait(timeout + 2.0 * SECONDS):
            self._failure = self._gone("nobody answers")
        if self._failure is not None:
            raise self._failure

    @property
    def alive(self) -> bool:
        """Whether requests can be sent."""
        return not self._over.is_set()

    def ask(self, call: str, args: tuple[Any, ...] = (), named: Any = None) -> Future[Any]:
        """Send a request; the future has its answer, or fails as the session would."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()  # what was asked cannot be taken back
        number = next(self._numbers)
        has = self._snapshots.get(call, (0, None))[0]
        request = pack({"call": call, "args": args, "named": named or {}, "has": has})
        with self._lock:
            if self._line is None or self._over.is_set():
                future.set_exception(self._gone("the connection was closed"))
                return future
            self._waiting[number] = future, call
        try:
            self._line.send(NUMBER.pack(number) + request)
        except Exception as error:  # whatever a broken connection raises
            self._fail(number, error)
        return future

    def close(self, timeout: float) -> None:
        """End the connection. Safe to call twice."""
        line = self._line
        if line is not None:
            with contextlib.suppress(Exception):
                line.close()
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    # -- the thread -----------------------------------------------------------------------------

    def _work(self) -> None:
        from websockets.exceptions import ConnectionClosed

        reason = "it has ended, or its connection broke"
        try:
            self._talk()
            self.ended = self._line is not None and self._line.close_code == _GOING_AWAY
        except ConnectionClosed as error:
            close = error.rcvd
            if close is not None:
                self._failure = refusal(close.code, close.reason, self._address.place)
        except OptobindError as error:
            self._failure = error
        except Exception as error:  # whatever a socket or a stranger at the other end brings up
            reason = str(getattr(error, "strerror", None) or error or type(error).__name__)
        self._over.set()
        if not self._ready.is_set():
            self._failure = self._failure or self._gone(reason)
            self._ready.set()
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for future, call in waiting.values():
            future.set_exception(self._lost(call))

    def _talk(self) -> None:
        from websockets.sync.client import connect

        host = f"[{self._address.host}]" if ":" in self._address.host else self._address.host
        with connect(
            f"ws://{host}:{self._address.port}",
            compression=None,
            open_timeout=self._timeout,
            close_timeout=2.0,
            max_size=MAX_ANSWER + 1024,
            ping_interval=_PING_SECONDS,
            ping_timeout=_PONG_SECONDS,
            proxy=None,
            user_agent_header=None,
        ) as line:
            introduce(line, self._address, self._name)
            self._line = line
            self._ready.set()
            for message in line:
                number, tag, kind = HEAD.unpack_from(message)  # type: ignore[arg-type]
                self._take(number, tag, KINDS[kind], message[HEAD.size :])  # type: ignore[arg-type]

    def _take(self, number: int, tag: int, kind: str, value: bytes) -> None:
        with self._lock:
            future, call = self._waiting.pop(number, (None, ""))
        if future is None:
            return
        if kind == "error":
            future.set_exception(raised(value))
            return
        try:
            found = self._snapshots[call][1] if kind == "same" else unpack(value)
        except (KeyError, OptobindError) as error:
            future.set_exception(OptobindError(f"an answer that cannot be read: {error}"))
            return
        if tag and kind == "value":
            self._snapshots[call] = tag, found
        future.set_result(found)

    def _fail(self, number: int, error: Exception) -> None:
        with self._lock:
            future, call = self._waiting.pop(number, (None, ""))
        if future is not None:
            future.set_exception(self._lost(call))

    def _gone(self, reason: str) -> DeviceError:
        name = f"experiment {self._address.name}" if self._address.name else "the experiment"
        return DeviceError(f"{name} at {self._address.place} is gone: {reason}")

    def _lost(self, call: str) -> DeviceError:
        return DeviceError(
            f"the connection to {self._address.place} ended before {call} was answered: it may "
            "have been done; connect again and look"
        )
