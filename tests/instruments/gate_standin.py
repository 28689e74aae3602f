"""A gate behind a TCP line: a server that logs each command with its time, and a driver for it.

Imported by name in spawned processes: put this folder on ``sys.path``.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress

from optobind.instruments.driver import Driver
from optobind.instruments.links.base import LinkError


class GateServer:
    """The gate: OPEN, CLOSE and READ; it can be late, frozen, deaf to answers or away."""

    def __init__(self) -> None:
        self.closed, self.log = True, []
        self.delay = 0.0
        self._passing = threading.Event()
        self._passing.set()
        self._answering = True
        self._over = False
        self._lines: list[socket.socket] = []
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._serve()

    def _serve(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                line, _ = listener.accept()
                self._lines.append(line)
                threading.Thread(target=self._talk, args=(line,), daemon=True).start()

    def _talk(self, line: socket.socket) -> None:
        with suppress(OSError), line, line.makefile("r") as words:
            for word in words:
                self._passing.wait()
                if self._over:
                    return
                time.sleep(self.delay)
                answer = self._obey(word.strip())
                if self._answering:
                    line.sendall(f"{answer}\n".encode())

    def _obey(self, word: str) -> str:
        with self._lock:
            self.log.append((time.monotonic(), word))
            if word in ("OPEN", "CLOSE"):
                self.closed = word == "CLOSE"
            return "CLOSED" if self.closed else "OPENED"

    def freeze(self) -> None:
        """Stand still; what was sent meanwhile is obeyed afterwards."""
        self._passing.clear()

    def thaw(self) -> None:
        self._passing.set()

    def swallow(self, on: bool) -> None:
        """Obey, but answer nothing."""
        self._answering = not on

    def go_away(self) -> None:
        """Close all lines and listen no longer."""
        # A blocked accept keeps a closed listener alive: wake it.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for line in self._lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        self._lines.clear()

    def come_back(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self._serve()

    def stop(self) -> None:
        self._over = True
        self.thaw()
        self.go_away()

    def words(self, word: str) -> int:
        return sum(seen == word for _, seen in self.log)

    def wait(self, closed: bool, seconds: float = 60.0) -> float:
        """Wait for a level; return how long it took."""
        begin = time.monotonic()
        while self.closed is not closed:
            assert time.monotonic() - begin < seconds, self.log[-20:]
            time.sleep(0.002)
        return time.monotonic() - begin


class TcpGate(Driver):
    """The driver."""

    def __init__(self, name: str, port: int, timeout: float = 0.5) -> None:
        super().__init__(name)
        self._port, self._timeout = port, timeout
        self._socket: socket.socket | None = None

    def _open(self) -> str:
        self._close()
        try:
            self._socket = socket.create_connection(("127.0.0.1", self._port), self._timeout)
        except OSError as error:
            raise LinkError(f"port {self._port} does not answer: {error}") from error
        self._ask("READ")
        return f"gate on port {self._port}"

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _ask(self, word: str) -> str:
        assert self._socket is not None
        try:
            self._socket.sendall(f"{word}\n".encode())
            answer = self._socket.recv(100).decode().strip()
        except OSError as error:
            raise LinkError(f"no answer to {word}: {error}") from error
        if answer not in ("CLOSED", "OPENED"):
            raise LinkError(f"{answer!r} answers {word}")
        return answer

    def set(self, closed: bool) -> None:
        with self._talking():
            self._ask("CLOSE" if closed else "OPEN")

    def read(self) -> bool:
        with self._talking():
            return self._ask("READ") == "CLOSED"
