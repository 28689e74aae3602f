"""Serves an instrument's text protocol on a pseudo terminal, as a serial line. POSIX only."""

from __future__ import annotations

import os
import select
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Any

from ...models.errors import DeviceError
from .conversation import Instrument
from .text_server import make_instrument

__all__ = ["SerialServer", "serve_serial"]

_PATIENCE = 5.0


class SerialServer:
    """An instrument on a pseudo terminal.

    Parameters
    ----------
    instrument : Instrument
        What is served; the same one may be served over TCP as well.

    Raises
    ------
    DeviceError
        Where there are no pseudo terminals (Windows): serve over TCP there.
    """

    def __init__(self, instrument: Instrument) -> None:
        if sys.platform == "win32":
            raise DeviceError("there are no pseudo terminals on Windows: serve over TCP instead")
        import tty

        self._instrument = instrument
        self._master, self._slave = os.openpty()
        tty.setraw(self._master)
        tty.setraw(self._slave)
        self._port = os.ttyname(self._slave)
        self._wake, self._woken = os.pipe()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="serial server", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str:
        """Name of the terminal that a client opens."""
        return self._port

    @property
    def visa_address(self) -> str:
        """VISA resource name for the driver."""
        return f"ASRL{self._port}::INSTR"

    def stop(self) -> None:
        """Close the terminal. Safe to call twice."""
        if self._stopped:
            return
        self._stopped = True
        os.write(self._woken, b"x")
        self._thread.join(_PATIENCE)
        os.close(self._wake)
        os.close(self._woken)

    def __enter__(self) -> SerialServer:
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

    def _run(self) -> None:
        """Talk until told to stop, or until the instrument hangs up."""
        try:
            conversation = self._instrument.converse()
            os.write(self._master, conversation.greeting)
            while True:
                ready, _, _ = select.select([self._master, self._wake], [], [])
                if self._wake in ready:
                    return
                os.write(self._master, conversation.receive(os.read(self._master, 65536)))
        except OSError:  # ConnectionError is one: the instrument hung up
            return
        finally:
            for handle in (self._master, self._slave):
                with suppress(OSError):
                    os.close(handle)


def serve_serial(dialect: str | Instrument, device: Any = None, **options: Any) -> SerialServer:
    """Serve a device on a pseudo terminal; see :func:`~.text_server.serve_text`.

    Raises
    ------
    InputError
        For an unknown dialect or option.
    DeviceError
        On Windows.
    """
    instrument = (
        make_instrument(dialect, device, **options) if isinstance(dialect, str) else dialect
    )
    return SerialServer(instrument)
