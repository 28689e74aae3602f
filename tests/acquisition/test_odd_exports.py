"""Odd exports of laboratories: each gives the right numbers, or one line that says why not."""

from __future__ import annotations

import struct
import zipfile

import h5py
import numpy as np
import pytest
import scipy.io

from optobind import open_record
from optobind.models.errors import FileError, InputError

RATE = 250e3
N = 400
VOLTS = np.round(np.random.default_rng(3).normal(size=(N, 2)) * 0.05, 6)
TIME = np.arange(N) / RATE


def rows(*columns, separator=",", form="{:.7f}", times="{:.9f}"):
    """Lines of numbers, the first column as times."""
    forms = [times] + [form] * (len(columns) - 1)
    return "".join(
        separator.join(f.format(x) for f, x in zip(forms, row, strict=True)) + "\n"
        for row in zip(*columns, strict=True)
    )


TABLE = rows(TIME * 1e3, *VOLTS.T)
BOTH = rows(*VOLTS.T, times="{:.7f}")
HEAD = "Time (ms),A (V),B (V)\n"


def stamped(form):
    """Rows with times of the day."""
    return "".join(
        form.format(12.0 + t) + f",{a:.7f},{b:.7f}\n" for t, (a, b) in zip(TIME, VOLTS, strict=True)
    )


YOKOGAWA = """"Model Name","DLM"
"TraceName","CH1       ","CH2       "
"VUnit","V","V"
"SampleRate",2.5E+05,2.5E+05
"HResolution",4.0E-06,4.0E-06
"HOffset",-1.2E-02,-1.2E-02
"Date","2026/03/04","2026/03/04"
"Time","10:11:12.00","10:11:12.00"

"""
OWON = """Channel :,CH1,CH2
Frequency :,F=30.0kHz,F=31.0kHz
Time interval :,4.00000uS,4.00000uS

Index,CH1_Voltage(mV),CH2_Voltage(mV)
"""
READ = {
    "preamble of 1000 lines": "".join(f"Setting {i},{3 * i}\n" for i in range(1000)) + HEAD + TABLE,
    "preamble with other separators": "".join(f"p{i} = {i}\n" for i in range(390)) + HEAD + TABLE,
    "a comma in a quoted name": '"Time (ms)","A, left (V)","B, right (V)"\n' + TABLE,
    "Fortran's exponents": "t(s) a(V) b(V)\n"
    + rows(TIME, *VOLTS.T, separator=" ", times="{:.9E}", form="{:.9E}").replace("E", "D"),
    "Yokogawa": YOKOGAWA + BOTH.replace("\n", ",\n"),
    "Owon": OWON + "".join(f"{i},{a * 1e3:.4f},{b * 1e3:.4f}\n" for i, (a, b) in enumerate(VOLTS)),
    "Infiniium": "XInc:,4E-06,4E-06\nYUnits:,Volt,Volt\nDate:,04 MAR 2026,04 MAR 2026\nData:,\n"
    + BOTH,
    "unit of a rate in brackets": "Sampling frequency [kHz];250\nA;B\n" + BOTH.replace(",", ";"),
    "dates of pandas": ",a,b\n" + stamped("2026-03-04 10:11:{:09.6f}"),
    "ISO dates": "timestamp,A (V),B (V)\n" + stamped("2026-03-04T10:11:{:09.6f}Z"),
    "a date and a time": "Date,Time,A (V),B (V)\n" + stamped("2026-03-04,10:11:{:09.6f}"),
    "timedeltas of pandas": ",a,b\n" + stamped("0 days 00:00:{:09.6f}"),
    "a column of words": "Time (ms),A (V),B (V),state\n" + TABLE.replace("\n", ",ok\n"),
}


@pytest.mark.parametrize("kind", READ)
def test_table_is_read_with_both_channels_at_its_rate(tmp_path, kind):
    path = tmp_path / "odd.csv"
    path.write_text(READ[kind], encoding="utf-8")
    record = open_record(path)
    assert record.sample_rate == pytest.approx(RATE, rel=1e-6)
    assert record.unit == "V"
    np.testing.assert_allclose(record.samples, VOLTS, atol=1e-6)


