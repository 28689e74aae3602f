"""Files of other programs: time, names and axes are read or asked for, never guessed in silence."""

from __future__ import annotations

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
