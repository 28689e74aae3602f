"""How much memory a file may take: asked before anything of its size is allocated."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from pathlib import Path

from ..models.errors import FileError

__all__ = ["free_memory", "require_memory"]

_UNKNOWN = 1 << 31  # bytes that are taken for free where the system does not tell


def require_memory(path: Path, size: int, what: str = "its samples") -> None:
    """Refuse a file whose contents do not fit into memory.

    Parameters
    ----------
    path : Path
        For the message.
    size : int
        Bytes that are to be allocated; what a file claims may be any number.
    what : str
        What they are for.

    Raises
    ------
    FileError
        If fewer are free.
    """
    free = free_memory()
    if size > free:
        raise FileError(
            f"{path}: {what} need {size / 1e6:.0f} MB of memory, {free / 1e6:.0f} MB are free; use "
            "a shorter record or store it as a run file, which is read piece by piece"
        )


def free_memory() -> int:
    """Bytes that this process can still allocate without others being put on the disk."""
    if sys.platform == "win32":
        return _free_of_windows()
    found = [_available()]
    with contextlib.suppress(OSError, ValueError):  # a container may have less than the machine
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        used = int(Path("/sys/fs/cgroup/memory.current").read_text(encoding="ascii"))
        found.append(max(0, limit - used))
    return min(found)


def _available() -> int:
    """What the kernel calls available, caches that it would give up included."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    return _UNKNOWN


def _free_of_windows() -> int:
    """Physical memory that is available, as GlobalMemoryStatusEx says."""
    status = (ctypes.c_uint64 * 8)()
    ctypes.memmove(status, (ctypes.c_uint32 * 1)(ctypes.sizeof(status)), 4)
    kernel = getattr(ctypes, "windll", None)
    if kernel is None or not kernel.kernel32.GlobalMemoryStatusEx(ctypes.byref(status)):
        return _UNKNOWN
    return int(status[2])  # after length and load (4 bytes each), and the whole: ullAvailPhys
