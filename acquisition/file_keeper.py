"""Keeps a run file while it is written: on the disk, in its place, and whole.

What the recorder flushes lies with the operating system, which may keep it for half a minute: a
power cut would cost that. A thread has it written every half second; the recorder never waits for
it. A second thread, which no slow disk holds up, looks whether the file is still where it was made.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from ..models.errors import FileError
from .disk_space import free_bytes

__all__ = ["FileKeeper"]

_PERIOD = 0.5  # s
_LAST_SYNC = 10.0  # s for what a disk holds back when the file is closed
_SPARE_BYTES = 1 << 20
_COPY_BYTES = 16 << 20


class FileKeeper:
    """Watches one file and has it written to the disk, in threads of its own.

    Parameters
    ----------
    path : Path
        The file, just made.
    sync : callable, optional
        Writes a file descriptor's data to the disk; that of the operating system by default.
    period : float
        Pause between two looks, and between two writings, s.

    Attributes
    ----------
    trouble : str or None
        What somebody else, or the disk, did to the file; once it is set it stays.
    gone : bool
        Whether the file is no longer where it was made.
    """

    def __init__(
        self, path: Path, sync: Callable[[int], None] | None = None, *, period: float = _PERIOD
    ) -> None:
        self.path = path
        self.trouble: str | None = None
        self.gone = False
        self._sync = _to_disk if sync is None else sync
        self._period = period
        # Windows flushes only what may be written.
        mode = os.O_RDWR if sys.platform == "win32" else os.O_RDONLY
        self._file = os.open(path, mode | getattr(os, "O_BINARY", 0))
        self._length = 0
        self._over, self._closed, self._written = (threading.Event() for _ in range(3))
        self._threads = [
            threading.Thread(target=loop, name=name, daemon=True)
            for name, loop in {"file-sync": self._keep_syncing, "file-watch": self._watch}.items()
        ]
        for thread in self._threads:
            thread.start()

    def finish(self, timeout: float = _LAST_SYNC) -> bool:
        """After the file was closed: have the rest written and end; may be called again.

        Parameters
        ----------
        timeout : float
            Longest wait for the disk, s.

        Returns
        -------
        bool
            Whether the disk has confirmed everything.
        """
        self._over.set()
        self._closed.set()
        self._threads[1].join(timeout)
        self._written.wait(timeout)
        self._look()
        return self._written.is_set()

    def save(self) -> Path | None:
        """Bring a file that is gone to safety, after it was closed and before :meth:`release`.

        Returns
        -------
        Path or None
            Where it is now; None where it was only renamed and nobody knows to what.

        Raises
        ------
        FileError
            If it was removed and cannot be copied.
        """
        if os.fstat(self._file).st_nlink > 0:
            return _place_of(self._file)
        target = _free_name(self.path)
        size = os.fstat(self._file).st_size
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if free_bytes(target) < size + _SPARE_BYTES:
                raise FileError(f"it cannot be saved as {target}: the disk is full")
            with open(self._file, "rb", closefd=False) as source, target.open("xb") as copy:
                source.seek(0)
                shutil.copyfileobj(source, copy, _COPY_BYTES)
                copy.flush()
                os.fsync(copy.fileno())
        except OSError as error:
            raise FileError(f"it cannot be saved as {target}: {error.strerror}") from None
        return target

    def release(self) -> None:
        """Let the file go: what was removed and not saved is lost from then on."""
        if self._threads[0].is_alive():
            return  # the disk hangs with it
        with contextlib.suppress(OSError):
            os.close(self._file)

    # -- threads ------------------------------------------------------------------------------

    def _keep_syncing(self) -> None:
        """Write now and then; once more after the file was closed."""
        _sync_directory(self.path.parent)
        last = False
        while True:
            try:
                self._sync(self._file)
            except OSError as error:
                self._note(f"the disk could not keep {self.path}: {error.strerror or error}")
                return
            if last:
                self._written.set()
                return
            last = self._closed.wait(self._period)

    def _watch(self) -> None:
        while not self._over.wait(self._period):
            self._look()

    def _look(self) -> None:
        """Compare what lies at the path with what is being written."""
        try:
            own = os.fstat(self._file)
        except OSError:
            return  # released
        if own.st_size < self._length:
            self._note(f"{self.path} was cut to {own.st_size} bytes by somebody else")
        self._length = max(self._length, own.st_size)
        try:
            there = os.stat(self.path)
        except FileNotFoundError:
            what = "removed" if own.st_nlink == 0 else "renamed"
        except OSError:
            return  # a disk that does not answer: the recorder will say so
        else:
            if (there.st_ino, there.st_dev) == (own.st_ino, own.st_dev):
                return
            what = "replaced"
        self.gone = True
        self._note(f"{self.path} was {what} by somebody else while it was recorded")

    def _note(self, text: str) -> None:
        if self.trouble is None:
            self.trouble = text


def _to_disk(file: int) -> None:
    """Have a file's data written to the disk, past all caches."""
    getattr(os, "fdatasync", os.fsync)(file)


def _sync_directory(folder: Path) -> None:
    """Have the name of a new file written, too, where folders can be opened."""
    if sys.platform == "win32":
        return
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _place_of(file: int) -> Path | None:
    """Where an open file lies now, where the system tells."""
    with contextlib.suppress(OSError):
        place = Path(os.readlink(f"/proc/self/fd/{file}"))
        if os.path.samestat(place.stat(), os.fstat(file)):
            return place
    return None


def _free_name(path: Path) -> Path:
    """A name beside that of a file that is gone."""
    number, target = 1, path.with_name(f"{path.stem}_rescued{path.suffix}")
    while os.path.lexists(target):
        number += 1
        target = path.with_name(f"{path.stem}_rescued_{number}{path.suffix}")
    return target
