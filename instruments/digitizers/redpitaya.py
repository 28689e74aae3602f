r"""Red Pitaya through its SCPI server: one buffer of 16384 samples after the other, with gaps.

The SCPI server cannot stream. The board fills a buffer after a software trigger, hands it over, and
samples nothing meanwhile: every buffer but the first begins with a gap. Its length is known from
the computer's clock only, to a millisecond or so: spectra within a buffer are exact, phases between
buffers are not. Good for line shapes and alignment; use another digitizer for reheating. The
board's streaming application sends without gaps, but its protocol is not documented as a format.

Commands end with ``\r\n``; samples come as a binary block of big-endian numbers. Checked against
Red Pitaya's published examples and exercised on a server of our own, not on a board.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_range
from ..capabilities import DigitizerCapabilities
from ..links.base import LinkError
from ..links.claim import Claim
from ..protocols import DigitizerInfo
from .buffered import BufferedDigitizer, RowQueue

__all__ = ["BUFFER", "RedPitayaDigitizer"]

BUFFER = 16384  # samples that the board holds of each input
_POLL = 0.001
_STAGES = (("ACQ:TRIG:STAT?", "TD"), ("ACQ:TRIG:FILL?", "1"))  # asked until so answered
_GAINS = {1.0: "LV", 20.0: "HV"}
_LONGEST_LINE = 4096


class _Link:
    """A TCP connection that reads lines and binary blocks, each within the timeout."""

    def __init__(self, host: str, port: int, timeout: float) -> None:
        self._where, self._timeout = f"{host}:{port}", timeout
        self._claim = Claim(f"TCPIP::{host}::{port}::SOCKET")
        try:
            self._socket = socket.create_connection((host, port), timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            self._claim.release()
            raise LinkError(
                f"no Red Pitaya answers at {self._where} ({error}): start its SCPI server in the "
                "web interface and check the address"
            ) from error
        self._left = b""

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.close()
        self._claim.release()

    def write(self, line: str) -> None:
        try:
            self._socket.sendall(f"{line}\r\n".encode("ascii"))
        except OSError as error:
            raise LinkError(f"{self._where} does not take commands: {error}") from error

    def _receive(self, deadline: float) -> None:
        try:
            self._socket.settimeout(max(1e-3, deadline - time.monotonic()))
            data = self._socket.recv(65536)
        except TimeoutError:
            raise LinkError(
                f"{self._where} did not answer within {self._timeout:g} s: check network and power"
            ) from None
        except OSError as error:
            raise LinkError(f"{self._where} is gone: {error}") from error
        if not data:
            raise LinkError(f"{self._where} closed the connection: restart its SCPI server")
        self._left += data

    def line(self) -> str:
        deadline = time.monotonic() + self._timeout
        while b"\n" not in self._left:
            if len(self._left) > _LONGEST_LINE:
                raise LinkError(f"{self._where} sent no line but {len(self._left)} bytes")
            self._receive(deadline)
        line, _, self._left = self._left.partition(b"\n")
        try:
            return line.decode("ascii").strip()
        except UnicodeDecodeError:
            raise LinkError(f"{self._where} sent garbage: {line[:40]!r}") from None

    def query(self, line: str) -> str:
        self.write(line)
        return self.line()

    def block(self, line: str, size: int) -> bytes:
        """Ask for a binary block ``#<digits><length><data>`` of exactly ``size`` bytes."""
        self.write(line)
        head = self._exactly(2)
        if head[:1] != b"#" or not head[1:].isdigit() or head == b"#0":
            raise LinkError(f"{line} was answered by {head!r}, not by a binary block")
        digits = self._exactly(int(head[1:]))
        if not digits.isdigit() or int(digits) != size:
            raise LinkError(f"{line} was answered by {digits!r} bytes, not {size}")
        data = self._exactly(size)
        if self._exactly(2) != b"\r\n":
            raise LinkError(f"the block of {line} does not end where it says")
        return data

    def _exactly(self, size: int) -> bytes:
        deadline = time.monotonic() + self._timeout
        while len(self._left) < size:
            self._receive(deadline)
        data, self._left = self._left[:size], self._left[size:]
        return data


