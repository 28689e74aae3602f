"""Serves an instrument's text protocol over TCP, in a thread of its own.

>>> server = serve_text("keysight", rig.rf)
>>> server.visa_address
'TCPIP0::127.0.0.1::41873::SOCKET'
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

from ...models.errors import DeviceError, InputError
from .conversation import Instrument
from .gauge_servers import MksInstrument, PfeifferInstrument, XgsInstrument
from .rf_servers import AaInstrument, MoglabsInstrument, NovatechInstrument
from .scpi_servers import KeysightInstrument, RigolDG1000ZInstrument, RigolDG4000Instrument
from .siglent_server import SiglentInstrument

__all__ = ["DIALECTS", "TextServer", "make_instrument", "serve_text"]

DIALECTS: dict[str, Callable[..., Instrument]] = {
    "keysight": KeysightInstrument,
    "rigol-dg1000z": RigolDG1000ZInstrument,
    "rigol-dg4000": RigolDG4000Instrument,
    "siglent": SiglentInstrument,
    "moglabs": MoglabsInstrument,
    "novatech-409b": NovatechInstrument,
    "aa-mdsnc": AaInstrument,
    "pfeiffer-tpg": PfeifferInstrument,
    "mks-937b": MksInstrument,
    "agilent-xgs600": XgsInstrument,
}
"""Instruments by the name of the driver that talks to them."""

_PATIENCE = 5.0  # s for the thread to start or to end


def make_instrument(dialect: str, device: Any, **options: Any) -> Instrument:
    """Make an instrument that speaks a dialect in front of a device.

    Parameters
    ----------
    dialect : str
        Name of a driver of the catalogue, a key of :data:`DIALECTS`.
    device : RFSource or Gauge
        What acts; connected if it is not.
    **options
        Of the instrument, such as ``model``.

    Raises
    ------
    InputError
        For an unknown dialect or option.
    """
    if dialect not in DIALECTS:
        raise InputError(f"unknown dialect {dialect!r}; known: {', '.join(sorted(DIALECTS))}")
    try:
        return DIALECTS[dialect](device, **options)
    except TypeError as error:
        raise InputError(f"instrument {dialect!r}: {error}") from None


class TextServer:
    """An instrument on a TCP port; any number of clients share its state.

    Parameters
    ----------
    instrument : Instrument
        What is served.
    host : str
        Address to listen on.
    port : int
        Port; 0 for any that is free.

    Raises
    ------
    DeviceError
        If the port cannot be had.
    """

    def __init__(self, instrument: Instrument, host: str = "127.0.0.1", port: int = 0) -> None:
        self._instrument = instrument
        self._address = (host, port)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over = asyncio.Event()
        self._failure: OSError | None = None
        self._clients: set[asyncio.Task[None]] = set()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._main(ready)), name="text server", daemon=True
        )
        self._thread.start()
        if not ready.wait(_PATIENCE) or self._failure is not None:
            raise DeviceError(
                f"cannot listen on {host}:{port}: {self._failure or 'no answer'}; "
                "choose another port, or 0 for any that is free"
            )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        return self._address

    @property
    def visa_address(self) -> str:
        """VISA resource name for the driver."""
        return f"TCPIP0::{self._address[0]}::{self._address[1]}::SOCKET"

    def stop(self) -> None:
        """Close all connections and the port. Safe to call twice."""
        if self._loop is not None and self._thread.is_alive():
            with suppress(RuntimeError):  # the loop has just ended by itself
                self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_PATIENCE)

    def __enter__(self) -> TextServer:
        """Serve within a block."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    async def _main(self, ready: threading.Event) -> None:
        """Listen until told to stop."""
        self._loop = asyncio.get_running_loop()
        try:
            server = await asyncio.start_server(self._serve, *self._address)
        except OSError as error:
            self._failure = error
            ready.set()
            return
        host, port = server.sockets[0].getsockname()[:2]
        self._address = (str(host), int(port))
        ready.set()
        await self._over.wait()
        server.close()
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)
        await server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk with one client until it goes."""
        task = asyncio.current_task()
        assert task is not None
        self._clients.add(task)
        try:
            conversation = self._instrument.converse()
            writer.write(conversation.greeting)
            while data := await reader.read(65536):
                writer.write(conversation.receive(data))
                await writer.drain()
        except (ConnectionError, asyncio.CancelledError):
            pass  # the client went, the instrument hung up, or the server stops
        finally:
            self._clients.discard(task)
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


def serve_text(
    dialect: str | Instrument,
    device: Any = None,
    host: str = "127.0.0.1",
    port: int = 0,
    **options: Any,
) -> TextServer:
    """Serve a device over TCP.

    Parameters
    ----------
    dialect : str or Instrument
        A key of :data:`DIALECTS`, or an instrument that is made already.
    device : RFSource or Gauge
        What acts; not for an instrument.
    host, port
        Where to listen; port 0 for any that is free.
    **options
        Of the instrument, such as ``model``.

    Raises
    ------
    InputError
        For an unknown dialect or option.
    DeviceError
        If the port cannot be had.
    """
    instrument = (
        make_instrument(dialect, device, **options) if isinstance(dialect, str) else dialect
    )
    return TextServer(instrument, host, port)