def test_column_of_words_is_said_to_be_left_out(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text(READ["a column of words"])
    assert "column 'state' holds words: left out" in open_record(path).warnings


def test_names_that_count_the_columns_are_no_sample(tmp_path):
    path = tmp_path / "pandas.csv"
    path.write_text("0,1\n" + BOTH)
    record = open_record(path, sample_rate=RATE)
    assert record.names == ("0", "1")
    np.testing.assert_allclose(record.samples, VOLTS)


def test_utf_32_is_read(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text(HEAD + TABLE, encoding="utf-32")
    np.testing.assert_allclose(open_record(path).samples, VOLTS)


@pytest.mark.parametrize(
    ("head", "unit"),
    [
        ("# volts per bit = 0.0003\n# fs = 250 kHz\nA,B\n", "V"),
        ("# LSB: 0.3 mV\n# fs = 250 kHz\nA,B\n", "V"),
        ("Voltage per ADC value:,0.3mV,0.3mV\nfs,250000\nA,B\n", "V"),
        ("# nm per count = 300\n# fs = 250 kHz\nA,B\n", "m"),
    ],
)
def test_what_a_count_is_worth_stands_above_a_table(tmp_path, head, unit):
    counts = np.round(VOLTS / 3e-4).astype(int)
    path = tmp_path / "codes.csv"
    path.write_text(head + rows(*counts.T, times="{}", form="{}"))
    record = open_record(path)
    assert record.unit == unit
    np.testing.assert_allclose(record.samples, counts * (3e-4 if unit == "V" else 3e-7))
    assert "whole numbers are scaled by" in record.warnings[0]


CODES = "Vertical Units,V\nVertical Scale,1.000e-01\nSampling Period,4.000e-06\nWaveform Data,\n"
ACROSS = "\n".join(",".join(f"{x:.6g}" for x in row) for row in (TIME, *VOLTS.T)) + "\n"


def replaced(row, column, word):
    """The table with one cell replaced."""
    lines = TABLE.splitlines()
    cells = lines[row].split(",")
    cells[column] = word
    lines[row] = ",".join(cells)
    return HEAD + "\n".join(lines) + "\n"


@pytest.mark.parametrize("rate", [None, RATE])
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (replaced(200, 1, "9.9E+37"), "row 201, column 2 is 9.9e.37 .out of range, or missing"),
        (replaced(0, 2, "9.91E37"), "row 1, column 3 is 9.91e.37"),
        (replaced(200, 1, "OVL"), "row 201, column 2 holds 'OVL' .out of range, or missing"),
        (replaced(0, 1, "OVL"), "first row of numbers holds 'OVL'"),
        (replaced(0, 1, ""), "first row of numbers holds ''"),
        (replaced(200, 0, '"1,000.5"'), "row 201, column 1 holds '1,000.5': .*thousands"),
        ("Frequency,Amplitude\n" + rows(TIME * 1e9, VOLTS[:, 0]), "is a frequency: a spectrum"),
        ("f (kHz),A (V)\n" + rows(TIME * 1e9, VOLTS[:, 0]), "is a frequency: a spectrum"),
        (ACROSS, "3 rows of 400 numbers: the axes look exchanged"),
        (CODES + "".join(f"{int(2e3 * a)},\n" for a in VOLTS[:, 0]), "are the scope's codes"),
        (
            "Time (ms);A (counts)\n"
            + "".join(f"{t:.4f};{int(2e4 * a):,}\n".replace(".", ",")
                      for t, a in zip(TIME * 1e3, VOLTS[:, 0], strict=True)),
            "may separate thousands",
        ),
    ],
)  # fmt: skip
def test_table_that_would_give_a_wrong_number_is_named(tmp_path, text, message, rate):
    path = tmp_path / "odd.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileError, match=message):
        open_record(path, sample_rate=rate)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.isf", b":WFMPRE:NR_PT 6;BYT_NR 2;\x00\x01", "Tektronix .*export it as CSV"),
        ("a.wfm", b"\x0f\x0f:WFM#003" + bytes(99), "Tektronix .*export it as CSV"),
        ("a.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99), "Excel.*save it as CSV"),
        ("a.pkl", b"\x80\x04\x95\x00\x00" + bytes(99), "pickle.*never loaded"),
        ("a.parquet", b"PAR1" + bytes(99), "Parquet.*NPZ"),
        ("a.csv.gz", b"\x1f\x8b\x08" + bytes(99), "gzip.*unpack it"),
        ("a.bin", b"<SALEAE>" + bytes(99), "Saleae.*CSV"),
        ("a.bin", b"AG10" + bytes(99), "Keysight.*CSV"),
        ("a.json", b'{"samples": [1, 2]}', "JSON.*NPZ"),
        ("a.htm", b"<!DOCTYPE html><html>1,2</html>", "web page"),
    ],
)
def test_format_that_is_not_read_has_its_name_and_remedy(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(FileError, match=message):
        open_record(path)


@pytest.mark.parametrize(
    ("member", "message"),
    [("xl/workbook.xml", "workbook of Excel"), ("run.csv", "archive .ZIP. .*run.csv: unpack")],
)
def test_archive_without_arrays_is_named(tmp_path, member, message):
    path = tmp_path / "a.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(member, "1")
    with pytest.raises(FileError, match=message):
        open_record(path)


# -- arrays --------------------------------------------------------------------------


def test_columns_of_matlab_stand_side_by_side(tmp_path):
    columns = {"A": VOLTS[:, :1], "B": VOLTS[:, 1:], "Tinterval": 4e-6}  # as PicoScope stores them
    scipy.io.savemat(tmp_path / "five.mat", columns)
    with h5py.File(tmp_path / "seven.mat", "w") as file:
        for name, values in columns.items():
            file[name] = np.atleast_2d(values).T
    for name in ("five.mat", "seven.mat"):
        record = open_record(tmp_path / name)
        assert (record.names, record.sample_rate) == (("A", "B"), pytest.approx(RATE))
        np.testing.assert_array_equal(record.samples, VOLTS)


def test_timeseries_of_matlab_and_simulink_are_read(tmp_path):
    series = {"Time": TIME[:, None], "Data": VOLTS, "DataInfo": {"Units": "V"}}
    simulink = {"time": TIME[:, None], "signals": {"values": VOLTS, "label": "z"}}
    for content in ({"ts": series}, {"out": simulink}):
        scipy.io.savemat(tmp_path / "a.mat", content)
        record = open_record(tmp_path / "a.mat")
        assert record.sample_rate == pytest.approx(RATE)
        np.testing.assert_array_equal(record.samples, VOLTS)


def test_legend_of_moku_gives_names_and_units(tmp_path):
    data = np.column_stack([TIME * 1e3, VOLTS * 1e3])
    legend = ["Time (ms)", "Input 1 (mV)", "Input 2 (mV)"]
    content = {"data": data, "legend": np.array(legend, object)}
    scipy.io.savemat(tmp_path / "five.mat", {"moku": content})
    with h5py.File(tmp_path / "seven.mat", "w") as file:
        file["moku/data"] = data.T
        texts = [file.create_dataset(f"#refs#/{i}", data=[[ord(c)] for c in text])
                 for i, text in enumerate(legend)]  # fmt: skip
        for text in texts:
            text.attrs["MATLAB_class"] = np.bytes_("char")
        file["moku/legend"] = np.array([[text.ref for text in texts]], h5py.ref_dtype)
    for name in ("five.mat", "seven.mat"):
        record = open_record(tmp_path / name)
        assert (record.names, record.unit) == (("Input 1", "Input 2"), "V")
        assert record.sample_rate == pytest.approx(RATE)
        np.testing.assert_allclose(record.samples, VOLTS)


def test_cells_of_matlab_are_arrays_of_their_own(tmp_path):
    cells = np.array([VOLTS[:, 0], VOLTS[:, 1], "a remark"], object)
    scipy.io.savemat(tmp_path / "cells.mat", {"fs": RATE, "c": cells})
    np.testing.assert_array_equal(open_record(tmp_path / "cells.mat").samples, VOLTS)


def test_fields_within_an_archive_and_dates_are_read(tmp_path):
    table = np.zeros(N, [("time", "M8[ns]"), ("A", "f8"), ("B", "f8")])
    table["time"] = np.datetime64("2026-03-04T10:00:00", "ns") + (np.arange(N) * 4000)
    table["A"], table["B"] = VOLTS.T
    np.savez(tmp_path / "a.npz", data=table)
    record = open_record(tmp_path / "a.npz")
    assert (record.names, record.sample_rate) == (("A", "B"), pytest.approx(RATE, rel=1e-6))
    np.testing.assert_array_equal(record.samples, VOLTS)


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (np.where(np.arange(N) == 5, 9.9e37, VOLTS[:, 0]), "1 are not, first at .5, 0., 9.9e.37"),
        (np.where(np.arange(N) == 5, 1e20, VOLTS[:, 0]), "1e.20 .out of range, or missing"),
        ((np.arange(N) % 7).astype("u8") + np.uint64(2**63), "too large to be told apart"),
        (VOLTS[:, 0].reshape(20, 20)[:5], r"repetitions of one channel: samples\[:, :, None\]"),
    ],
)
def test_arrays_that_would_give_a_wrong_number_are_named(tmp_path, samples, message):
    np.savez(tmp_path / "a.npz", samples=samples, fs=RATE)
    with pytest.raises(FileError, match=message):
        open_record(tmp_path / "a.npz")


