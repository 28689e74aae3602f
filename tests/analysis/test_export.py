"""Records leave in the formats of other programs: whole or not at all, with units and names."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import optobind as ob
from optobind.analysis.export import extra_sinks, writing
from optobind.analysis.export.decimate import SampleStream
from optobind.cli.app import invoke
from optobind.models.errors import FileError, InputError

from .bad_data import Line

RATE = 1e6


@pytest.fixture
def stored(tmp_path):
    """Two tones, at 5 and 210 kHz, and noise, 30 000 samples in metres."""
    t = np.arange(30_000) / RATE
    low, high = np.cos(2 * np.pi * 5e3 * t), np.cos(2 * np.pi * 210e3 * t)
    samples = np.stack([low + high, 0.5 * low], axis=1)
    path = tmp_path / "run.npz"
    np.savez(path, samples=samples, sample_rate=RATE, unit="m", channels=["left", "right"])
    return path


def everything(path):
    return sorted(p.name for p in path.parent.iterdir() if p.name != path.name)


@pytest.mark.parametrize("kind", ["npz", "mat", "csv"])
def test_samples_come_back_as_they_went(stored, tmp_path, kind):
    record = ob.open_record(stored)
    made = ob.export(record, tmp_path / f"out.{kind}", start=5e-3, stop=12e-3)
    again = ob.open_record(made / "samples.csv" if kind == "csv" else made)
    assert again.sample_rate == RATE
    assert again.unit == "m"
    assert again.names == ("left", "right")
    np.testing.assert_allclose(again.samples, record.read(5000, 12000), rtol=0, atol=1e-15)


def test_decimation_lets_no_alias_pass_and_keeps_the_band(stored, tmp_path):
    record = ob.open_record(stored)
    stream = SampleStream(record, (0, 1), factor=8)
    index = np.concatenate([where for where, _ in stream])
    values = np.concatenate([piece for _, piece in stream])
    assert len(index) == stream.rows
    assert set(np.diff(index)) == {8}
    # 210 kHz would come back at 40 kHz: what is left is the tone of 5 kHz, with its phase.
    truth = np.cos(2 * np.pi * 5e3 * index / RATE)
    assert np.abs(values[:, 0] - truth).max() < 5e-4
    assert np.abs(values[:, 1] - 0.5 * truth).max() < 5e-4
    assert "low-pass" in stream.filter_text
    made = ob.export(record, tmp_path / "d.npz", decimate=8)
    assert ob.open_record(made).sample_rate == RATE / 8
    with np.load(made) as file:
        about = json.loads(str(file["about"]))
    assert about["decimation"] == 8
    assert "anti" not in about["filter"]
    assert "Hz" in about["filter"]


def test_pieces_of_a_long_stretch_join_without_a_seam(stored, monkeypatch):
    from optobind.analysis.export import decimate

    record = ob.open_record(stored)
    whole = np.concatenate([v for _, v in SampleStream(record, (0,), factor=5)])
    monkeypatch.setattr(decimate, "_ROWS", 700)
    parts = list(SampleStream(record, (0,), factor=5))
    assert len(parts) > 20
    np.testing.assert_allclose(np.concatenate([v for _, v in parts]), whole, atol=1e-12)


def test_nothing_is_left_of_an_export_that_fails(stored, tmp_path, monkeypatch):
    record = ob.open_record(stored)

    def full(self, about):
        raise OSError(28, "No space left on device")

    for kind, sink in (("npz", "NpzSink"), ("csv", "CsvSink")):
        monkeypatch.setattr(getattr(writing, sink), "close", full)
        with pytest.raises(FileError, match="No space left"):
            ob.export(record, tmp_path / f"out.{kind}")
    assert everything(stored) == []


def test_what_the_disk_cannot_hold_is_refused_before_a_byte_is_written(
    stored, tmp_path, monkeypatch
):
    monkeypatch.setattr(writing, "free_bytes", lambda path: 1000)
    monkeypatch.setattr(writing, "_write", lambda *a: pytest.fail("written"))
    with pytest.raises(FileError, match=r"needs about .* MB, the disk has"):
        ob.export(ob.open_record(stored), tmp_path / "out.mat")


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"format": "xls"}, InputError, "known: csv, npz, mat, nc, zarr, parquet"),
        ({"what": ["sample"]}, InputError, "cannot be exported; known: samples"),
        ({"what": ["events"]}, InputError, "only run files do"),
        ({"start": 1.0}, InputError, "between 1 s and 0.03 s .*holds 0 … 0.03 s"),
        ({"decimate": 0}, InputError, "decimation must lie in 1"),
        ({"decimate": 5000}, InputError, "no samples to export"),
        ({"channels": [3]}, InputError, "channel 3 does not exist"),
    ],
)
def test_nonsense_is_refused(stored, tmp_path, change, error, message):
    with pytest.raises(error, match=message):
        ob.export(ob.open_record(stored), tmp_path / "out.npz", **change)
    assert everything(stored) == []


def test_what_exists_is_never_overwritten(stored, tmp_path):
    (tmp_path / "out.npz").write_text("mine")
    with pytest.raises(FileError, match="exists: remove it"):
        ob.export(ob.open_record(stored), tmp_path / "out.npz")
    assert (tmp_path / "out.npz").read_text() == "mine"


@pytest.mark.parametrize(
    ("kind", "extra", "module"),
    [("nc", "netcdf", "h5netcdf"), ("zarr", "zarr", "zarr"), ("parquet", "parquet", "pyarrow")],
)
def test_a_missing_package_is_named_with_its_remedy(
    stored, tmp_path, monkeypatch, kind, extra, module
):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(extra_sinks, "import_module", missing)
    with pytest.raises(InputError, match=rf"needs the package {module}.*optobind\[{extra}\]"):
        ob.export(ob.open_record(stored), tmp_path / f"out.{kind}")
    assert everything(stored) == []


@pytest.mark.parametrize(
    ("kind", "module"), [("nc", "h5netcdf"), ("zarr", "zarr"), ("parquet", "pyarrow")]
)
def test_formats_of_extras_hold_the_samples(stored, tmp_path, kind, module):
    pytest.importorskip(module)
    record = ob.open_record(stored)
    made = ob.export(record, tmp_path / f"out.{kind}", stop=1e-2)
    wanted = record.read(0, 10_000)
    if kind == "nc":
        import h5netcdf

        with h5netcdf.File(made) as file:
            found = np.stack([file["left"][:], file["right"][:]], axis=1)
            assert file["left"].attrs["units"] == "m"
            assert file["time"].attrs["units"] == "s"
    elif kind == "zarr":
        import zarr

        root = zarr.open_group(str(made), mode="r")
        found = np.stack([root["left"][:], root["right"][:]], axis=1)
        assert root["left"].attrs["units"] == "m"
    else:
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(made / "samples.parquet")
        found = np.stack([table["left"].to_numpy(), table["right"].to_numpy()], axis=1)
        assert table.schema.field("left").metadata == {b"unit": b"m"}
    np.testing.assert_allclose(found, wanted, atol=1e-15)


def test_the_command_says_what_it_made_and_spectra_have_units(tmp_path, capsys):
    rng = np.random.default_rng(0)
    line = Line(60e3, 1.5e3, 0.05, 1 << 15)
    path = tmp_path / "a.npz"
    np.savez(path, samples=line.record(rng)[:, None], sample_rate=500e3)
    out = tmp_path / "o.csv"
    arguments = ["export", str(path), "--to", "csv", "--what", "spectra,fits", "--out", str(out)]
    assert invoke(arguments) == 0
    assert "exported to" in capsys.readouterr().out
    with (out / "spectra.csv").open(encoding="utf-8") as file:
        head = next(csv.reader(file))
    assert head == ["frequency (Hz)", "S_11 (V^2/Hz)"]
    with (out / "fits.csv").open(encoding="utf-8") as file:
        fits = {row["parameter"]: row for row in csv.DictReader(file)}
    omega = fits["omega"]
    assert omega["unit"] == "rad/s"
    assert float(omega["value"]) == pytest.approx(2 * np.pi * 60e3, rel=0.01)
    assert 0.0 < float(omega["stderr"]) < 1e3
    with pytest.raises(InputError, match="--to must be one of"):
        invoke(["export", str(path), "--to", "xls"])


@pytest.mark.parametrize("kind", ["zarr", "nc"])
def test_zero_is_a_sample_to_xarray_and_no_missing_value(tmp_path, kind):
    xarray = pytest.importorskip("xarray")
    pytest.importorskip({"zarr": "zarr", "nc": "h5netcdf"}[kind])
    samples = np.random.default_rng(2).integers(-2, 3, (500, 1)).astype(np.float64)
    np.savez(tmp_path / "a.npz", samples=samples, sample_rate=RATE, unit="m", channels=["left"])
    made = ob.export(ob.open_record(tmp_path / "a.npz"), tmp_path / f"out.{kind}")
    engine = {"engine": "h5netcdf"} if kind == "nc" else {"engine": "zarr"}
    with xarray.open_dataset(made, **engine) as found:  # warnings are errors
        np.testing.assert_array_equal(found["left"].values, samples[:, 0])
        np.testing.assert_array_equal(found["sample"].values, np.arange(500))
        assert float(found["time"][0]) == 0.0


def test_file_of_matlab_needs_no_name_of_its_own(stored, tmp_path):
    made = ob.export(ob.open_record(stored), tmp_path / "out", format="mat", stop=1e-2)
    assert ob.open_record(made).samples.shape == (10_000, 2)
