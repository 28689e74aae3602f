"""Writers that need a package of their own: netCDF, Zarr and Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ...models.errors import InputError
from ...models.json_values import json_text
from .decimate import SampleStream
from .tables import Column, Table

__all__ = ["NetcdfSink", "ParquetSink", "ZarrSink", "required"]

_CHUNK = 1 << 16


def required(module: str, extra: str) -> Any:
    """Import a package of an extra.

    Raises
    ------
    InputError
        If it is not installed; says how to get it.
    """
    try:
        return import_module(module)
    except ImportError:
        raise InputError(
            f"this format needs the package {module.partition('.')[0]}: "
            f"pip install 'optobind[{extra}]'"
        ) from None


class NetcdfSink:
    """One netCDF-4 file; samples along ``sample``, tables in groups of their own."""

    def __init__(self, path: Path) -> None:
        self._file = required("h5netcdf", "netcdf").File(path, "w")

    def samples(self, stream: SampleStream, names: tuple[str, ...], unit: str) -> None:
        """Write a variable for each channel and the coordinate ``time``."""
        file, rows = self._file, stream.rows
        file.dimensions = {"time": rows}
        chunks = (min(rows, _CHUNK),)
        made = {
            "time": ("f8", "s"),
            "sample": ("i8", ""),
            **{n: (stream.dtype, unit) for n in names},
        }
        for name, (dtype, its_unit) in made.items():
            data = file.create_variable(name, ("time",), dtype, chunks=chunks)
            if its_unit:
                data.attrs["units"] = its_unit
        at = 0
        for index, values in stream:
            here = slice(at, at + len(index))
            file["time"][here] = index / stream.record.sample_rate
            file["sample"][here] = index
            for j, name in enumerate(names):
                file[name][here] = values[:, j]
            at += len(index)

    def table(self, table: Table) -> None:
        """Write a group."""
        group = self._file.create_group(table.name)
        group.dimensions = {"row": table.rows}
        group.attrs["about"] = table.about
        for column in table.columns:
            self._column(group, column)

    def _column(self, group: Any, column: Column) -> None:
        """Write a column; texts as bytes of UTF-8 of one width."""
        if column.values.dtype == object:
            import h5py

            text = h5py.string_dtype()
            data = group.create_variable(column.name, ("row",), text, data=column.values)
        else:
            data = group.create_variable(column.name, ("row",), data=column.values)
        if column.unit:
            data.attrs["units"] = column.unit

    def close(self, about: Mapping[str, Any]) -> None:
        """Write attributes and finish."""
        for name, value in about.items():
            plain = isinstance(value, int | float | str)
            self._file.attrs[name] = value if plain else json_text(value)
        self._file.close()


class ZarrSink:
    """A Zarr store, version 2 of the format, which every reader knows; xarray opens it."""

    def __init__(self, path: Path) -> None:
        zarr = required("zarr", "zarr")
        self._root = zarr.open_group(str(path), mode="w", zarr_format=2)

    def _array(
        self, group: Any, name: str, shape: tuple[int, ...], dtype: Any, dims: list[str], unit: str
    ) -> Any:
        """Make an array with the attributes that xarray looks for."""
        chunks = (min(max(shape[0], 1), _CHUNK), *shape[1:])
        # Without a fill value: xarray takes that for "missing", and 0 is a sample.
        data = group.create_array(name, shape=shape, dtype=dtype, chunks=chunks, fill_value=None)
        data.attrs["_ARRAY_DIMENSIONS"] = dims
        if unit:
            data.attrs["units"] = unit
        return data

    def samples(self, stream: SampleStream, names: tuple[str, ...], unit: str) -> None:
        """Write an array for each channel and the coordinate ``time``."""
        root, shape = self._root, (stream.rows,)
        time = self._array(root, "time", shape, "f8", ["time"], "s")
        sample = self._array(root, "sample", shape, "i8", ["time"], "")
        made = [self._array(root, n, shape, stream.dtype, ["time"], unit) for n in names]
        at = 0
        for index, values in stream:
            here = slice(at, at + len(index))
            time[here], sample[here] = index / stream.record.sample_rate, index
            for j, data in enumerate(made):
                data[here] = np.ascontiguousarray(values[:, j])
            at += len(index)

    def table(self, table: Table) -> None:
        """Write a group."""
        group = self._root.create_group(table.name)
        group.attrs["about"] = table.about
        for column in table.columns:
            values = column.values
            if values.dtype == object:
                values = values.astype(str) if len(values) else np.zeros(0, "U1")
            data = self._array(group, column.name, values.shape, values.dtype, ["row"], column.unit)
            if len(values):
                data[:] = values

    def close(self, about: Mapping[str, Any]) -> None:
        """Write attributes, and all of them in one place, where xarray looks first."""
        self._root.attrs.update(about)
        required("zarr", "zarr").consolidate_metadata(self._root.store)


class ParquetSink:
    """A folder with a Parquet file for each table; units are metadata of the fields."""

    def __init__(self, path: Path) -> None:
        self._path, self._arrow = path, required("pyarrow", "parquet")
        self._parquet = required("pyarrow.parquet", "parquet")
        path.mkdir()

    def _field(self, name: str, kind: Any, unit: str) -> Any:
        """A field with its unit."""
        return self._arrow.field(name, kind, metadata={"unit": unit} if unit else None)

    def samples(self, stream: SampleStream, names: tuple[str, ...], unit: str) -> None:
        """Write ``samples.parquet``, a group of rows for each piece."""
        arrow = self._arrow
        kind = arrow.float32() if stream.dtype.itemsize == 4 else arrow.float64()
        fields = [
            self._field("sample", arrow.int64(), ""),
            self._field("time", arrow.float64(), "s"),
        ]
        schema = arrow.schema([*fields, *(self._field(name, kind, unit) for name in names)])
        schema = schema.with_metadata({"sample_rate": repr(stream.sample_rate)})
        with self._parquet.ParquetWriter(self._path / "samples.parquet", schema) as writer:
            for index, values in stream:
                times = index / stream.record.sample_rate
                columns = [index, times, *(np.ascontiguousarray(column) for column in values.T)]
                arrays = [arrow.array(column) for column in columns]
                writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))

    def table(self, table: Table) -> None:
        """Write ``NAME.parquet``."""
        arrow, arrays, fields = self._arrow, [], []
        for column in table.columns:
            texts = column.values.dtype == object
            array = arrow.array(column.values.tolist() if texts else column.values)
            array = array.cast(arrow.string()) if texts else array
            arrays.append(array)
            fields.append(self._field(column.name, array.type, column.unit))
        schema = arrow.schema(fields, metadata={"about": table.about})
        made = arrow.Table.from_arrays(arrays, schema=schema)
        self._parquet.write_table(made, self._path / f"{table.name}.parquet")

    def close(self, about: Mapping[str, Any]) -> None:
        """Write ``about.json``."""
        text = json_text(dict(about), indent=2) + "\n"
        (self._path / "about.json").write_text(text, encoding="utf-8")
