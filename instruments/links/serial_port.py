"""Serial ports for one program only: found in use before they are opened, then closed to others.

On Windows the system itself opens a port for one program only. Elsewhere a port has an advisory
lock, which programs that know of it respect (pyserial's ``exclusive``), and an exclusive mode,
which the system enforces (but for root). Programs that use neither are seen in ``/proc`` on Linux.
"""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from pathlib import Path

from .base import LinkError

__all__ = ["SerialGuard", "serial_path"]

_PSEUDO = re.compile(r"/dev/pts/(\d+)")


def serial_path(address: str) -> str | None:
    """Return the serial port that an address names, links followed; None for other addresses.

    Parameters
    ----------
    address : str
        VISA resource name, such as ``ASRL3::INSTR``, ``ASRL/dev/ttyUSB0::INSTR``, ``COM3``.
    """
    found = re.fullmatch(r"(?:ASRL|(?=COM\d))(.+?)(?:::INSTR)?", address.strip(), re.IGNORECASE)
    if found is None:
        return None
    if "/" in found[1]:
        return os.path.realpath(found[1])
    return re.sub(r"^(?:COM)?(?=\d)", "COM", found[1].upper())


class SerialGuard:
    """Holds a serial port against other programs.

    Parameters
    ----------
    address : str
        As the user wrote it, for messages.
    port : str
        From :func:`serial_path`.

    Raises
    ------
    LinkError
        If another program has the port; names it where the system tells.
    """

    def __init__(self, address: str, port: str) -> None:
        self._handle: int | None = None
        self._pseudo = _PSEUDO.fullmatch(port) is not None
        if sys.platform == "win32" or not port.startswith("/"):
            return
        others = _holders(port)
        if others:
            raise _busy(address, others)
        import fcntl

        try:
            self._handle = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.release()
            raise _busy(address, []) from None
        except OSError as error:
            self.release()
            if error.errno == 16:  # EBUSY: opened exclusively by somebody else
                raise _busy(address, []) from None
            # What else is wrong with the port, whoever opens it tells better.

    def seal(self) -> None:
        """Set the exclusive mode: whoever opens the port from now on is refused.

        Not on a pseudo terminal: its server keeps it open, so the mode would outlive this process.
        """
        if self._handle is not None and not self._pseudo and sys.platform != "win32":
            import fcntl
            import termios

            with suppress(OSError):  # a port without it still has its lock
                fcntl.ioctl(self._handle, termios.TIOCEXCL)

    def release(self) -> None:
        """Let others in. Safe to call twice; never raises."""
        handle, self._handle = self._handle, None
        if handle is None or sys.platform == "win32":
            return
        import fcntl
        import termios

        with suppress(OSError):
            if not self._pseudo:
                fcntl.ioctl(handle, termios.TIOCNXCL)
        with suppress(OSError):
            os.close(handle)


def _busy(address: str, others: list[str]) -> LinkError:
    who = " and ".join(others) or "another program"
    return LinkError(
        f"{address} is used by {who}: end that program, or give another address; two programs on "
        "one port take each other's answers"
    )


def _holders(port: str) -> list[str]:
    """Other processes that have a terminal open, but for the one that serves a pseudo terminal."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == str(os.getpid()):
            continue
        with suppress(OSError):  # it has ended, or belongs to somebody else
            handles = {h.name: os.readlink(h) for h in (process / "fd").iterdir()}
            if port not in handles.values() or _serves(process, handles, port):
                continue
            name = (process / "comm").read_text(encoding="utf-8", errors="replace").strip()
            found.append(f"{name}, process {process.name}")
    return found


def _serves(process: Path, handles: dict[str, str], port: str) -> bool:
    """Whether a process has the other side of a pseudo terminal."""
    pseudo = _PSEUDO.fullmatch(port)
    if pseudo is None:
        return False
    masters = [h for h, target in handles.items() if target.endswith("/ptmx")]
    infos = ((process / "fdinfo" / h).read_text(encoding="ascii") for h in masters)
    return any(re.search(rf"^tty-index:\s*{pseudo[1]}$", info, re.MULTILINE) for info in infos)
