"""A text link through pyvisa: ``TCPIP…::SOCKET``, ``ASRL…::INSTR``, USB and GPIB addresses."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from ...models.ranges import require_range
from .base import LinkError

__all__ = ["VisaLink"]

_LONGEST = 65536  # an answer longer than this is no answer


class VisaLink:
    """A device on a VISA address; pyvisa is imported when the link is opened.

    Parameters
    ----------
    address : str
        VISA resource name, such as ``TCPIP0::192.168.0.5::5025::SOCKET`` or ``ASRL3::INSTR``.
    write_termination, read_termination : str
        Appended to what is written, expected at the end of what is read.
    timeout : float
        Longest wait of one call, s; 0.01 … 60.
    baud_rate : int
        For serial lines, with 8 data bits, no parity, 1 stop bit.
    backend : str
        pyvisa library: "@py" for pyvisa-py, "" for the installed vendor VISA.
    encoding : str
        Of the text.
    """

    def __init__(
        self,
        address: str,
        *,
        write_termination: str = "\n",
        read_termination: str = "\n",
        timeout: float = 2.0,
        baud_rate: int = 9600,
        backend: str = "@py",
        encoding: str = "ascii",
    ) -> None:
        self._address = address
        self._timeout = require_range("timeout", timeout, 0.01, 60.0, "s")
        self._baud_rate, self._backend = baud_rate, backend
        self._ends = (write_termination.encode(encoding), read_termination.encode(encoding))
        self._encoding = encoding
        self._manager: Any = None
        self._resource: Any = None

    @property
    def address(self) -> str:
        """VISA resource name."""
        return self._address

    def open(self) -> None:
        """Open the resource and throw away what waits in it."""
        try:
            import pyvisa
        except ImportError:
            raise LinkError(
                f"{self._address} needs pyvisa: install it with pip install optobind[visa]"
            ) from None
        self.close()
        with self._errors("cannot be opened"):
            self._manager = pyvisa.ResourceManager(self._backend)
            self._resource = self._manager.open_resource(
                self._address, open_timeout=int(1e3 * self._timeout)
            )
            self._resource.timeout = int(1e3 * self._timeout)
            self._resource.read_termination = None
            self._resource.write_termination = ""
            if self._address.upper().startswith("ASRL"):
                self._resource.baud_rate = self._baud_rate
        self.flush()

    def close(self) -> None:
        """Close the resource. Never raises."""
        for thing in (self._resource, self._manager):
            if thing is not None:
                with contextlib.suppress(Exception):
                    thing.close()
        self._resource = self._manager = None

    def write(self, text: str) -> None:
        """Send one line."""
        self.write_raw(text.encode(self._encoding) + self._ends[0])

    def write_raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        with self._errors("does not take commands"):
            self._require().write_raw(data)

    def read(self) -> str:
        """Receive one line without its terminator."""
        data = self.read_until(self._ends[1])
        try:
            return data[: len(data) - len(self._ends[1])].decode(self._encoding)
        except UnicodeDecodeError:
            raise LinkError(f"{self._address} sent bytes that are no text: {data[:40]!r}") from None

    def query(self, text: str) -> str:
        """Send one line and receive the answer."""
        self.write(text)
        return self.read()

    def read_until(self, mark: bytes, extra: int = 0) -> bytes:
        """Receive up to and including ``mark`` and ``extra`` bytes more."""
        resource, data = self._require(), bytearray()
        deadline = time.monotonic() + self._timeout
        left = -1
        with self._errors("did not answer in time"):
            while left != 0:
                if time.monotonic() > deadline or len(data) > _LONGEST:
                    raise LinkError(
                        f"{self._address} did not end its answer within {self._timeout:g} s: "
                        f"{bytes(data[:40])!r}"
                    )
                data += resource.read_bytes(1)
                if left > 0:
                    left -= 1
                elif data.endswith(mark):
                    left = extra
        return bytes(data)

    def flush(self) -> None:
        """Throw away what was received and not read."""
        resource = self._require()
        before = resource.timeout
        try:
            resource.timeout = 20
            with contextlib.suppress(Exception):
                for _ in range(_LONGEST):
                    resource.read_bytes(1)
        finally:
            resource.timeout = before

    def _require(self) -> Any:
        if self._resource is None:
            raise LinkError(f"{self._address} is not open: connect the device first")
        return self._resource

    @contextlib.contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Turn whatever pyvisa, its back ends and the system raise into LinkError."""
        try:
            yield
        except LinkError:
            raise
        except Exception as error:  # back ends raise VisaIOError, OSError, ValueError, …
            text = " ".join(str(error).split()) or type(error).__name__
            raise LinkError(
                f"{self._address} {what}: check address, cable and power ({text[:200]})"
            ) from error
