"""Recorded data of every kind, and what is said about files that cannot be used."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from optobind.acquisition.csd import CsdEstimator, estimate_csd
from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.records.opening import open_record
from optobind.acquisition.runfile_format import Manifest
from optobind.models.blocks import Block
from optobind.models.errors import FileError, InputError

DATA = Path(__file__).parents[1] / "data"
REAL = DATA / "levitated_nanosphere_lecroy.raw"


def waveform(counts, order="<", gain=0.01, offset=0.0, interval=1e-6, preamble=b"", segments=1):
    """A WAVEDESC file as the template LECROY_2_3 describes it."""
    header = bytearray(346)
    header[0:8] = b"WAVEDESC"
    header[16:27] = b"LECROY_2_3\0"
    width = counts.dtype.itemsize
    put = struct.pack_into
    put(order + "hh", header, 32, width - 1, 1 if order == "<" else 0)
    put(order + "i", header, 36, 346)
    trigtimes = 16 * segments if segments > 1 else 0
    put(order + "i", header, 48, trigtimes)
    put(order + "i", header, 60, counts.size * width)
    put(order + "i", header, 116, counts.size)
    put(order + "i", header, 144, segments)
    put(order + "fff", header, 156, gain, offset, 32000.0)
    put(order + "f", header, 176, interval)
    samples = counts.astype(counts.dtype.newbyteorder(order)).tobytes()
    return preamble + bytes(header) + b"\0" * trigtimes + samples


def save(path, content):
    path.write_bytes(content)
    return path


def npz(path, **arrays):
    np.savez(path, **arrays)
    return path


# -- LeCroy --------------------------------------------------------------------------


def test_real_record_has_the_stated_length_rate_and_line():
    record = open_record(REAL)
    assert record.kind == "lecroy"
    assert record.samples.shape == (250_002, 1)
    assert record.sample_rate == 2.5e6
    assert record.unit == "V"
    csd = estimate_csd(record.source.data, record.sample_rate, 16384, scale=record.scale, unit="V")
    band = csd.band(5e3, 1e6)
    strongest = band.frequencies[np.argmax(band.matrix[:, 0, 0].real)]
    assert strongest == pytest.approx(61.6e3, abs=200.0)


def test_real_record_gives_the_same_volts_by_the_formula_of_the_manual():
    content = REAL.read_bytes()
    begin = content.index(b"WAVEDESC")
    gain, offset = struct.unpack_from("<ff", content, begin + 156)
    counts = np.frombuffer(content, "<i2", 250_002, begin + 346)
    np.testing.assert_allclose(
        open_record(REAL).samples[:, 0], gain * counts.astype(float) - offset, atol=1e-6 * gain
    )


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["i1", "i2"])
@pytest.mark.parametrize("preamble", [b"", b"#9000000100", b"C1:WF ALL,#9000500350"])
def test_both_byte_orders_both_widths_with_and_without_preamble(tmp_path, order, dtype, preamble):
    counts = np.random.default_rng(1).integers(-100, 100, 500).astype(dtype)
    content = waveform(counts, order, gain=0.02, offset=0.1, interval=4e-7, preamble=preamble)
    record = open_record(save(tmp_path / "x.trc", content))
    np.testing.assert_allclose(record.samples[:, 0], 0.02 * counts - 0.1, rtol=1e-5, atol=1e-7)
    assert record.sample_rate == 2.5e6
    assert record.dtype == np.int16


def test_offset_that_is_no_whole_number_of_counts_becomes_float(tmp_path):
    counts = np.arange(100, dtype="i2")
    record = open_record(save(tmp_path / "x.trc", waveform(counts, gain=0.02, offset=0.033)))
    assert record.dtype == np.float32
    np.testing.assert_allclose(record.samples[:, 0], 0.02 * counts - 0.033, atol=1e-6)


def test_sequence_of_segments_becomes_repetitions(tmp_path):
    counts = np.arange(60, dtype="i2")
    record = open_record(save(tmp_path / "x.trc", waveform(counts, segments=3)))
    assert record.samples.shape == (3, 20, 1)
    assert len(record.recorded()) == 3


def test_points_that_the_header_calls_invalid_are_left_out(tmp_path):
    counts = np.arange(100, dtype="i2")
    content = bytearray(waveform(counts))
    struct.pack_into("<ii", content, 124, 10, 89)
    record = open_record(save(tmp_path / "F1--filtered--00000.trc", bytes(content)))
    np.testing.assert_allclose(record.samples[:, 0], 0.01 * counts[10:90])
    assert "only points 10 … 89 of 100 are valid" in record.warnings[0]


@pytest.mark.parametrize(("late", "delay"), [(0.4e-6, 0.4e-6), (-0.4e-6, -0.4e-6), (5e-6, 0.0)])
def test_channel_that_begins_later_has_that_delay(tmp_path, late, delay):
    content = bytearray(waveform(np.arange(100, dtype="i2")))
    first = save(tmp_path / "C1--a--00000.trc", bytes(content))
    struct.pack_into("<d", content, 180, late)
    second = save(tmp_path / "C2--a--00000.trc", bytes(content))
    record = open_record([first, second])
    assert record.delays == (pytest.approx((0.0, delay)) if delay else ())
    said = "take the delay into account" if delay else "more than a sample"
    assert said in " ".join(record.warnings)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c[:-1], r"is truncated: 999 of 1000 bytes of samples \(500 samples of 16 bit\)"),
        (lambda c: c[:200], "truncated within its WAVEDESC header"),
        (lambda c: c[:346], r"truncated: 0 of 1000 bytes"),
        (lambda c: b"\x00" * 40 + c[8:], "no WAVEDESC header"),
        (lambda c: c[:116] + b"\0" * 4 + c[120:], "holds no samples"),
        (lambda c: c[:176] + b"\0" * 4 + c[180:], "HORIZ_INTERVAL must be positive"),
        (lambda c: c[:36] + b"\xff" * 4 + c[40:], "negative or too small lengths"),
        (lambda c: c[:156] + b"\0\0\xc0\x7f" + c[160:], "VERTICAL_GAIN"),
    ],
)
def test_damaged_waveforms_are_named(tmp_path, change, message):
    content = change(waveform(np.zeros(500, "i2")))
    with pytest.raises(FileError, match=message):
        open_record(save(tmp_path / "x.trc", content))


# -- NPZ -----------------------------------------------------------------------------


def test_npz_with_everything(tmp_path):
    samples = np.random.default_rng(1).normal(size=(5, 100, 2))
    path = npz(tmp_path / "a.npz", samples=samples, sample_rate=1e6, unit="quanta", release_index=7)
    record = open_record(path)
    np.testing.assert_array_equal(record.samples, samples)
    assert (record.sample_rate, record.unit, record.release_index) == (1e6, "quanta", 7)
    assert (len(record.recorded()), record.names) == (5, ("z1", "z2"))
    assert record.recorded()[1] == (101, 201)
    np.testing.assert_array_equal(record.read(111, 121, (1,)), samples[1, 10:20, 1:])
    with pytest.raises(InputError, match="within one stretch"):
        record.read(95, 105)


def test_npz_defaults_to_volts_and_states_no_release(tmp_path):
    record = open_record(npz(tmp_path / "a.npz", samples=np.zeros((9, 1)), sample_rate=10))
    assert (record.unit, record.release_index, len(record.recorded())) == ("V", None, 1)
    assert record.samples.dtype == np.float64


GOOD = np.zeros((10, 2))
BAD = np.array([[0.0, 1.0], [2.0, np.nan]])


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"sample_rate": 1.0}, "no array 'samples'; it has: sample_rate"),
        ({"samples": GOOD}, "has no 'sample_rate'"),
        ({"samples": np.zeros((2, 2, 2, 2)), "sample_rate": 1.0}, r"must be real of shape \(n, ch"),
        ({"samples": GOOD * 1j, "sample_rate": 1.0}, "must be real .* complex128"),
        ({"samples": GOOD[:0], "sample_rate": 1.0}, "are empty"),
        ({"samples": BAD, "sample_rate": 1.0}, r"must be finite; 1 are not, first at \(1, 1\)"),
        ({"samples": GOOD, "sample_rate": -5.0}, "must be positive and finite, got -5 Hz"),
        ({"samples": GOOD, "sample_rate": np.nan}, "must be positive and finite, got nan Hz"),
        ({"samples": GOOD, "sample_rate": np.ones(2)}, "must be one real number"),
        ({"samples": GOOD, "sample_rate": "x"}, "must be one real number"),
        ({"samples": GOOD, "sample_rate": 1.0, "unit": "furlong"}, "known: quanta, m, V"),
        ({"samples": GOOD, "sample_rate": 1.0, "unit": ["m", "V"]}, "unit must be one text"),
        ({"samples": GOOD, "sample_rate": 1.0, "release_index": 10}, r"whole number 0 … 9, got 10"),
        ({"samples": GOOD, "sample_rate": 1.0, "release_index": 0.5}, "whole number"),
        ({"samples": GOOD, "sample_rate": 1.0, "release_index": np.nan}, "0 … 9, got nan"),
        ({"samples": GOOD, "sample_rate": 1.0, "release_index": np.inf}, "0 … 9, got inf"),
        ({"samples": GOOD, "sample_rate": 1.0, "channels": ["a"]}, "1 channel names for 2"),
        ({"samples": GOOD, "sample_rate": 1e300}, r"must lie in 0.1 … 1e\+12 Hz, got 1e\+300"),
        ({"samples": GOOD, "sample_rate": 1e-300}, "must lie in 0.1 … "),
    ],
)
def test_npz_that_cannot_be_used_is_named(tmp_path, arrays, message):
    with pytest.raises(FileError, match=message):
        open_record(npz(tmp_path / "a.npz", **arrays))


def test_pickled_objects_are_never_loaded(tmp_path):
    path = npz(tmp_path / "a.npz", samples=np.array([{}], dtype=object), sample_rate=1.0)
    with pytest.raises(FileError, match="holds pickled objects: they are never loaded"):
        open_record(path)


def test_archive_whose_members_are_no_arrays_is_named(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("samples.npy", "text")
        archive.writestr("sample_rate.npy", "1e6")
    with pytest.raises(FileError, match="'samples' is no array of NumPy"):
        open_record(tmp_path / "a.npz")


def test_truncated_npz_and_single_array_are_named(tmp_path):
    content = npz(tmp_path / "a.npz", samples=GOOD, sample_rate=1.0).read_bytes()
    for length in (1, 10, len(content) // 2, len(content) - 10):
        with pytest.raises(FileError, match="cannot be read as NPZ"):
            open_record(save(tmp_path / "part.npz", content[:length]))
    np.save(tmp_path / "one.npy", GOOD)
    with pytest.raises(FileError, match=r"has no 'sample_rate' \(Hz\): give it \(--rate HZ\)"):
        open_record(tmp_path / "one.npy")


# -- CSV -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "rate", "names"),
    [
        ("t,a,b\n0,1,2\n1e-3,3,4\n2e-3,5,6\n", None, ("a", "b")),
        ("time (ms);a;b\n0,0;1,0;2\n1,0;3;4\n2,0;5;6\n", None, ("a", "b")),
        ("Time_us\tA\tB\n0\t1\t2\n1000\t3\t4\n2000\t5\t6\n", None, ("A", "B")),
        ("# t[s] a b\n0 1 2\n0.001 3 4\n0.002 5 6\n", None, ("a", "b")),
        ("# sample_rate = 1e3\n# unit: m\nleft,right\n1,2\n3,4\n5,6\n", None, ("left", "right")),
        ("z1,z2\n1,2\n3,4\n5,6\n", 1e3, ("z1", "z2")),
        ("# sample_rate = 0,001 MHz\nz1\tz2\n1\t2\n3\t4\n5\t6\n", None, ("z1", "z2")),
        ('"z1","z2"\n"1","2"\n"3","4"\n"5","6"\n', 1e3, ("z1", "z2")),
        ('"z1";"z2"\n"1,0";"2"\n"3";"4,0"\n5;6\n', 1e3, ("z1", "z2")),
        ("\ufefft,a,b\r\n0,1,2\r\n0.001,3,4\r\n0.002,5,6\r\n", 1000.0, ("a", "b")),
    ],
)
def test_tables_with_a_rate_in_all_dialects(tmp_path, text, rate, names):
    path = save(tmp_path / "a.csv", text.encode("utf-8"))
    record = open_record(path, sample_rate=rate)
    np.testing.assert_array_equal(record.samples, [[1, 2], [3, 4], [5, 6]])
    assert record.sample_rate == pytest.approx(1e3)
    assert record.names == names
    assert record.unit == ("m" if "unit" in text else "V")


@pytest.mark.parametrize(
    ("text", "rate", "message"),
    [
        ("a,b\n1,2\n3,4\n", None, "states no rate"),
        ("t,a\n0,1\n1,2\n5,3\n", None, "must grow evenly"),
        ("t (s),a\n0,1\n1,2\n2,3\n", 5.0, "column of time says 1 Hz, the stated rate is 5 Hz"),
        ("a,b\n1,2\n3,nan\n", 1.0, "row 2, column 2 is not"),
        ("a,b\n1,2\n3\n", 1.0, "is not a table of numbers: .* from 2 to 1 at row 2$"),
        ('"1,5","2,5"\n"3,5","4,5"\n', 1.0, "is not a table of numbers"),
        ("a,b\n1,2\n3,x\n", 1.0, "is not a table of numbers"),
        ("a,b,c\n1,2\n3,4\n", 1.0, "3 names in the first line for 2 columns"),
        ("a,b\n", 1.0, "no numbers below its first line"),
        ("a\n1\n", 1.0, "at least 2 are needed"),
        ("a\n1\n2\n", -1.0, "must be positive and finite, got -1 Hz"),
        (
            "# sample_rate = fast\na\n1\n2\n",
            None,
            "sample_rate is not a number.*'fast'",
        ),
        ("# sample_rate = 1 MS\na\n1\n2\n", None, "unit 'MS'.*known: Hz, kHz, MHz"),
        ("# sample_rate = 1 mHz\na\n1\n2\n", None, "must lie in 0.1"),
        ("# sample_rate = 1,500 MHz\na\n1\n2\n", None, "is ambiguous, thousands or decimals"),
        ("# sample_rate = 1_0\na\n1\n2\n", None, "unknown unit '_0'"),
        ("# sample_rate =\na\n1\n2\n", 1.0, "sample_rate is not a number.*''"),
        ("# sample_rate = nan\na\n1\n2\n", None, "sample_rate is not a number"),
        ("# sample_rate = 2\na\n1\n2\n", 1.0, "was recorded at 2 Hz, not at 1 Hz"),
        ("# unit = V per m\na\n1\n2\n", 1.0, "unit 'V per m' is not known"),
        ("# unit = inch\na\n1\n2\n", 1.0, "known: quanta, m, V"),
        ("#\n\n", 1.0, "is empty: expected a table"),
        ("time\n0\n1\n2\n", 1.0, "a column of time, 'time', and no samples"),
        ("", 1.0, "is empty"),
    ],
)
def test_tables_that_cannot_be_used_are_named(tmp_path, text, rate, message):
    path = save(tmp_path / "a.csv", text.encode("utf-8"))
    with pytest.raises(FileError, match=message):
        open_record(path, sample_rate=rate)


@pytest.mark.parametrize(
    ("comment", "rate", "unit"),
    [
        ("# sample_rate = 1 MHz", 1e6, "V"),
        ("#sample_rate: 2.5MHz,,", 2.5e6, "V"),
        ("# sample_rate = 500 kHz; unit = m", 5e5, "m"),
        ("# Sample_Rate = .25 GHz\t\n# unit = quanta ", 2.5e8, "quanta"),
        ("# sample_rate = 1e3 Hz, unit = V", 1e3, "V"),
        ("# sample_rate = 1e3", 1e3, "V"),
    ],
)
def test_rate_and_unit_of_a_comment_are_read_to_the_end(tmp_path, comment, rate, unit):
    record = open_record(save(tmp_path / "a.csv", f"{comment}\na\n1\n2\n".encode()))
    assert record.sample_rate == pytest.approx(rate, rel=1e-12)
    assert record.unit == unit


# -- in general ----------------------------------------------------------------------


def test_foreign_and_missing_files_are_named(tmp_path):
    with pytest.raises(FileError, match="does not exist"):
        open_record(tmp_path / "none.npz")
    with pytest.raises(FileError, match="is a directory"):
        open_record(tmp_path)
    with pytest.raises(FileError, match="its format is not known"):
        open_record(save(tmp_path / "a.unknown", bytes(range(256)) * 4))
    with pytest.raises(FileError, match="is not a LeCroy waveform"):
        open_record(save(tmp_path / "a.raw", b"hello"))
    with pytest.raises(FileError, match="is no HDF5 file"):
        open_record(save(tmp_path / "a.h5", b"hello"))
    with pytest.raises(FileError, match=r"\(truncated or foreign\): it is no archive"):
        open_record(save(tmp_path / "a.npz", b"hello"))


def test_rate_that_contradicts_the_file_is_refused():
    assert open_record(REAL, sample_rate=2.5e6).sample_rate == 2.5e6
    with pytest.raises(FileError, match=r"was recorded at 2.5e\+06 Hz, not at 1e\+06 Hz"):
        open_record(REAL, sample_rate=1e6)


def test_rate_given_counts_only_where_an_archive_states_none(tmp_path):
    stated = npz(tmp_path / "a.npz", samples=GOOD, sample_rate=1e6)
    assert open_record(stated, sample_rate=1.005e6).sample_rate == 1e6
    with pytest.raises(FileError, match=r"was recorded at 1e\+06 Hz, not at 2e\+06 Hz"):
        open_record(stated, sample_rate=2e6)
    silent = npz(tmp_path / "b.npz", samples=GOOD)
    assert open_record(silent, sample_rate=2e6).sample_rate == 2e6


def test_run_file_is_read_in_stretches(tmp_path):
    counts = np.random.default_rng(1).integers(-99, 99, (1000, 2)).astype(np.int16)
    manifest = Manifest(1e6, ("a", "b"), (0.5, -0.25))
    with Recorder(tmp_path / "run.h5", manifest) as recorder:
        recorder.write(Block(0, counts[:600], np.ones(2)))
        recorder.write(Block(700, counts[600:], np.ones(2)))
        recorder.event(Event(100, EventKind.STEP_START, {"index": 0, "kind": "monitor"}))
        recorder.event(Event(900, EventKind.STEP_END, {"index": 0, "kind": "monitor"}))
    with open_record(tmp_path / "run.h5") as record:
        assert (record.kind, record.names, record.sample_rate) == ("run", ("a", "b"), 1e6)
        assert record.recorded() == [(0, 600), (700, 1100)]
        assert record.steady() == [(100, 600), (700, 900)]
        np.testing.assert_array_equal(
            record.read(100, 600), counts[100:600] * np.array([0.5, -0.25])
        )
        with pytest.raises(InputError, match="holds 2 stretches of different lengths"):
            _ = record.samples
        estimator = CsdEstimator(2, 64, 1e6)
        for block in record.steady_blocks(rows=77):
            estimator.add(block)
        assert estimator.estimate().averages == (500 - 32) // 32 + (200 - 32) // 32


def test_truncated_run_file_names_the_bytes_that_are_left(tmp_path):
    with Recorder(tmp_path / "run.h5", Manifest(1e6, ("a",), (1.0,))) as recorder:
        recorder.write(Block(0, np.ones((5000, 1), np.int16), np.ones(1)))
    content = (tmp_path / "run.h5").read_bytes()
    for length in (600, len(content) // 2, len(content) - 1):
        with pytest.raises(FileError, match=f"is truncated: {length} of {len(content)} bytes"):
            open_record(save(tmp_path / "part.h5", content[:length]))
