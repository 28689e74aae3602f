"""A shared-memory segment that its creator alone removes."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
import threading
import weakref
from multiprocessing import resource_tracker, shared_memory
from typing import Any

from ..models.errors import InputError
from .children import start_tracker

__all__ = ["SharedSegment", "free_shared_bytes"]

_register_lock = threading.Lock()
# Closed while arrays looked at them; unmapped at the next opportunity.
_lingering: list[shared_memory.SharedMemory] = []


def free_shared_bytes() -> int | None:
    """Bytes of shared memory that are free; None where the system sets no limit of its own."""
    if sys.platform != "linux":
        return None
    try:
        found = os.statvfs("/dev/shm")
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


class SharedSegment:
    """A block of memory that processes share by name.

    Whoever created it removes it, on ``close``, when it is collected, or at exit; when the creator
    is killed, Python's resource tracker does, and when that was killed, too, the next segment that
    is made on this computer. An attached process never removes it, whatever its end.

    Parameters
    ----------
    name : str, optional
        Segment to attach to; a new one is made when left out.
    size : int
        Bytes of a new segment.

    Raises
    ------
    InputError
        If there is no segment of that name, or not enough memory for a new one.
    """

    def __init__(self, name: str | None = None, size: int = 0) -> None:
        _sweep()
        try:
            if name is None:
                self._memory = _create(size)
            else:
                self._memory = _attach(name)
        except FileNotFoundError:
            raise InputError(f"shared memory {name} does not exist (any more)") from None
        except OSError as error:
            raise InputError(
                f"cannot share {size / 1e6:.1f} MB of memory: {error.strerror} (Docker gives 64 MB "
                "unless it is started with --shm-size)"
            ) from None
        self.name = self._memory.name
        owner = os.getpid() if name is None else 0
        self._finalizer = weakref.finalize(self, _release, self._memory, owner)

    @property
    def buffer(self) -> memoryview:
        """The bytes."""
        buffer = self._memory.buf
        assert buffer is not None
        return buffer

    def close(self) -> None:
        """Leave the segment and, if it was created here, remove it. May be called again.

        Arrays that still look at it stay valid; the memory goes when the last one does.
        """
        self._finalizer()


def _release(memory: shared_memory.SharedMemory, owner: int) -> None:
    """Unlink if this process is the owner, then unmap as soon as nobody looks."""
    if owner == os.getpid():
        with contextlib.suppress(FileNotFoundError):
            memory.unlink()
    try:
        memory.close()
    except BufferError:
        # The destructor must not try again: at exit it would print an error.
        memory.close = _nothing  # type: ignore[method-assign]
        _lingering.append(memory)


def _sweep() -> None:
    """Unmap what nobody looks at any more."""
    for memory in _lingering[:]:
        with contextlib.suppress(BufferError):
            shared_memory.SharedMemory.close(memory)
            _lingering.remove(memory)


def _nothing() -> None:
    """Stand in for a close that has nothing left to do."""


def _create(size: int) -> shared_memory.SharedMemory:
    """Make a segment whose pages exist: Linux kills the process that writes to a missing one."""
    start_tracker()
    _remove_orphans()
    memory = shared_memory.SharedMemory(_new_name(), create=True, size=size)
    descriptor = getattr(memory, "_fd", -1)
    if sys.platform == "linux" and descriptor >= 0:
        try:
            os.posix_fallocate(descriptor, 0, size)
        except OSError:
            memory.unlink()
            memory.close()
            raise
    return memory


def _namespace() -> int:
    """Which processes count their numbers together with us."""
    return os.stat("/proc/self/ns/pid").st_ino


def _new_name() -> str | None:
    """Name a segment by its owner where orphans can be found by it; None for one of Python's."""
    if sys.platform != "linux":
        return None
    with contextlib.suppress(OSError):
        return f"optobind-{_namespace()}-{os.getpid()}-{secrets.token_hex(6)}"
    return None


def _remove_orphans() -> None:
    """Remove what was left by owners that were killed together with their resource tracker."""
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError):
        here = _namespace()
        for name in os.listdir("/dev/shm"):
            found = re.fullmatch(r"optobind-(\d+)-(\d+)-[0-9a-f]+", name)
            if found is None or int(found[1]) != here:
                continue
            if not os.path.exists(f"/proc/{found[2]}"):
                with contextlib.suppress(OSError):
                    os.unlink(f"/dev/shm/{name}")


def _attach(name: str) -> shared_memory.SharedMemory:
    """Attach without telling the resource tracker, which would remove the segment at our exit."""
    if sys.version_info >= (3, 13):
        return shared_memory.SharedMemory(name=name, track=False)
    with _register_lock:
        register = resource_tracker.register

        def selective(registered: str, kind: str) -> None:
            if registered.lstrip("/") != name.lstrip("/"):
                register(registered, kind)

        patched: Any = resource_tracker
        patched.register = selective
        try:
            return shared_memory.SharedMemory(name=name)
        finally:
            patched.register = register
