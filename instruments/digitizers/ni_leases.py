"""What a process holds on a gRPC device server, written down where its successor finds it.

Such a server never clears the tasks of a client that is gone: their lines stay reserved until it
is restarted. A lease is a file with the names of a driver's tasks, locked by the operating system
for as long as the process lives. One that nobody locks was left by the dead, or by a driver whose
link was broken when it was disconnected; whoever uses the same card next clears what it names.
"""

from __future__ import annotations

import json
import os
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..links.claim import canonical, lock, runtime_folder

__all__ = ["TaskLease", "adopt", "clear_left"]

_GLANCE = 1.0  # s that somebody else may look at a file that is being made
_OLD = 30.0 * 86400.0  # s after which a lease that nobody has taken over is forgotten
_HELD: weakref.WeakValueDictionary[Path, TaskLease] = weakref.WeakValueDictionary()
_TAKEN: set[Path] = set()  # what the dead have left, and a thread of this process clears
_LOCK = threading.RLock()  # a file that is opened twice and closed once is locked no longer


@dataclass(frozen=True)
class _Written:
    """What a lease says: server, card, kind of driver, names of tasks."""

    server: str
    device: str
    kind: str
    names: tuple[str, ...]


class TaskLease:
    """The names of a driver's tasks on a server, for as long as this process lives.

    Parameters
    ----------
    address : str
        ``host:port`` of the server.
    device, kind : str
        Card and kind of driver: only those of the same card clear what is left.
    names : sequence of str
        All that the driver's tasks may be called there.

    Raises
    ------
    OSError
        If no file can be made.
    """

    def __init__(self, address: str, device: str, kind: str, names: Sequence[str]) -> None:
        self.written = _Written(_server(address), device.lower(), kind, tuple(names))
        folder = runtime_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path = folder / f"{uuid.uuid4().hex}.lease"
        with _LOCK:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            self._file: Any = os.fdopen(descriptor, "r+b", buffering=0)
            until = time.monotonic() + _GLANCE
            while not lock(self._file) and time.monotonic() < until:
                time.sleep(0.001)
            self._file.write(json.dumps(self.written.__dict__).encode())
            _HELD[self._path] = self

    def end(self, *, kept: bool) -> None:
        """Give it up; ``kept`` leaves it to a successor, with tasks that could not be cleared."""
        with _LOCK:
            if not kept:
                _remove(self._path, self._file)
            self._file.close()
            _HELD.pop(self._path, None)

    def __del__(self) -> None:
        """A driver that nobody has disconnected leaves its tasks to a successor."""
        with suppress(AttributeError):  # no file could be made
            self._file.close()


def adopt(lease: TaskLease) -> tuple[str, ...]:
    """Take over the names of a lease that a lost copy of its driver has left; asks no server.

    Returns
    -------
    tuple of str
        Names whose tasks may be on the server.
    """
    own, found = set(lease.written.names), set[str]()
    with _LOCK:
        dead, _ = _sorted()
        for path, (file, written) in dead.items():
            if own.issuperset(written.names):
                found |= set(written.names)
                _remove(path, file)
            file.close()
    return tuple(sorted(found))


def clear_left(lease: TaskLease, kinds: Collection[str], clear: Callable[[str], None]) -> int:
    """Clear the tasks of processes that are gone, on the server and card of a lease.

    Parameters
    ----------
    lease : TaskLease
        Of the driver that asks.
    kinds : collection of str
        Whose tasks are in its way.
    clear : callable
        Clears a task by its name. What it raises leaves the rest to the next.

    Returns
    -------
    int
        How many were cleared.
    """
    with _LOCK:  # not while the server is asked: it may be slow
        found, living = _sorted()
        dead = {}
        for path, (file, written) in found.items():
            if _same(written, lease.written, kinds):
                dead[path] = file, [name for name in written.names if name not in living]
                _TAKEN.add(path)
            else:
                file.close()
    count = 0
    try:
        for path, (file, names) in dead.items():
            for name in names:
                clear(name)
                count += 1
            _remove(path, file)
    finally:
        with _LOCK:
            for path, (file, _) in dead.items():
                file.close()
                _TAKEN.discard(path)
    return count


def _sorted() -> tuple[dict[Path, tuple[Any, _Written]], set[str]]:
    """Files that the dead have left, open and locked; and the names of the living."""
    dead: dict[Path, tuple[Any, _Written]] = {}
    living = {name for held in _HELD.values() for name in held.written.names}
    for path in runtime_folder().glob("*.lease"):
        if path in _HELD or path in _TAKEN:
            continue
        try:
            file = path.open("r+b", buffering=0)
        except OSError:  # its owner has just removed it
            continue
        free, written = lock(file), _read(file)
        if free and written is not None:
            dead[path] = file, written
            continue
        if written is not None:
            living |= set(written.names)
        elif free and time.time() - os.fstat(file.fileno()).st_mtime > _OLD:
            _remove(path, file)
        file.close()
    for path, (file, _) in list(dead.items()):
        if time.time() - os.fstat(file.fileno()).st_mtime > _OLD:
            _remove(path, file)
            file.close()
            del dead[path]
    return dead, living


def _remove(path: Path, file: Any) -> None:
    """Remove a file; Windows removes none that is open: it says nothing from now on."""
    with suppress(OSError):
        file.truncate(0)
        path.unlink()


def _same(left: _Written, own: _Written, kinds: Collection[str]) -> bool:
    return (left.server, left.device) == (own.server, own.device) and left.kind in kinds


def _read(file: Any) -> _Written | None:
    """What a lease says; None if it is being written or is none of ours."""
    try:
        file.seek(0)
        found = json.loads(file.read(65536))
        names = tuple(str(name) for name in found["names"])
        written = _Written(found["server"], found["device"], found["kind"], names)
    except (ValueError, TypeError, KeyError, OSError):
        return None
    return written if all(name.startswith("optobind-") for name in names) else None


def _server(address: str) -> str:
    host, _, port = address.rpartition(":")
    return canonical(f"TCPIP::{host}::{port}::SOCKET")
