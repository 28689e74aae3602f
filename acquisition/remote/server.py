"""Serves a session to remotes: sockets in a thread of their own, each remote bounded in all.

Nothing here is waited for by the session. A remote that sends too much, too fast or nonsense, reads
too slowly or vanishes is held up or put out; what it holds is free again then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.errors import DeviceError
from .addresses import Address, Registration, is_loopback
from .calls import ServedSession
from .desk import Desk, Guest
from .greeting import RefusedError, greet
from .knobs import Knobs
from .packages import require_websockets
from .proof import new_token
from .visit import Visit

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

__all__ = ["RemoteServer", "serve"]

MAX_REMOTES = 16
"""Remotes at a time."""

_MAX_LINES = 40  # connections, those included that have not proved anything yet
_BACKLOG = 16  # connections that are accepted in one go
_MAX_REQUEST = 1 << 20  # bytes
_OPEN_SECONDS = 5.0
_PING_SECONDS, _PONG_SECONDS = 5.0, 10.0
_CLOSE_SECONDS = 5.0


def serve(
    session: ServedSession,
    *,
    name: str = "",
    host: str = "127.0.0.1",
    port: int = 0,
    steering: bool = True,
) -> RemoteServer:
    """Let other programs watch a session, and one at a time steer it.

    Parameters
    ----------
    session : Session
        Running.
    name : str
        Under which :func:`optobind.connect` finds it; that of the rig by default.
    host : str
        Address to listen on. By default only programs of this computer reach it; elsewhere
        everything but the token travels unencrypted: prefer an ssh tunnel.
    port : int
        0 for a free one.
    steering : bool
        Whether a remote may take the knobs; otherwise all only watch.

    Returns
    -------
    RemoteServer
        Ends with the session, or when it is closed.

    Raises
    ------
    InputError
        If the package websockets is missing (extra ``remote``).
    DeviceError
        If the address cannot be listened on.

    Examples
    --------
    >>> import optobind as ob
    >>> session = ob.Session(ob.load_rig("simulated-pair"), live_fits=False)
    >>> with ob.serve(session, name="table 2") as server:
    ...     with ob.connect(server.address.url) as remote:
    ...         remote.name, remote.status().mode
    ('table 2', 'SIM')
    >>> session.close()
    """
    server = RemoteServer(session, name=name, host=host, port=port, steering=steering)
    if server.danger:
        warnings.warn(server.danger, UserWarning, stacklevel=2)
    return server


class RemoteServer:
    """A session that is served; see :func:`serve`.

    Attributes
    ----------
    address : Address
        Where, with the token: ``address.url`` is what another computer's ``ob.connect`` takes.

    Examples
    --------
    >>> import optobind as ob
    >>> session = ob.Session(ob.load_rig("simulated-pair"), live_fits=False)
    >>> server = ob.serve(session)
    >>> server.remotes, server.owner
    ((), None)
    >>> session.close()
    """

    def __init__(
        self,
        session: ServedSession,
        *,
        name: str = "",
        host: str = "127.0.0.1",
        port: int = 0,
        steering: bool = True,
        folder: Path | None = None,
    ) -> None:
        require_websockets()
        self._session, self._knobs = session, Knobs(steering=steering)
        self._name = name or session.rig.name
        self._token, self._local_token = new_token(), new_token()
        self._lines: set[Any] = set()
        self._visits: dict[Any, Visit] = {}
        listening = _listening(host, port)
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._closed = threading.Event()
        self._port = int(listening.getsockname()[1])
        self._host = host
        self.address = Address(_told(host), self._port, self._token, name=self._name)
        about = {"name": self._name, "mode": session.rig.mode}
        self._desk = Desk(session, self._knobs, about, self.address.url)
        self._thread = threading.Thread(
            target=self._run, args=(listening,), name="remote-server", daemon=True
        )
        self._thread.start()
        try:
            here = Address(_reached(host), self._port, self._local_token, True, self._name)
            self._registration = Registration(here, folder)
        except BaseException:
            self._end()
            raise
        session.at_close(self.close)

    @property
    def danger(self) -> str:
        """What to know of an address that other computers reach; empty on loopback."""
        if is_loopback(self._host):
            return ""
        return (
            f"whoever on the network reaches {self._host}:{self._port} and has the token can "
            "watch and steer this experiment, and what is sent can be read and changed on its way: "
            "it is not encrypted; use 127.0.0.1 and an ssh tunnel instead"
        )

    @property
    def owner(self) -> str | None:
        """Name of the remote that holds the knobs."""
        return self._knobs.owner

    @property
    def remotes(self) -> tuple[str, ...]:
        """Names of those that are connected."""
        return tuple(visit.guest.seat.name for visit in list(self._visits.values()))

    def take_back(self) -> None:
        """Take the knobs from whatever remote holds them."""
        lost = self._knobs.give()
        if lost is not None:
            self._session.note(f"the knobs were taken back from {lost}")

    def close(self) -> None:
        """End serving: remotes are told, the session goes on. Safe to call twice."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._registration.remove()
        self._end()

    def _end(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(2 * _CLOSE_SECONDS)
        self._desk.close(_CLOSE_SECONDS)

    def __enter__(self) -> RemoteServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        """Name, place and number of remotes; no token."""
        state = "closed" if self._closed.is_set() else f"{len(self.remotes)} remotes"
        return f"<RemoteServer {self._name} at {self.address.place}, {state}>"

    # -- the thread -----------------------------------------------------------------------------

    def _run(self, listening: socket.socket) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve(listening))
        finally:
            listening.close()
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            self._loop.close()

    async def _serve(self, listening: socket.socket) -> None:
        from websockets.asyncio.server import serve as listen

        self._loop.set_exception_handler(lambda *_: None)  # of sockets: nobody's terminal
        server = await listen(
            self._attend,
            sock=listening,
            backlog=_BACKLOG,
            create_connection=_bounded(self._lines),
            compression=None,
            logger=_silent(),
            max_queue=8,
            max_size=_MAX_REQUEST,
            open_timeout=_OPEN_SECONDS,
            origins=[None],  # no page of a browser
            ping_interval=_PING_SECONDS,
            ping_timeout=_PONG_SECONDS,
            close_timeout=1.0,
            server_header=None,
        )
        await self._stop.wait()
        server.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await server.wait_closed()
        for line in list(self._lines):
            line.transport.abort()

    async def _attend(self, line: ServerConnection) -> None:
        """Greet a remote and answer it until it leaves, however it does."""
        from websockets.exceptions import WebSocketException

        try:
            seat = await greet(line, self._token, self._local_token, len(self._visits), MAX_REMOTES)
            with self._visiting(line, Guest(seat, self._session)) as visit:
                await visit.serve()
        except RefusedError as refused:
            await line.close(refused.code, refused.reason)
        except (WebSocketException, OSError, TimeoutError):
            pass  # gone, or not fit to be talked to
        finally:
            line.transport.abort()

    @contextlib.contextmanager
    def _visiting(self, line: Any, guest: Guest) -> Iterator[Visit]:
        visit = self._visits[line] = Visit(line, guest, self._desk)
        try:
            yield visit
        finally:
            del self._visits[line]
            guest.leave()
            if self._knobs.give(guest.seat) is not None:
                self._session.note(f"{guest.seat.name} is gone: nobody steers from elsewhere")


def _listening(host: str, port: int) -> socket.socket:
    """Listen on an address."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DeviceError(
            f"remotes cannot be served at {host}:{port} ({reason}): give another address or port"
        ) from error


def _told(host: str) -> str:
    """Address at which other computers reach one that may stand for all."""
    return socket.gethostname() if host in ("0.0.0.0", "::") else host


def _reached(host: str) -> str:
    """Address at which programs of this computer reach one that may stand for all."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)


def _silent() -> logging.Logger:
    """Return a logger that writes nowhere: what strangers send is no concern of a terminal."""
    logger = logging.getLogger("optobind.remote")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    logger.setLevel(logging.CRITICAL + 1)
    return logger


def _bounded(lines: set[Any]) -> type[ServerConnection]:
    """Make the class of connections: at most so many, also before they have said anything."""
    from websockets.asyncio.server import ServerConnection

    class Line(ServerConnection):
        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            lines.add(self)
            if len(lines) > _MAX_LINES:
                transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            lines.discard(self)
            super().connection_lost(exc)

    return Line