class RedPitayaDigitizer(BufferedDigitizer):
    """Fast inputs of a Red Pitaya.

    Parameters
    ----------
    name : str
        Name in the rig.
    host : str
        Address of the board.
    port : int
        Of its SCPI server.
    channels : sequence of int
        Inputs, 1 … 4.
    sample_rate : float
        Hz; the clock over a whole number, 1 … 65536, see ``info`` for what it became.
    full_scale : {1.0, 20.0}
        Position of the jumpers, ±V.
    clock : float
        Sample clock of the model, Hz (125-14: 125e6, 122-16: 122.88e6).
    names : sequence of str or None
        Names of the columns.
    timeout : float
        Longest wait for an answer, s.
    """

    def __init__(
        self,
        name: str,
        *,
        host: str,
        port: int = 5000,
        channels: tuple[int, ...] | list[int] = (1, 2),
        sample_rate: float = 125e6 / 128.0,
        full_scale: float = 1.0,
        clock: float = 125e6,
        names: tuple[str, ...] | list[str] | None = None,
        timeout: float = 2.0,
    ) -> None:
        super().__init__(name, timeout)
        self._channels = tuple(int(require_range("channel", c, 1, 4)) for c in channels)
        if not self._channels or len(set(self._channels)) < len(self._channels):
            raise InputError(f"channels must be some different inputs, got {tuple(channels)}")
        self._names = tuple(names) if names is not None else tuple(f"in {c}" for c in channels)
        if len(self._names) != len(self._channels):
            raise InputError(f"names must hold {len(self._channels)}, got {len(self._names)}")
        if full_scale not in _GAINS:
            raise InputError(f"full_scale must be 1 or 20 V, got {full_scale!r} V")
        self._clock = require_range("clock", clock, 1e6, 1e9, "Hz")
        require_range("sample_rate", sample_rate, self._clock / 65536.0, self._clock, "Hz")
        self._decimation = max(1, round(self._clock / sample_rate))
        self._full, self._host, self._port = full_scale, host, port
        self._link: _Link | None = None
        self._began = 0.0
        self._filling: float | None = None  # since when the board fills its buffer
        self._stage = 0

    pauses = True
    """Nothing is sampled while a buffer is handed over: gaps are no failure."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """What its user should know."""
        return (
            f"{self._name}: after every {BUFFER} samples there is a gap, whose length is known "
            "from this computer's clock only (some ms): spectra within a buffer are exact, phases "
            "between buffers are not; use another digitizer for reheating",
        )

    def _open(self) -> str:
        self._link = _Link(self._host, self._port, self._timeout)
        identity = self._link.query("*IDN?")
        if "REDPITAYA" not in identity.upper().replace(" ", ""):
            raise LinkError(f"{self._host}:{self._port} is no Red Pitaya but {identity!r}")
        rate = self._clock / self._decimation
        self._capabilities = DigitizerCapabilities(
            channels=4,
            sample_rate_range=(self._clock / 65536.0, self._clock),
            full_scales=tuple(sorted(_GAINS)),
            bits=14,
        )
        self._info = DigitizerInfo(
            sample_rate=rate,
            channels=self._names,
            scale=(1.0,) * len(self._names),
            dtype="float32",
            mode="SIM" if "VIRTUAL" in identity.upper() else "LIVE",
        )
        return f"{identity} at {self._host}:{self._port}"

    def _close(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _require(self) -> _Link:
        if self._link is None:
            raise LinkError("the connection is closed: reconnect")
        return self._link

    def _begin(self) -> None:
        """Configure: calibrated volts in binary, all of the buffer after the trigger."""
        link = self._require()
        commands = [
            "ACQ:RST",
            "ACQ:DATA:FORMAT BIN",
            "ACQ:DATA:UNITS VOLTS",
            f"ACQ:DEC {self._decimation}",
            f"ACQ:TRIG:DLY {BUFFER // 2}",
            *(f"ACQ:SOUR{c}:GAIN {_GAINS[self._full]}" for c in self._channels),
        ]
        for command in commands:
            link.write(command)
            self._check(command)
        taken = link.query("ACQ:DEC?")
        if taken != str(self._decimation):
            raise DeviceError(f"the board took decimation {taken!r}, not {self._decimation}")
        self._began, self._filling = 0.0, None
        # The board itself is given until then to fill its buffer.
        self._piece = BUFFER / self.info.sample_rate + self._timeout

    def _check(self, command: str) -> None:
        """Read the error queue."""
        answer = self._require().query("SYST:ERR:NEXT?")
        code, _, text = answer.partition(",")
        if not code.lstrip("+-").isdigit():
            raise LinkError(f"the board answered {answer!r} when asked for errors")
        if int(code) != 0:
            raise DeviceError(f"error {code} after {command}: {text.strip()}")

    def _fetch(self, queue: RowQueue) -> None:
        """Have the board fill its buffer, ask once whether it has, and take it then."""
        link, info = self._require(), self.info
        if self._filling is None:
            link.write("ACQ:START")
            self._filling, self._stage = time.monotonic(), 0
            link.write("ACQ:TRIG NOW")
            self._began = self._began or self._filling
        while self._stage < len(_STAGES):
            question, wanted = _STAGES[self._stage]
            answer = link.query(question)
            if answer != wanted:
                self._require_filling(question, answer)
                time.sleep(_POLL)
                return
            self._stage += 1
        since, self._filling = self._filling, None
        first = max(queue.end, round((since - self._began) * info.sample_rate))
        queue.put(first, self._volts(link))

    def _require_filling(self, question: str, answer: str) -> None:
        """Raise if the board does something else than to fill its buffer."""
        assert self._filling is not None
        if answer not in ("WAIT", "0"):
            raise LinkError(f"{question} was answered by {answer!r}")
        longest = BUFFER / self.info.sample_rate + self._timeout
        if time.monotonic() > self._filling + longest:
            raise DeviceError("the buffer did not fill in time: restart it")

    def _volts(self, link: _Link) -> NDArray[Any]:
        """Take the buffers of all channels: big-endian 32-bit floats."""
        columns = [
            np.frombuffer(link.block(f"ACQ:SOUR{c}:DATA?", 4 * BUFFER), dtype=">f4")
            for c in self._channels
        ]
        volts = np.stack(columns, axis=1).astype(np.float32)
        if not np.isfinite(volts).all() or np.abs(volts).max() > 1.5 * self._full:
            raise LinkError("the board sent voltages beyond its range")
        self._saturated |= bool(np.abs(volts).max() >= 0.999 * self._full)
        return volts

    def _halt(self) -> None:
        if self._link is not None:
            with contextlib.suppress(DeviceError):  # stopping may be why we are here
                self._link.write("ACQ:STOP")
