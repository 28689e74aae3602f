"""NI's TDMS files, with the package npTDMS (``pip install 'optobind[tdms]'``)."""

from __future__ import annotations

import logging
import struct
from pathlib import Path
from typing import Any

import numpy as np

from ...models.errors import FileError
from ..records.record import Record
from .arrays import record_of_arrays
from .named_arrays import NamedArray
from .reading import Reading, shown_names

__all__ = ["load_tdms"]


def load_tdms(path: Path, reading: Reading) -> Record:
    """Read the channels of a TDMS file; rate and unit are their ``wf_increment``, ``unit_string``.

    Raises
    ------
    FileError
        If npTDMS is not installed, or the file cannot be read.
    """
    try:
        from nptdms import TdmsFile, log
    except ImportError:
        raise FileError(
            f"{path} is a TDMS file of National Instruments: install the package that reads it, "
            "pip install 'optobind[tdms]', or convert it with LabVIEW to CSV"
        ) from None
    log.log_manager.set_level(logging.CRITICAL)  # what cannot be read is said below, in one line
    try:
        file = TdmsFile.read(path)
        _check_whole(path, file)
        groups: dict[str, dict[str, Any]] = {"": dict(file.properties)}
        arrays = []
        for group in file.groups():
            name = group.name.replace("/", "_")
            groups[name] = dict(group.properties)
            for channel in group.channels():
                leaf = channel.name.replace("/", "_")
                values = np.asarray(channel[:])
                arrays.append(NamedArray.of(f"{name}/{leaf}", values, dict(channel.properties)))
    except FileError:
        raise
    except (
        OSError, ValueError, KeyError, IndexError, TypeError, EOFError, struct.error,
        OverflowError, NotImplementedError, MemoryError, AttributeError,
    ) as error:  # fmt: skip
        text = " ".join(str(error).split())[:120]
        raise FileError(f"{path} cannot be read as TDMS (truncated or damaged): {text}") from None
    if not arrays:
        raise FileError(f"{path} holds no channels: a TDMS file that is truncated or empty")
    return record_of_arrays("tdms", path, arrays, groups, reading)


def _check_whole(path: Path, file: Any) -> None:
    """Refuse a file whose writer was stopped in the middle of its last piece."""
    status = getattr(file, "file_status", None)  # of npTDMS 1.8 and later
    if status is None or not status.incomplete_final_segment:
        return
    cut = [
        f"{name} {one.read_length} of {one.expected_length}"
        for name, one in (status.channel_statuses or {}).items()
        if one.read_length < one.expected_length
    ]
    shown = f" ({shown_names(cut)})" if cut else ""
    raise FileError(
        f"{path} is truncated: its last piece lacks samples{shown}; open and save it in LabVIEW or "
        "DIAdem, which repair it"
    )