def test_scale_of_keysights_hdf5_makes_volts_of_codes(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["Waveforms/Channel 1/Channel 1Data"] = np.arange(N).astype("i2") % 9
        values = {"XInc": 4e-6, "YInc": 1e-3, "YOrg": 0.5, "YUnits": "Volt"}
        file["Waveforms/Channel 1"].attrs.update(values)
    record = open_record(tmp_path / "a.h5")
    assert (record.unit, record.sample_rate) == ("V", pytest.approx(RATE))
    np.testing.assert_allclose(record.samples[:, 0], 0.5 + 1e-3 * (np.arange(N) % 9))


@pytest.mark.parametrize("extensible", [False, True])
def test_wav_of_24_bit_holds_its_own_counts(tmp_path, extensible):
    counts = np.round(VOLTS * 2**22).astype("<i4")
    data = counts.view("u1").reshape(-1, 4)[:, :3].tobytes()
    form = struct.pack("<HHIIHH", 0xFFFE if extensible else 1, 2, 250000, 1500000, 6, 24)
    if extensible:
        form += struct.pack("<HHIH", 22, 24, 3, 1)
        form += bytes.fromhex("000000001000800000aa00389b71")
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", len(data)) + data
    (tmp_path / "a.wav").write_bytes(b"RIFF" + struct.pack("<I", len(body)) + body)
    record = open_record(tmp_path / "a.wav")
    assert record.unit == "counts"
    np.testing.assert_array_equal(record.samples, counts)


def test_tdms_that_was_cut_or_has_no_step_is_named(tmp_path):
    nptdms = pytest.importorskip("nptdms")
    step = {"wf_increment": 1.0}  # what LabVIEW writes where none was set
    channels = [nptdms.ChannelObject("g", name, VOLTS[:, j], step) for j, name in enumerate("AB")]
    path = tmp_path / "a.tdms"
    with nptdms.TdmsWriter(path) as writer:
        writer.write_segment(channels)
    with pytest.raises(FileError, match="has no 'sample_rate'"):
        open_record(path)
    np.testing.assert_array_equal(open_record(path, sample_rate=RATE).samples, VOLTS)
    path.write_bytes(path.read_bytes()[:-4000])
    with pytest.raises(FileError, match="is truncated: its last piece lacks samples"):
        open_record(path, sample_rate=RATE)


def test_file_that_is_named_twice_is_no_pair(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(HEAD + TABLE)
    with pytest.raises(InputError, match="is named twice"):
        open_record([path, tmp_path / "." / "a.csv"])


def test_a_notebook_shows_a_record_with_what_was_noticed_and_interprets_nothing(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("t,<b>A</b>,B\n" + rows(TIME, *VOLTS.T))
    text = open_record(path)._repr_html_()
    assert "250000 Hz" in text
    assert "&lt;b&gt;A&lt;/b&gt;" in text
    assert "seconds are assumed" in text
