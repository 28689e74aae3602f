"""Writers of tables and streams of samples that need no package of their own: CSV, NPZ, MATLAB."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

import h5py
import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from ...models.json_values import json_text
from .decimate import SampleStream
from .tables import Table

__all__ = ["CsvSink", "MatlabSink", "NpzSink", "Sink", "named_columns"]


class Sink(Protocol):
    """Writes an export to a path that nobody reads before it is complete."""

    def samples(self, stream: SampleStream, names: tuple[str, ...], unit: str) -> None:
        """Write samples piece by piece."""
        ...

    def table(self, table: Table) -> None:
        """Write a table."""
        ...

    def close(self, about: Mapping[str, Any]) -> None:
        """Write what is known of the whole, and finish."""
        ...


def named_columns(table: Table) -> Iterator[tuple[str, NDArray[Any]]]:
    """Names with units, "value (Hz)", and values of a table."""
    for column in table.columns:
        yield f"{column.name} ({column.unit})" if column.unit else column.name, column.values


class CsvSink:
    """A folder with a file for each table; samples can be read back by ``optobind``."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.mkdir()

    def samples(self, stream: SampleStream, names: tuple[str, ...], unit: str) -> None:
        """Write ``samples.csv``: index of the sample, time from its zero, channels."""
        digits = 9 if stream.dtype.itemsize == 4 else 17
        head = ["sample", "time (s)", *(f"{name} ({unit})" for name in names)]
        with (self._path / "samples.csv").open("w", encoding="utf-8", newline="\n") as file:
            file.write(f"# sample_rate = {stream.sample_rate!r} Hz\n")
            csv.writer(file, lineterminator="\n").writerow(head)
            layout = "%d,%.15g" + f",%.{digits}g" * len(names) + "\n"
            for index, values in stream:
                times = (index / stream.record.sample_rate).tolist()
                rows = zip(index.tolist(), times, values.tolist(), strict=True)
                file.writelines(layout % (i, t, *row) for i, t, row in rows)

    def table(self, table: Table) -> None:
        """Write ``NAME.csv``."""
        named = dict(named_columns(table))
        with (self._path / f"{table.name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(named)
            writer.writerows(zip(*(values.tolist() for values in named.values()), strict=True))

    def close(self, about: Mapping[str, Any]) -> None:
        """Write ``about.json``."""
        text = json_text(dict(about), indent=2) + "\n"
        (self._path / "about.json").write_text(text, encoding="utf-8")


class NpzSink:
    """One NPZ file: ``samples``, ``sample_rate``, ``unit``, ``channels``, and ``TABLE_COLUMN``."""

    def __init__(self, path: Path) -> None:
        self._file = zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1)

    def samples(self, stream: SampleStream, names: tuple[str, ...], unit: str) -> None:
        """Write samples and their indices, each in one pass."""
        self._stream("samples", (stream.rows, len(names)), stream.dtype, (v for _, v in stream))
        self._stream("sample_index", (stream.rows,), np.dtype(np.int64), (i for i, _ in stream))
        self._array("sample_rate", np.array(stream.sample_rate))
        self._array("unit", np.array(unit))
        self._array("channels", np.array(names))

    def table(self, table: Table) -> None:
        """Write the columns of a table, units beside them."""
        for column in table.columns:
            values = column.values.astype(str) if column.values.dtype == object else column.values
            self._array(f"{table.name}_{column.name}", values)
        units = json_text({column.name: column.unit for column in table.columns})
        self._array(f"{table.name}_units", np.array(units))

    def close(self, about: Mapping[str, Any]) -> None:
        """Write ``about``, a JSON text."""
        self._array("about", np.array(json_text(dict(about))))
        self._file.close()

    def _array(self, name: str, values: NDArray[Any]) -> None:
        self._stream(name, values.shape, values.dtype, iter([values]))

    def _stream(
        self, name: str, shape: tuple[int, ...], dtype: np.dtype[Any], parts: Iterator[NDArray[Any]]
    ) -> None:
        """Write an array whose parts come one after the other."""
        head = {"descr": npy_format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        with self._file.open(f"{name}.npy", "w", force_zip64=True) as member:
            npy_format.write_array_header_2_0(member, head)
            for part in parts:
                member.write(np.ascontiguousarray(part, dtype).tobytes())


class MatlabSink:
    """One MATLAB 7.3 file: variables as in the NPZ file, tables as structs of columns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = h5py.File(path, "w", userblock_size=512)

    def samples(self, stream: SampleStream, names: tuple[str, ...], unit: str) -> None:
        """Write ``samples``, n × channels in MATLAB, and what belongs to them."""
        file, rows = self._file, stream.rows
        kind = b"single" if stream.dtype.itemsize == 4 else b"double"
        # MATLAB counts columns first: what it shows as n × c lies here as (c, n).
        chunks = (len(names), min(rows, 1 << 15))
        data = file.create_dataset("samples", (len(names), rows), stream.dtype, chunks=chunks)
        index = file.create_dataset("sample_index", (1, rows), "<i8")
        data.attrs["MATLAB_class"], index.attrs["MATLAB_class"] = (
            np.bytes_(kind),
            np.bytes_(b"int64"),
        )
        at = 0
        for where, values in stream:
            data[:, at : at + len(where)] = values.T
            index[0, at : at + len(where)] = where
            at += len(where)
        self._put(file, "sample_rate", np.array([stream.sample_rate]))
        self._put(file, "unit", np.array([unit], dtype=object))
        self._put(file, "channels", np.array(names, dtype=object))

    def table(self, table: Table) -> None:
        """Write a struct."""
        group = self._file.create_group(table.name)
        group.attrs["MATLAB_class"] = np.bytes_(b"struct")
        for column in table.columns:
            self._put(group, column.name, column.values)
        units = [column.unit for column in table.columns]
        self._put(group, "units", np.array(units, dtype=object))

    def close(self, about: Mapping[str, Any]) -> None:
        """Write ``about``, a JSON text, and the mark of MATLAB at the beginning."""
        self._put(self._file, "about", np.array([json_text(dict(about))], dtype=object))
        self._file.close()
        head = b"MATLAB 7.3 MAT-file, written by optobind".ljust(116) + b"\0" * 8
        with self._path.open("r+b") as file:
            file.write(head + b"\x00\x02IM")

    def _put(self, group: Any, name: str, values: NDArray[Any]) -> None:
        """Write a column; texts as rows of a char matrix, filled up with blanks."""
        if values.dtype == object:
            width = max([1, *(len(text) for text in values)])
            rows = [[ord(letter) & 0xFFFF for letter in text.ljust(width)] for text in values]
            codes = np.array(rows, np.uint16).reshape(len(values), width)
            data = group.create_dataset(name, data=codes.T)
            data.attrs["MATLAB_class"] = np.bytes_(b"char")
            data.attrs["MATLAB_int_decode"] = np.int32(2)
            return
        data = group.create_dataset(name, data=values.reshape(1, -1))
        kind = b"int64" if values.dtype.kind == "i" else b"double"
        data.attrs["MATLAB_class"] = np.bytes_(kind)
