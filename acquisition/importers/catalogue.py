"""Who reads which format: the shipped importers, and those that other packages announce.

A package announces an importer with an entry point in the group ``optobind.importers``, a function
``load(path, head, reading) -> Record | None``: ``head`` are the first bytes of the file, None says
that it is another's. Importers of packages are asked before the shipped ones; run files are never
offered to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module, metadata
from pathlib import Path

from ...models.errors import FileError, OptobindError
from ..records.record import Record
from .reading import Reading

__all__ = ["HDF5", "import_file"]

HDF5 = b"\x89HDF\r\n\x1a\n"
_GROUP = "optobind.importers"
_MATLAB = (b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file")
_LONGEST_PREAMBLE = 72

# Formats that begin in a way of their own: name of the module, function, and the test.
_SHIPPED: tuple[tuple[str, str, Callable[[bytes, str], bool]], ...] = (
    (".npz", "load_npz", lambda head, ext: head.startswith(b"PK\x03\x04") or ext == ".npz"),
    (".npz", "load_npy", lambda head, ext: head.startswith(b"\x93NUMPY") or ext == ".npy"),
    (".matlab", "load_matlab", lambda head, ext: head.startswith(_MATLAB) or ext == ".mat"),
    (".hdf5", "load_hdf5", lambda head, ext: head.startswith(HDF5) or ext in (".h5", ".hdf5")),
    (".wav", "load_wav", lambda head, ext: _is_wave(head) or ext == ".wav"),
    (".tdms", "load_tdms", lambda head, ext: head.startswith(b"TDSm") or ext == ".tdms"),
    (".lecroy", "load_lecroy", lambda head, ext: _is_lecroy(head) or ext in (".trc", ".raw")),
    (".csv", "load_csv", lambda head, ext: True),
)


def import_file(path: Path, head: bytes, reading: Reading) -> Record:
    """Read a foreign file with the importer that knows it.

    Parameters
    ----------
    path : Path
        The file.
    head : bytes
        Its first bytes, 512 at least if it has so many.
    reading : Reading
        What the user says of it.

    Raises
    ------
    FileError
        If it cannot be read.
    InputError
        If the user names arrays or columns that are not there.
    """
    record, said = _announced(path, head, reading)
    if record is None:
        extension = path.suffix.lower()
        module, name, _ = next(entry for entry in _SHIPPED if entry[2](head, extension))
        record = getattr(import_module(module, __package__), name)(path, reading)
    return replace(record, warnings=(*record.warnings, *said)) if said else record


def _announced(path: Path, head: bytes, reading: Reading) -> tuple[Record | None, list[str]]:
    """What an importer of another package makes of a file, and what is said of broken ones."""
    said = []
    for entry in metadata.entry_points(group=_GROUP):
        try:
            load = entry.load()
        except Exception as error:  # a plugin may fail in any way
            said.append(f"importer {entry.name!r} cannot be loaded: {error}")
            continue
        try:
            record = load(path, head, reading)
        except OptobindError:
            raise
        except Exception as error:
            raise FileError(
                f"{path} cannot be read: importer {entry.name!r} failed, "
                f"{type(error).__name__}: {error}"
            ) from error
        if record is not None and not isinstance(record, Record):
            raise FileError(
                f"{path} cannot be read: importer {entry.name!r} returned "
                f"{type(record).__name__}, not a Record"
            )
        if record is not None:
            return record, said
    return None, said


def _is_wave(head: bytes) -> bool:
    """Whether the first bytes are those of a WAV file."""
    return head[:4] in (b"RIFF", b"RIFX", b"RF64") and head[8:12] == b"WAVE"


def _is_lecroy(head: bytes) -> bool:
    """Whether a LeCroy waveform begins within the first bytes, behind a command's answer."""
    return b"WAVEDESC" in head[:_LONGEST_PREAMBLE]
