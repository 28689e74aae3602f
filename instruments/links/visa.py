"""A text link through pyvisa: ``TCPIP…::SOCKET``, ``ASRL…::INSTR``, USB and GPIB addresses."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any, TypedDict

from ...models.errors import InputError
from ...models.ranges import require_range
from .base import LinkError, TextLink
from .claim import Claim

__all__ = ["LinkOptions", "VisaLink", "make_link"]

_LONGEST = 65536  # an answer longer than this is no answer
# Bytes asked for at once: one at a time costs 40 µs each, many would let a trickle of bytes outlast
# the timeout, which pyvisa-py looks at only when nothing arrives.
_CHUNK = 32
# Links are opened in several threads; two managers made at once would close each other's links.
_MANAGER = threading.Lock()
# RS-485 adapters and level shifters put such bytes before an answer, when the direction of the line
# turns; no device's answer begins with them.
_TURNAROUND = b"\x00\xff"
_QUIET = 20  # ms without a byte after which nothing waits any more
# The same for a serial line that has just been opened: unlike a socket it still carries what a
# device answers late to whoever asked before, and that would be read as the answer to us.
_SERIAL_QUIET = 250


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
        self._resource: Any = None
        self._claim: Claim | None = None
        self._stop_byte = b""

    @property
    def _serial(self) -> bool:
        return self._address.upper().startswith("ASRL")

    @property
    def address(self) -> str:
        """VISA resource name."""
        return self._address

    def open(self) -> None:
        """Open the resource, for this program only, and throw away what waits in it."""
        try:
            import pyvisa
        except ImportError:
            raise LinkError(
                f"{self._address} needs pyvisa: install it with pip install optobind[visa]"
            ) from None
        self.close()
        self._claim = Claim(self._address)
        try:
            with self._errors("cannot be opened"):
                # All links share the manager of their back end: closing it would close them all.
                with _MANAGER:
                    manager = pyvisa.ResourceManager(self._backend)
                self._resource = manager.open_resource(
                    self._address, open_timeout=int(1e3 * self._timeout)
                )
                self._resource.timeout = int(1e3 * self._timeout)
                self._resource.write_termination = ""
                if self._serial:
                    self._resource.baud_rate = self._baud_rate
                _send_at_once(self._resource)
                self._stop_at(b"\n")
            self._claim.seal()
            self._drain(_SERIAL_QUIET if self._serial else _QUIET)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the resource. Never raises."""
        if self._resource is not None:
            with contextlib.suppress(Exception):
                self._resource.close()
        self._resource, self._stop_byte = None, b""
        claim, self._claim = self._claim, None
        if claim is not None:
            claim.release()

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
        """Receive up to and including ``mark`` and ``extra`` bytes more; not what adapters add."""
        resource, data = self._require(), bytearray()
        deadline = time.monotonic() + self._timeout
        with self._errors("did not answer in time"):
            self._stop_at(mark[-1:])
            while not data.endswith(mark):
                if time.monotonic() > deadline or len(data) > _LONGEST:
                    raise LinkError(
                        f"{self._address} did not end its answer within {self._timeout:g} s: "
                        f"{bytes(data[:40])!r}"
                    )
                data += resource.read_bytes(_CHUNK, break_on_termchar=True)
            if extra:
                data += resource.read_bytes(extra)
        return bytes(data).lstrip(_TURNAROUND)

    def flush(self) -> None:
        """Throw away what was received and not read.

        Raises
        ------
        LinkError
            If the link is broken (pyvisa-py shows only now that a connection was refused), or if
            the device does not stop talking within the timeout.
        """
        self._drain(_QUIET)

    def _drain(self, quiet: int) -> None:
        """Throw away what comes until so many ms have passed without a byte."""
        from pyvisa.constants import StatusCode
        from pyvisa.errors import VisaIOError

        resource = self._require()
        deadline, before = time.monotonic() + self._timeout, resource.timeout
        with self._errors("is not there"):
            resource.timeout = quiet
            try:
                while time.monotonic() < deadline:
                    resource.read_bytes(1)
            except VisaIOError as error:
                if error.error_code == StatusCode.error_timeout:
                    return
                raise
            finally:
                resource.timeout = before
        raise LinkError(f"{self._address} does not stop talking: check what else uses it")

    def _stop_at(self, byte: bytes) -> None:
        """Let the back end end its reads at this byte."""
        if byte != self._stop_byte:
            self._require().read_termination = byte.decode("latin-1")
            self._stop_byte = byte

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


def _send_at_once(resource: Any) -> None:
    """Let a socket send small writes at once.

    Otherwise a second write waits for the receipt of the first, which the other end puts off by
    40 … 200 ms. Vendors' VISA do this by default; pyvisa-py 0.8 refuses the attribute that asks
    for it, so its socket is told directly.
    """
    session = getattr(resource.visalib, "sessions", {}).get(resource.session)
    interface = getattr(session, "interface", None)
    if isinstance(interface, socket.socket):
        interface.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class LinkOptions(TypedDict, total=False):
    """Options that every driver on a text link hands on to its base class."""

    timeout: float
    baud_rate: int | None
    backend: str
    link: TextLink | None


def make_link(
    name: str,
    address: str | None,
    link: TextLink | None,
    *,
    ends: tuple[str, str],
    timeout: float,
    baud_rate: int,
    backend: str,
) -> TextLink:
    """Return the link that a driver was given, or one to its address.

    Parameters
    ----------
    name : str
        Name of the device, for messages.
    address : str or None
        VISA resource name.
    link : TextLink or None
        Taken if there is one.
    ends : tuple of str
        Terminators of what is written and of what is read.
    timeout, baud_rate, backend
        As for :class:`VisaLink`.

    Raises
    ------
    InputError
        With neither an address nor a link.
    """
    if link is not None:
        return link
    if not address:
        raise InputError(
            f"{name} needs an address, such as TCPIP0::192.168.0.5::5025::SOCKET or ASRL3::INSTR"
        )
    return VisaLink(
        address,
        write_termination=ends[0],
        read_termination=ends[1],
        timeout=timeout,
        baud_rate=baud_rate,
        backend=backend,
    )
