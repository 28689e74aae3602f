"""One program at a time on one address: two on one line would take each other's answers.

A claim is a lock of the operating system on a file in a folder of the user's, so it is gone with
the process that made it, however that ends; the file tells who has it. Serial ports are locked
themselves as well, see :mod:`.serial_port`.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
import stat
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from .base import LinkError
from .serial_port import SerialGuard, serial_path

__all__ = ["Claim", "canonical", "lock", "runtime_folder"]

_HELD: set[str] = set()  # what this process has claimed, by canonical address
_HELD_LOCK = threading.Lock()
_FAR = 1 << 20  # the locked byte on Windows: what is locked there cannot be read
_ATTEMPTS = 20  # a file that its last holder removes between our opening and locking it


def runtime_folder() -> Path:
    """Folder of the locks of this user on this computer: the same for every program of his.

    Environment variables do not decide, nor whether somebody is logged in: a program started by
    cron or ssh has others. A home that several computers share has a folder for each.
    """
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or tempfile.gettempdir()
        return Path(base) / "optobind" / "locks"
    import pwd  # POSIX only

    user = pwd.getpwuid(os.getuid())
    home = Path(user.pw_dir)
    if os.access(home, os.W_OK):
        return home / ".cache" / "optobind" / f"locks-{socket.gethostname()}"
    return Path(tempfile.gettempdir()) / f"optobind-{user.pw_uid}"  # a service without a home


def canonical(address: str) -> str:
    """Return an address in the one form that all its spellings share.

    Links to a serial port are followed, names of hosts looked up, numbers of boards left out.
    """
    port = serial_path(address)
    if port is not None:
        return f"serial {port}"
    found = re.fullmatch(r"TCPIP\d*::([^:\[\]]+|\[[^\]]+\])::(.+)", address.strip(), re.IGNORECASE)
    if found is None:
        return address.strip().upper()
    host = found[1].strip("[]").lower()
    with suppress(OSError):  # a name that nobody knows is told by whoever connects to it
        host = str(sorted(socket.getaddrinfo(host, None))[0][4][0])
    end = found[2].upper().removesuffix("::SOCKET")
    return f"tcp {host} {end}"


class Claim:
    """The right to talk with a device, for as long as this process lives and does not release it.

    Parameters
    ----------
    address : str
        VISA resource name.

    Raises
    ------
    LinkError
        If somebody has it; says who, since when, and what to do.
    """

    def __init__(self, address: str) -> None:
        self._address, self._key = address, canonical(address)
        self._file: Any = None
        self._guard: SerialGuard | None = None
        with _HELD_LOCK:
            if self._key in _HELD:
                raise self._busy({"program": "this program", "pid": os.getpid()})
            _HELD.add(self._key)
        try:
            self._file = self._locked()
            port = serial_path(address)
            if port is not None:
                self._guard = SerialGuard(address, port)
        except BaseException:
            self.release()
            raise

    def seal(self) -> None:
        """Keep others out of a serial port, now that it is open."""
        if self._guard is not None:
            self._guard.seal()

    def release(self) -> None:
        """Give it back. Safe to call twice; never raises."""
        guard, self._guard = self._guard, None
        if guard is not None:
            guard.release()
        file, self._file = self._file, None
        if file is not None:
            with suppress(OSError):  # Windows removes no file that is open
                self._path.unlink()
            file.close()
        with _HELD_LOCK:
            _HELD.discard(self._key)

    @property
    def _path(self) -> Path:
        return runtime_folder() / f"{hashlib.sha256(self._key.encode()).hexdigest()[:24]}.lock"

    def _locked(self) -> Any:
        """Open the file, lock it and write into it who has it."""
        path = self._path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _require_own(path.parent)
            for _ in range(_ATTEMPTS):
                file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0)
                if not lock(file):
                    holder = _read(file)
                    file.close()
                    raise self._busy(holder)
                if _is_at(file, path):
                    break
                file.close()
        except OSError as error:
            raise LinkError(
                f"{self._address} cannot be claimed: no lock can be made in {path.parent} "
                f"({error.strerror}); make that folder writable for you alone"
            ) from error
        me = {"pid": os.getpid(), "program": _program(), "since": time.time()}
        file.truncate(0)
        file.seek(0)
        file.write(json.dumps(me).encode())
        return file

    def _busy(self, holder: dict[str, Any]) -> LinkError:
        """Return the error that says who has it."""
        program, pid, since = holder.get("program"), holder.get("pid"), holder.get("since")
        who = f"{program or 'another program'}" + (f", process {pid}" if pid else "")
        if isinstance(since, int | float):
            today = time.strftime("%x") == time.strftime("%x", time.localtime(since))
            who += time.strftime(", since %H:%M" if today else ", since %Y-%m-%d %H:%M",
                                 time.localtime(since))  # fmt: skip
        remedy = "end that program or disconnect the device there"
        if pid == os.getpid():
            remedy = "disconnect the other device of this address"
        return LinkError(f"{self._address} is used by {who}: {remedy}, or give another address")


def _require_own(folder: Path) -> None:
    """Refuse a folder that somebody else could have put there."""
    if sys.platform == "win32":
        return
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise PermissionError(1, "it belongs to somebody else", str(folder))


def lock(file: Any) -> bool:
    """Lock an open file for this process; False if another one has it.

    Record locks are not inherited by children: the death of this process alone frees them.
    """
    if sys.platform == "win32":
        import msvcrt

        file.seek(_FAR)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
    import fcntl

    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def _is_at(file: Any, path: Path) -> bool:
    """Whether the locked file is still the one that others find."""
    if sys.platform == "win32":
        return True
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    here = os.fstat(file.fileno())
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)


def _read(file: Any) -> dict[str, Any]:
    """Who has written into a lock; nothing if it is being written."""
    file.seek(0)
    try:
        found = json.loads(file.read(4096))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _program() -> str:
    """Name of this program as its user knows it: ``optobind run``, or its script."""
    name = Path(sys.argv[0] or "python").name
    if name in ("__main__.py", "optobind", "optobind.exe"):
        command = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
        return f"optobind {command}".strip()
    return name if name not in ("-c", "-m") else "a Python session"
