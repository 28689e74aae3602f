"""Lines between a driver and its served device that go wrong on request, and log every byte.

A proxy delays, drips, cuts, freezes, garbles or floods for some time, then heals.
"""

from __future__ import annotations

import os
import random
import selectors
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

KINDS = ("delay", "drip", "cut", "freeze", "garble", "flood")
LONGEST_DELAY = 0.06  # s
_LATEST = 0.25  # s after which a strike begins though fewer pieces have passed
_TICK = 0.004  # s between two looks while something waits
_JUNK = bytes(range(0x80, 0x100)) + b"~^{}|"


@dataclass(frozen=True)
class Strike:
    """What a line is to do.

    Attributes
    ----------
    kind : str
        Of :data:`KINDS`, or "none".
    after : int
        Pieces that pass before.
    seconds : float
        Until it heals, s.
    seed : int
        Of all that it draws.
    both : bool
        Whether what goes to the device is garbled as well, not only its answers.
    """

    kind: str
    after: int
    seconds: float
    seed: int
    both: bool = False


class _End:
    """One end of a line: a socket or a descriptor."""

    def __init__(self, thing: Any) -> None:
        self.thing = thing

    def fileno(self) -> int:
        return self.thing if isinstance(self.thing, int) else self.thing.fileno()

    def receive(self) -> bytes:
        with suppress(OSError):
            if isinstance(self.thing, int):
                return os.read(self.thing, 65536)
            return self.thing.recv(65536)
        return b""

    def send(self, data: bytes) -> None:
        with suppress(OSError):
            if isinstance(self.thing, int):
                os.write(self.thing, data)
            else:
                self.thing.sendall(data)

    def close(self) -> None:
        with suppress(OSError):
            if isinstance(self.thing, int):
                os.close(self.thing)
            else:
                self.thing.close()


@dataclass(eq=False)
class _Way:
    """One direction of a line, with what waits on it."""

    source: _End
    sink: _End
    to_device: bool
    waiting: list[tuple[float, bytes]] = field(default_factory=list)
    back: _Way | None = None


