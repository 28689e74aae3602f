"""Run files of HDF5 that may be damaged while they are used: none is waited for without end."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import h5py
from h5py._objects import phil

from ..models.errors import FileError

__all__ = ["left_open", "open_swmr", "write_swmr"]

# HDF5 reads metadata of a wrong checksum again, in case the writer was at it, and doubles the pause
# from 1 ns each time. Its 100 attempts outlast the user; thirty end after a second.
_ATTEMPTS = 30
# Nobody else writes to a writer's file: what it reads back wrong has been damaged.
_ATTEMPTS_OF_WRITER = 2


def write_swmr(path: Path) -> h5py.File:
    """Open a file, whose datasets exist, to append in SWMR mode.

    Damage by others then fails: a file that is switched to this mode while it is open would read
    100 times what it finds damaged, and hang.

    Raises
    ------
    OSError
        If it cannot be opened.
    """
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_V110, h5py.h5f.LIBVER_V110)
    _limit_attempts(access, _ATTEMPTS_OF_WRITER)
    flags = h5py.h5f.ACC_RDWR | h5py.h5f.ACC_SWMR_WRITE
    return h5py.File(h5py.h5f.open(os.fsencode(path), flags, access))


def open_swmr(path: Path) -> h5py.File:
    """Open a file for reading in SWMR mode; the writer holds no lock that readers must respect.

    Raises
    ------
    OSError
        If it cannot be opened, among others for damaged metadata.
    """
    access = h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    access.set_libver_bounds(h5py.h5f.LIBVER_EARLIEST, h5py.h5f.LIBVER_LATEST)
    access.set_file_locking(False, True)
    _limit_attempts(access, _ATTEMPTS)
    flags = h5py.h5f.ACC_RDONLY | h5py.h5f.ACC_SWMR_READ
    return h5py.File(h5py.h5f.open(os.fsencode(path), flags, access))


def left_open(path: Path) -> bool:
    """Whether a writer has the file open or was killed: then it opens in SWMR mode only.

    That mode is not used without need: it waits for minutes on a truncated file.

    Raises
    ------
    FileError
        If the file is shorter than it says.
    """
    with path.open("rb") as file:
        head = file.read(48)
    # Superblock of version 2 or 3: flags at byte 11, end of the file at byte 28.
    if len(head) < 48 or head[8] not in (2, 3):
        return False
    stored_end = int.from_bytes(head[28:36], "little")
    if path.stat().st_size < stored_end:
        raise FileError(f"{path} is truncated: {path.stat().st_size} of {stored_end} bytes")
    return head[8] == 3 and head[11] != 0


def _limit_attempts(access: h5py.h5p.PropFAID, attempts: int) -> None:
    """Set what h5py has no call for; where its library cannot be reached, HDF5's default stays."""
    try:
        library = ctypes.CDLL(h5py.h5p.__file__)  # its symbols include those of HDF5
        call = library.H5Pset_metadata_read_attempts
    except (OSError, AttributeError):
        return
    call.argtypes, call.restype = [ctypes.c_int64, ctypes.c_uint], ctypes.c_int
    with phil:  # HDF5 takes one call at a time
        call(access.id, attempts)
