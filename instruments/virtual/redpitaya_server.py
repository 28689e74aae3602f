r"""SCPI server of the virtual Red Pitaya: buffers of 16384 samples of a digitizer, on TCP.

Answers the commands that the driver uses, with the syntax of Red Pitaya's published examples. Like
the board it samples while a buffer fills and not while one is handed over.
"""

from __future__ import annotations

import socketserver
import threading
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DeviceError
from ..digitizers.redpitaya import BUFFER
from ..protocols import DeviceState, Digitizer

__all__ = ["RedPitayaServer", "serve_redpitaya"]

_CLOCK = 125e6
_NO_ERROR = '0,"No error"'


class _Board:
    """State of the board."""

    def __init__(self, digitizer: Digitizer) -> None:
        self._digitizer = digitizer
        self._lock = threading.Lock()
        self._errors: list[str] = []
        self._decimation = 1
        self._index = 0
        self._began = 0.0
        self._volts: NDArray[np.float64] | None = None

    def answer(self, line: str) -> bytes | None:
        """Carry out a line; return what it asks for."""
        words = line.strip().upper().split(maxsplit=1)
        if not words:
            return None
        command, value = words[0], words[1] if len(words) > 1 else ""
        with self._lock:
            if command.startswith("ACQ:SOUR") and command.endswith(":DATA?"):
                return self._data(command)
            text = self._text(command, value)
        return None if text is None else f"{text}\r\n".encode("ascii")

    def _text(self, command: str, value: str) -> str | None:
        match command:
            case "*IDN?":
                return "REDPITAYA,INSTR2014,0,01-02 (virtual)"
            case "SYST:ERR:NEXT?":
                return self._errors.pop(0) if self._errors else _NO_ERROR
            case "ACQ:DEC":
                self._decimate(value)
            case "ACQ:DEC?":
                return str(self._decimation)
            case "ACQ:TRIG":
                self._fill()
            case "ACQ:TRIG:STAT?":
                return "TD" if self._volts is not None else "WAIT"
            case "ACQ:TRIG:FILL?":
                return "1" if self._volts is not None else "0"
            case "ACQ:START":
                self._volts = None
                if self._digitizer.state is DeviceState.READY:
                    self._digitizer.start()
                    self._index, self._began = 0, time.monotonic()
            case "ACQ:STOP" | "ACQ:RST":
                self._digitizer.stop()
            case "ACQ:DATA:FORMAT" | "ACQ:DATA:UNITS" | "ACQ:TRIG:DLY":
                pass
            case _ if command.startswith("ACQ:SOUR") and command.endswith(":GAIN"):
                pass
            case _:
                self._errors.append('-113,"Undefined header"')
        return None

    def _decimate(self, value: str) -> None:
        rate = self._digitizer.info.sample_rate
        if not value.isdigit() or abs(_CLOCK / max(1, int(value)) / rate - 1.0) > 1e-6:
            self._errors.append('-222,"Data out of range"')
            return
        self._decimation = int(value)

    def _fill(self) -> None:
        """Sample one buffer, after what passed while nobody looked."""
        info = self._digitizer.info
        if info.real_time:
            passed = int((time.monotonic() - self._began) * info.sample_rate) - self._index
            while passed > 0:
                passed -= self._read(min(passed, BUFFER))[0]
        _, counts = self._read(BUFFER)
        self._volts = counts * np.asarray(info.scale)

    def _read(self, rows: int) -> tuple[int, NDArray[Any]]:
        info = self._digitizer.info
        counts = np.empty((rows, len(info.channels)), dtype=info.dtype)
        result = self._digitizer.read_into(counts)
        self._index = result.first_sample + result.samples
        return max(1, result.samples), counts

    def _data(self, command: str) -> bytes:
        column = int(command.removeprefix("ACQ:SOUR").partition(":")[0]) - 1
        if self._volts is None or not 0 <= column < self._volts.shape[1]:
            self._errors.append('-224,"Illegal parameter value"')
            return b"ERR!\r\n"
        data = self._volts[:, column].astype(">f4").tobytes()
        size = str(len(data))
        return f"#{len(size)}{size}".encode("ascii") + data + b"\r\n"


class RedPitayaServer:
    """A running server; made by :func:`serve_redpitaya`. ``host`` and ``port`` say where."""

    def __init__(self, digitizer: Digitizer, host: str, port: int) -> None:
        board = _Board(digitizer)
        connections: set[Any] = set()

        class Handler(socketserver.StreamRequestHandler):
            """One client."""

            def handle(self) -> None:
                """Answer lines until the client leaves."""
                connections.add(self.connection)
                try:
                    for line in self.rfile:
                        answer = board.answer(line.decode("ascii", "replace"))
                        if answer is not None:
                            self.wfile.write(answer)
                except OSError:
                    return  # the client, or the server, is gone
                finally:
                    connections.discard(self.connection)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

        try:
            self._server = Server((host, port), Handler)
        except OSError as error:
            raise DeviceError(f"port {port} of {host} cannot be used: {error}") from error
        self._connections, self._digitizer = connections, digitizer
        self.host, self.port = host, int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="virtual Red Pitaya", daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Close all connections."""
        self._server.shutdown()
        for connection in list(self._connections):
            try:
                connection.shutdown(2)
            except OSError:
                continue  # it left by itself
        self._server.server_close()
        self._thread.join()
        self._digitizer.stop()

    def __enter__(self) -> RedPitayaServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve_redpitaya(
    digitizer: Digitizer, *, host: str = "127.0.0.1", port: int = 0
) -> RedPitayaServer:
    """Serve a digitizer as a Red Pitaya; it is connected here.

    Parameters
    ----------
    digitizer : Digitizer
        Its sample rate must be 125 MHz over a whole number.
    host, port : str, int
        Where to listen; port 0 takes a free one.

    Raises
    ------
    DeviceError
        If the port is taken.
    """
    digitizer.connect()
    return RedPitayaServer(digitizer, host, port)
