"""A served gauge controller on a TCP port that behaves as real ones do: late, garbled, chatty."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections import deque

from optobind.instruments.fakes import FakeGauge
from optobind.instruments.protocols import GaugeReading
from optobind.instruments.virtual.text_server import make_instrument

__all__ = ["RudeServer"]


class RudeServer:
    """Serves one dialect to one client after the other.

    ``latency`` (s) lies between a question and its answer, and on whatever it sends by itself;
    every ``garble``-th message of the controller is garbled; ``prefix`` stands before each one;
    with ``stream`` (s) it sends readings by itself from the moment it is connected until it is
    spoken to. While ``dead`` is set it hears nothing. ``messages`` counts what it sent.
    """

    def __init__(
        self,
        dialect: str,
        reading: GaugeReading | None = None,
        *,
        latency: float = 0.0,
        garble: int = 0,
        prefix: bytes = b"",
        stream: float = 0.0,
        **options,
    ) -> None:
        device = options.pop("device", None) or FakeGauge([reading or GaugeReading(1.25e-4)])
        self.instrument = make_instrument(dialect, device, **options)
        self.latency, self.garble, self.prefix, self.stream = latency, garble, prefix, stream
        self.dead = threading.Event()
        self.messages = 0
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.05)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def visa_address(self) -> str:
        return f"TCPIP0::127.0.0.1::{self._listener.getsockname()[1]}::SOCKET"

    def __enter__(self) -> RudeServer:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(60.0)
        self._listener.close()

    def _run(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError, OSError):
                client, _ = self._listener.accept()
                with client:
                    client.settimeout(0.01)
                    self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        conversation = self.instrument.converse()
        waiting: deque[tuple[float, bytes]] = deque()
        next_line, spoken = time.monotonic(), not self.stream
        while not self._over.is_set():
            now = time.monotonic()
            if not spoken and now >= next_line:
                next_line += self.stream
                waiting.append((now + self.latency, conversation.greeting))
            while waiting and waiting[0][0] <= now:
                self._send(client, waiting.popleft()[1])
            with contextlib.suppress(TimeoutError):
                data = client.recv(4096)
                if not data:
                    return
                if self.dead.is_set():
                    continue
                spoken = True
                answer = conversation.receive(data)
                if answer:
                    waiting.append((time.monotonic() + self.latency, answer))

    def _send(self, client: socket.socket, message: bytes) -> None:
        self.messages += 1
        if self.garble and self.messages % self.garble == 0:
            message = bytes(byte ^ 0x55 for byte in message[:-2]) + message[-2:]
        client.sendall(self.prefix + message)