class Proxy:
    """Passes on what a client and a served device say to each other.

    Parameters
    ----------
    target : tuple of (str, int)
        The device's host and port.
    terminal : bool
        Whether the client finds a pseudo terminal instead of a port.

    Attributes
    ----------
    address : str
        VISA resource name.
    sent, received : list of (float, bytes)
        What the client wrote and what the device got, with times (monotonic, s).
    began, healed : float
        When the latest strike began to act and when it ended, s; 0 if not yet.
    """

    def __init__(self, target: tuple[str, int], *, terminal: bool = False) -> None:
        self._target, self._terminal = target, terminal
        self.sent: list[tuple[float, bytes]] = []
        self.received: list[tuple[float, bytes]] = []
        self.began = self.healed = 0.0
        self._strike: Strike | None = None
        self._dice = random.Random(0)
        self._left, self._asked, self._acting = 0, 0.0, False
        self._lock, self._over = threading.Lock(), threading.Event()
        self._selector = selectors.DefaultSelector()
        self._ways: list[_Way] = []
        self._extra: list[int] = []
        if terminal:
            self._open_terminal()
        else:
            self._listener = socket.create_server(("127.0.0.1", 0))
            self.port = self._listener.getsockname()[1]
            self.address = f"TCPIP0::127.0.0.1::{self.port}::SOCKET"
            self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    @property
    def grpc(self) -> str:
        """``host:port``."""
        return f"127.0.0.1:{self.port}"

    def _open_terminal(self) -> None:
        import tty

        master, slave = os.openpty()
        tty.setraw(master)
        tty.setraw(slave)
        self.address = f"ASRL{os.ttyname(slave)}::INSTR"
        self._extra.append(slave)  # kept open: a client that leaves does not hang it up
        self._join(_End(master))

    def strike(self, strike: Strike) -> None:
        """Go wrong, from some pieces later on."""
        with self._lock:
            self._strike, self._dice = strike, random.Random(strike.seed)
            self._left, self._asked = strike.after, time.monotonic()
            self.began = self.healed = 0.0
            self._acting = False

    def heal(self) -> None:
        """Be a good line again now."""
        with self._lock:
            self._end_strike(time.monotonic())

    def close(self) -> None:
        """End."""
        self._over.set()
        self._thread.join(60.0)

    # -- the thread ---------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._over.is_set():
            for key, _ in self._selector.select(self._pause()):
                with self._lock:
                    if key.fileobj is getattr(self, "_listener", None):
                        self._accept()
                    elif key.data in self._ways:
                        self._hear(key.data)
            with self._lock:
                self._look(time.monotonic())
        for way in list(self._ways):
            self._drop(way)
        for descriptor in self._extra:
            os.close(descriptor)
        if not self._terminal:
            self._listener.close()
        self._selector.close()

    def _pause(self) -> float:
        return _TICK if self._strike is not None else 0.1

    def _look(self, now: float) -> None:
        """Begin or end the strike when it is time; send what is due."""
        strike = self._strike
        if strike is not None and not self._acting:
            if self._left <= 0 or now - self._asked > _LATEST:
                self._begin(now)
        elif strike is not None and now > self.began + strike.seconds:
            self._end_strike(now)
        for way in self._ways:
            while way.waiting and way.waiting[0][0] <= now:
                self._deliver(way, way.waiting.pop(0)[1])
            if self._acts("flood") and not way.to_device:
                self._flood(way)

    def _acts(self, kind: str) -> bool:
        return self._acting and self._strike is not None and self._strike.kind == kind

    def _begin(self, now: float) -> None:
        assert self._strike is not None
        self._acting, self.began = True, now
        if self._strike.kind == "cut" and not self._terminal:
            for way in list(self._ways):
                self._drop(way)
        if self._strike.kind == "freeze":
            for way in self._ways:
                self._selector.unregister(way.source)

    def _end_strike(self, now: float) -> None:
        if self._strike is None:
            return
        if self._acts("freeze"):
            for way in self._ways:
                self._selector.register(way.source, selectors.EVENT_READ, way)
        self.began, self.healed = self.began or now, now
        self._strike, self._acting = None, False
        for way in self._ways:
            for _, piece in way.waiting:
                self._deliver(way, piece)
            way.waiting.clear()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self._acts("cut"):
            client.close()
            return
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.settimeout(0.5)  # one that does not read holds nobody up for long
        self._join(_End(client))

    def _join(self, client: _End) -> None:
        """Join a client to the device."""
        try:
            server = socket.create_connection(self._target)
        except OSError:
            client.close()
            return
        server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        device = _End(server)
        there, back = _Way(client, device, True), _Way(device, client, False)
        there.back, back.back = back, there
        for way in (there, back):
            self._ways.append(way)
            if not self._acts("freeze"):
                self._selector.register(way.source, selectors.EVENT_READ, way)

    def _hear(self, way: _Way) -> None:
        data = way.source.receive()
        if not data:
            self._drop(way)
            return
        now = time.monotonic()
        if way.to_device:
            self.sent.append((now, data))
        if self._strike is not None and not self._acting:
            self._left -= 1
            if self._left <= 0:
                self._begin(now)
                if way not in self._ways:
                    return  # cut
                data = self._first_part(data)
        self._pass(way, data, now)

    def _first_part(self, data: bytes) -> bytes:
        """On a serial line the cut falls within what is being said."""
        if self._acts("cut") and len(data) > 1:
            return data[: self._dice.randrange(len(data))]
        return data

    def _pass(self, way: _Way, data: bytes, now: float) -> None:
        assert self._strike is None or self._dice is not None
        if self._acts("delay"):
            last = way.waiting[-1][0] if way.waiting else now
            way.waiting.append((max(last, now + self._dice.uniform(0.0, LONGEST_DELAY)), data))
        elif self._acts("drip"):
            due = way.waiting[-1][0] if way.waiting else now
            step = 1 if len(data) < 200 else 48
            for at in range(0, len(data), step):
                due += self._dice.uniform(1e-3, 4e-3)
                way.waiting.append((due, data[at : at + step]))
        elif self._acts("cut"):
            if not way.sink.fileno() < 0 and now == self.began:
                self._deliver(way, data)
        elif self._acts("garble") and (self._strike.both or not way.to_device):
            self._deliver(way, self._garbled(data))
        elif way.waiting:
            way.waiting.append((way.waiting[-1][0], data))
        else:
            self._deliver(way, data)

    def _garbled(self, data: bytes) -> bytes:
        """Some bytes in a row replaced by what no text holds."""
        if self._dice.random() < 0.3:
            return data
        begin = self._dice.randrange(len(data))
        junk = bytes(self._dice.choices(_JUNK, k=min(len(data) - begin, self._dice.randint(9, 40))))
        return data[:begin] + junk + data[begin + len(junk) :]

    def _flood(self, way: _Way) -> None:
        junk = bytes(self._dice.choices(_JUNK + b"\r\n0123456789.", k=64))
        way.sink.send(junk)

    def _deliver(self, way: _Way, data: bytes) -> None:
        if way.to_device:
            self.received.append((time.monotonic(), data))
        way.sink.send(data)

    def _drop(self, way: _Way) -> None:
        """Close both ends of the line."""
        for one in (way, way.back):
            if one in self._ways:
                self._ways.remove(one)
                with suppress(KeyError, ValueError):
                    self._selector.unregister(one.source)
        way.source.close()
        way.sink.close()
