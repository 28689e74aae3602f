"""Exports of scopes and of other programs, as they write them: rate, names, units, segments.

Each is written from one signal after what the vendors' files look like. None may be read at another
rate, or with another scale, in silence.
"""

from __future__ import annotations

import numpy as np
import pytest

from optobind import open_record
from optobind.models.errors import FileError

RATE = 250e3
VOLTS = np.round(np.random.default_rng(1).normal(size=(600, 2)) * 0.05, 6)
TIME = np.arange(600) / RATE


def table(form="{:.9f}", scale=1.0, separator=",", comma=False, ending="", volts=VOLTS):
    """Rows of time and both channels."""
    rows = [
        separator.join([form.format(t), f"{a:.6f}", f"{b:.6f}"])
        for t, (a, b) in zip(TIME * scale, volts, strict=True)
    ]
    text = "".join(row + ending + "\n" for row in rows)
    return text.replace(".", ",") if comma else text


def values(ending="", separator=","):
    """Rows of both channels alone."""
    return "".join(f"{a:.6f}{separator}{b:.6f}{ending}\n" for a, b in VOLTS)


def numbered():
    return "".join(f"{i},{a:.6e},{b:.6e},\n" for i, (a, b) in enumerate(VOLTS))


LABVIEW = """LabVIEW Measurement\t
Writer_Version\t2
Separator\tTab
X_Columns\tOne
Time_Pref\tAbsolute
***End_of_Header***\t
\t
Channels\t2
Samples\t600\t600
X0\t0.0E+0\t0.0E+0
Delta_X\t4.0E-6\t4.0E-6
***End_of_Header***\t
X_Value\tVoltage_0\tVoltage_1\tComment
"""
SIGLENT = """Record Length,Analog:600
Sample Interval,Analog:0.000004000
Vertical Units,CH1:V,CH2:V
Vertical Scale,CH1:0.50
Horizontal Units,s
Model Number,SDS0000
Source,CH1,CH2
Second,Volt,Volt
"""
TEKTRONIX = """Model,MSO0
Firmware Version,1.2

Waveform Type,ANALOG,
Point Format,Y,
Horizontal Units,s,
Horizontal Scale,0.004,
Sample Interval,4e-06,
Record Length,600,
Probe Attenuation,1,1
Vertical Units,V,V
Vertical Offset,0,0
,,
Label,,
TIME,CH1,CH2
"""
DIALECTS = {
    "keysight": "x-axis,1,2\nsecond,Volt,Volt\n" + table("{:+.9E}"),
    "keysight, ms": "x-axis,1,2\nms,V,V\n" + table("{:.6f}", 1e3),
    "rigol, increment": "X,CH1,CH2,Start,Increment,\nSequence,Volt,Volt,0.0e+00,4.0e-06,\n"
    + numbered(),
    "rigol, t0 and tInc": "X,CH1,CH2,t0 = -6.0e-3s, tInc = 4.0e-06,\n" + numbered(),
    "rigol, values": "CH1V,CH2V,t0 =-0.006s, tInc =4e-06s,\n" + values(",,,"),
    "rigol, seconds": "Time(s),CH1(V),CH2(V)\n" + table("{:.9e}"),
    "siglent": SIGLENT + table(),
    "tektronix": TEKTRONIX + table("{:.6e}"),
    "picoscope": "Time;Channel A;Channel B\n(ms);(V);(V)\n\n" + table("{:.8f}", 1e3, ";", True),
    "moku": "% Moku:Go Oscilloscope\n% Acquisition rate: 250.0 kS/s, Normal mode\n"
    "% Time (ms), Input 1 (V), Input 2 (V)\n" + table("{:.6f}", 1e3),
    "rohde & schwarz": "in s,C1 in V,C2 in V\n" + table("{:.9e}"),
    "rohde & schwarz, brackets": "Time [s],C1 [V],C2 [V]\n" + table("{:.9e}"),
    "digilent": "#Digilent WaveForms Oscilloscope Acquisition\n#Sample rate: 0.25 MHz\n\n"
    "Time (ms),Channel 1 (V),Channel 2 (V)\n" + table("{:.6f}", 1e3),
    "red pitaya": "#NAME:,Scope\n#Sampling rate:,250 kS/s\nIN1,IN2\n" + values(),
    "red pitaya, ms": "Time (ms),IN1 (V),IN2 (V)\n" + table("{:.6f}", 1e3),
    "labview": LABVIEW + table("{:.6f}", separator="\t"),
    "german": "Zeit [µs];Kanal 1 [V];Kanal 2 [V]\n" + table("{:.3f}", 1e6, ";", True),
    "minutes": "time (min),a,b\n" + table("{:.12f}", 1.0 / 60.0),
    "dt with unit": "# dt = 4 us\na,b\n" + values(),
    "samples per second": "# fs: 250 kSa/s\na,b\n" + values(),
    "key, comma, value": "XInc:,4.0E-006\na,b\n" + values(),
    "value before time": "CH1 (V),CH2 (V),Time (s)\n"
    + "".join(f"{a:.6f},{b:.6f},{t:.7f}\n" for t, (a, b) in zip(TIME, VOLTS, strict=True)),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("given", [None, RATE])
def test_export_is_read_at_its_rate_with_both_channels(tmp_path, dialect, given):
    path = tmp_path / "export.csv"
    path.write_text(DIALECTS[dialect], encoding="utf-8")
    record = open_record(path) if given is None else open_record(path, sample_rate=given)
    assert record.sample_rate == pytest.approx(RATE, rel=1e-6)
    assert record.unit == "V"
    assert len(record.names) == 2
    np.testing.assert_allclose(record.samples * record.scale, VOLTS, atol=1e-6)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_export_contradicts_another_rate(tmp_path, dialect):
    path = tmp_path / "export.csv"
    path.write_text(DIALECTS[dialect], encoding="utf-8")
    with pytest.raises(FileError, match=r"250000 Hz"):
        open_record(path, sample_rate=300e3)


@pytest.mark.parametrize(
    ("head", "scale"),
    [
        ("Time,Channel A,Channel B\n(s),(mV),(mV)\n\n", (1e-3, 1e-3)),
        ("Time,Channel A,Channel B\n(s),(V),(mV)\n\n", (1.0, 1e-3)),
        ("x-axis,1,2\ns,uV,V\n", (1e-6, 1.0)),
        ("Time (s),Channel 1 (mV),Channel 2 (V)\n", (1e-3, 1.0)),
    ],
)
def test_units_of_single_columns_scale_them(tmp_path, head, scale):
    path = tmp_path / "units.csv"
    path.write_text(head + table(), encoding="utf-8")
    record = open_record(path)
    assert record.unit == "V"
    np.testing.assert_allclose(record.samples * record.scale, VOLTS * scale, rtol=1e-9)


def pairs(shift, head="Time (s),CH1 (V),Time (s),CH2 (V)\n"):
    """Text of an X,Y,X,Y table whose second channel is later."""
    return head + "".join(
        f"{t:.9f},{a:.6f},{t + shift:.9f},{b:.6f}\n" for t, (a, b) in zip(TIME, VOLTS, strict=True)
    )


@pytest.mark.parametrize("shift", [0.0, 1e-6, -1.5e-6, 3.9e-6])
def test_second_column_of_time_gives_the_delay_of_its_channel(tmp_path, shift):
    path = tmp_path / "pairs.csv"
    path.write_text(pairs(shift))
    record = open_record(path)
    assert record.names == ("CH1", "CH2")
    assert record.sample_rate == pytest.approx(RATE)
    if not shift:
        assert record.delays == () == record.warnings
        return
    assert record.delays == pytest.approx((0.0, shift), abs=1e-12)
    assert f"{abs(shift) * RATE:.3g} of a sample" in " ".join(record.warnings)


@pytest.mark.parametrize("shift", [4.5e-6, -1e-3])
def test_channels_of_other_times_are_refused(tmp_path, shift):
    path = tmp_path / "pairs.csv"
    path.write_text(pairs(shift))
    with pytest.raises(FileError, match="grow evenly and differ"):
        open_record(path)


def test_delay_is_of_the_chosen_channels_and_outlives_joining(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(pairs(1e-6))
    chosen = open_record(path, columns="t=0, 3, 1")
    assert chosen.delays == pytest.approx((1e-6, 0.0), abs=1e-12)
    other = tmp_path / "third.csv"
    rows = "".join(f"{t:.9f},{np.sin(2e5 * t):.6f}\n" for t in TIME)
    other.write_text("Time (s),CH3 (V)\n" + rows)
    joined = open_record([path, other])
    assert joined.delays == pytest.approx((0.0, 1e-6, 0.0), abs=1e-12)


def test_lecroy_text_of_a_sequence_is_repetitions_from_its_trigger(tmp_path):
    path = tmp_path / "sequence.csv"
    head = (
        "LECROYWS,12345,Waveform\nSegments,3,SegmentSize,200\n"
        "Segment,TrigTime,TimeSinceSegment1\n#1,01-Jan-2026 00:00:00,0\n"
        "#2,01-Jan-2026 00:00:01,1\n#3,01-Jan-2026 00:00:02,2\nTime,Ampl\n"
    )
    rows = [f"{i % 200 / RATE - 2e-4:.9f},{a:.6f}\n" for i, a in enumerate(VOLTS[:, 0])]
    path.write_text(head + "".join(rows))
    record = open_record(path)
    assert record.samples.shape == (3, 200, 1)
    assert (record.release_index, record.sample_rate) == (50, pytest.approx(RATE))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Time (s),a,b\n" + table(volts=VOLTS).replace(f"{VOLTS[7, 0]:.6f}", "∞", 1), "finite"),
        ("Time,a,b\n2026-01-01T00:00:00.1,1,2\n2026-01-01T00:00:00.2,1,2\n", "table of numbers"),
        ("# sample_rate = 500 kHz\nTime (s),a,b\n" + table(), "says 250000 Hz, the stated rate"),
        ("Time (s),a,b\n" + "".join(table().splitlines(keepends=True)[::-1]), "backwards"),
        ("Time (parsec),a,b\n" + table(), "unit of column"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, text, message):
    path = tmp_path / "export.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FileError, match=message):
        open_record(path)
