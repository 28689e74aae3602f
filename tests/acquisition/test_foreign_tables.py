"""Files of other programs: time, names and axes are read or asked for, never guessed in silence."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

from optobind import open_record
from optobind.models.errors import FileError

RATE = 250e3
VOLTS = np.random.default_rng(7).normal(size=(400, 2))
TIME = np.arange(400) / RATE


def test_unit_of_time_in_a_commented_header_counts(tmp_path):
    path = tmp_path / "savetxt.csv"
    table = np.column_stack([TIME * 1e3, VOLTS])
    np.savetxt(path, table, delimiter=",", header="time (ms),left,right")
    record = open_record(path)
    assert record.sample_rate == pytest.approx(RATE)
    assert record.names == ("left", "right")


@pytest.mark.parametrize("name", ["", "X", "n"])
def test_column_that_counts_is_never_a_particle(tmp_path, name):
    path = tmp_path / "counter.csv"
    table = np.column_stack([np.arange(400), VOLTS])
    np.savetxt(path, table, delimiter=",", header=f"{name},left,right", comments="")
    with pytest.raises(FileError, match="rate"):
        open_record(path)
    assert open_record(path, sample_rate=RATE).names == ("left", "right")


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_micro_sign_is_read_in_other_encodings(tmp_path, encoding):
    path = tmp_path / "micro.csv"
    rows = "\n".join(f"{t * 1e6:.6f};{a:.6f}" for t, a in zip(TIME, VOLTS[:, 0], strict=True))
    path.write_text(f"Zeit (µs);Kanal A\n{rows}\n", encoding=encoding)
    assert open_record(path).sample_rate == pytest.approx(RATE)


def test_exchanged_axes_are_named_in_one_line(tmp_path):
    path = tmp_path / "transposed.npz"
    np.savez(path, samples=np.zeros((12, 2, 300)), sample_rate=RATE)
    with pytest.raises(FileError, match="axes look exchanged") as caught:
        open_record(path)
    assert len(str(caught.value)) < 300


def test_array_that_claims_more_than_its_file_holds_is_refused_unread(tmp_path):
    path = tmp_path / "claims.npy"
    np.save(path, VOLTS)
    content = path.read_bytes().replace(b"(400, 2)", b"(9000,2)", 1)
    path.write_bytes(content)
    with pytest.raises(FileError, match="bytes long"):
        open_record(path, sample_rate=RATE)


def test_matlab_and_wav_keep_channels_and_rate(tmp_path):
    from scipy.io import savemat, wavfile

    savemat(tmp_path / "a.mat", {"samples": VOLTS, "sample_rate": RATE})
    record = open_record(tmp_path / "a.mat")
    assert record.sample_rate == RATE
    assert len(record.names) == 2
    wavfile.write(tmp_path / "a.wav", int(RATE), (VOLTS * 1000).astype(np.int16))
    record = open_record(tmp_path / "a.wav")
    assert (record.sample_rate, record.unit) == (RATE, "counts")


# -- what whole numbers are worth

COUNTS = np.round(VOLTS * 1e3).astype(np.int16)


def test_whole_numbers_without_a_scale_are_counts(tmp_path):
    path = tmp_path / "counts.npz"
    np.savez(path, samples=COUNTS, sample_rate=RATE)
    record = open_record(path)
    assert record.unit == "counts"
    np.testing.assert_array_equal(record.samples * record.scale, COUNTS)


@pytest.mark.parametrize(
    ("beside", "scale", "unit"),
    [
        ({"scale": 1e-3}, 1e-3, "V"),
        ({"scale": [1e-3, 2e-3]}, [1e-3, 2e-3], "V"),
        ({"scale": 1.0, "unit": "mV"}, 1e-3, "V"),
        ({"volts_per_count": 1e-3}, 1e-3, "V"),
        ({"mV_per_bit": 1.0}, 1e-3, "V"),
        ({"nm_per_count": 2.0}, 2e-9, "m"),
        ({"scale_factor": 1e-3, "add_offset": 0.5}, 1e-3, "V"),
    ],
)
def test_scale_that_is_stored_beside_whole_numbers_counts(tmp_path, beside, scale, unit):
    path = tmp_path / "scaled.npz"
    np.savez(path, samples=COUNTS, sample_rate=RATE, **beside)
    record = open_record(path)
    assert record.unit == unit
    wanted = COUNTS * np.asarray(scale) + beside.get("add_offset", 0.0)
    np.testing.assert_allclose(record.samples * record.scale, wanted, rtol=1e-12)
    assert "whole numbers are scaled" in record.warnings[0]


def test_attributes_scale_each_array_of_its_own(tmp_path):
    path = tmp_path / "scaled.h5"
    with h5py.File(path, "w") as file:
        for name, scale in (("left", 1e-3), ("right", 5e-4)):
            file[name] = COUNTS[:, 0]
            file[name].attrs["scale"] = scale
        file.attrs["Sampling Rate (kHz)"] = 250.0
    record = open_record(path)
    assert (record.unit, record.sample_rate) == ("V", RATE)
    np.testing.assert_allclose(
        record.samples * record.scale, COUNTS[:, :1] * [1e-3, 5e-4], rtol=1e-12
    )


def test_scale_beside_other_numbers_is_said_not_applied(tmp_path):
    path = tmp_path / "volts.npz"
    np.savez(path, samples=VOLTS, sample_rate=RATE, scale=1e-3)
    record = open_record(path)
    np.testing.assert_array_equal(record.samples * record.scale, VOLTS)
    assert "'scale' is not applied" in record.warnings[0]
    np.savez(path, samples=COUNTS, sample_rate=RATE, unit="V")
    assert "whole numbers in V" in open_record(path).warnings[0]


@pytest.mark.parametrize("scale", [0.0, np.nan, [1.0, 2.0, 3.0], "1e-3"])
def test_scale_that_is_none_is_refused(tmp_path, scale):
    path = tmp_path / "scaled.npz"
    np.savez(path, samples=COUNTS, sample_rate=RATE, scale=scale)
    with pytest.raises(FileError, match="scale"):
        open_record(path)


def test_table_of_whole_numbers_says_that_volts_are_assumed(tmp_path):
    path = tmp_path / "counts.csv"
    head = f"# sample_rate = {RATE}\na,b\n"
    rows = "".join(f"{a},{b}\n" for a, b in COUNTS)
    path.write_text(head + rows)
    assert "if they are counts" in " ".join(open_record(path).warnings)
    path.write_text("# unit: counts\n" + head + rows)
    record = open_record(path)
    assert (record.unit, record.warnings) == ("counts", ())


def test_a_sample_that_is_missing_is_named_as_such(tmp_path):
    path = tmp_path / "nan.npz"
    samples = VOLTS.copy()
    samples[5, 1] = np.nan
    np.savez(path, samples=samples, sample_rate=RATE)
    with pytest.raises(FileError, match=r"must be finite; 1 are not, first at \(5, 1\)"):
        open_record(path)
