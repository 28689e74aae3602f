"""How much may still be written to a file."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

if sys.platform != "win32":
    import resource

__all__ = ["free_bytes"]


def free_bytes(path: Path) -> int:
    """Bytes by which a file can grow: free on its disk and allowed to this process.

    Raises
    ------
    OSError
        If its directory cannot be looked at.
    """
    free = shutil.disk_usage(path.parent).free
    limit = _size_limit()
    if limit is None:
        return free
    return min(free, limit - (path.stat().st_size if path.exists() else 0))


def _size_limit() -> int | None:
    """Largest size of a file that the operating system allows this process; None for any."""
    if sys.platform == "win32":
        return None
    soft, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    return None if soft == resource.RLIM_INFINITY else soft
