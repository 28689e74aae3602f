"""Tones, delays and mixing of detectors: named where they can be, taken off where they are said."""

from __future__ import annotations

import json

import numpy as np
import pytest
from simulated_spectra import record

import optobind as ob
from optobind.cli.app import invoke
from optobind.models.errors import InputError
from optobind.models.inference.matrices import model_pair

HZ, FS, SAMPLES = 2 * np.pi, 5e5, 1 << 18
PAIR = {
    "omega_1": HZ * 60e3, "omega_2": HZ * 60.4e3, "gamma_1": HZ * 300, "gamma_2": HZ * 300,
    "g_r": HZ * 200, "g_a": HZ * 60, "D11": 18850.0, "D22": 18850.0, "re_D12": 3770.0,
    "noise_1": 1e-5, "noise_2": 1e-5,
}  # fmt: skip


def stored(path, samples):
    np.savez(path, samples=samples.astype(np.float32), sample_rate=FS)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detection")
    rng = np.random.default_rng(5)
    pair = record(model_pair(PAIR), SAMPLES, FS, rng)
    f = np.fft.rfftfreq(SAMPLES, 1.0 / FS)
    late = pair.copy()  # channel 2 sampled 1 µs later: z(t + τ)
    late[:, 1] = np.fft.irfft(np.fft.rfft(pair[:, 1]) * np.exp(2j * np.pi * f * 1e-6), SAMPLES)
    stored(folder / "late.npz", late)
    alone = record(model_pair({**PAIR, "g_r": 0.0, "g_a": 0.0, "re_D12": 0.0}), SAMPLES, FS, rng)
    stored(folder / "mixed.npz", alone @ np.array([[1.0, 0.05], [0.05, 1.0]]).T)
    tone = 4.0 * np.sin(2 * np.pi * 61.5e3 * np.arange(SAMPLES) / FS)
    stored(folder / "tone.npz", alone[:, :1] + tone[:, None])
    return folder


def fitted(path, *options):
    return json.loads(_out(["fit", "spectrum", str(path), *options, "--json", "--no-intervals"]))


def _out(arguments):
    import contextlib
    import io

    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        assert invoke(arguments) == 0
    return stream.getvalue()


def pull(values, name, truth):
    known = values["parameters"][name]
    return (known["value"] - truth) / known["stderr"]


def test_a_delay_between_channels_is_named_and_taken_off(folder):
    plain = fitted(folder / "late.npz")
    assert plain["statistics"]["p_value"] < 1e-3
    (said,) = [text for text in plain["warnings"] if "delay of channel 2" in text]
    named = float(said.split(" by ")[1].split(" µs")[0])
    assert named == pytest.approx(1.0, abs=0.15)
    mended = fitted(folder / "late.npz", "--delay", "1 us")
    assert mended["statistics"]["p_value"] > 1e-3
    for name in ("g_r", "g_a", "re_D12", "D11", "D22"):
        assert abs(pull(mended, name, PAIR[name])) < 3.5, name
    assert mended["input"]["delay"] == pytest.approx(1e-6)
    assert not any("delay" in text for text in mended["warnings"])


def test_a_known_mixing_is_undone(folder):
    assert pull(fitted(folder / "mixed.npz"), "re_D12", 0.0) > 6.0
    mended = fitted(folder / "mixed.npz", "--mixing", "5 %")
    for name in ("re_D12", "g_a", "g_r"):
        assert abs(pull(mended, name, 0.0)) < 3.5, name


@pytest.mark.slow
def test_a_tone_is_named_and_can_be_left_out(folder):
    plain = fitted(folder / "tone.npz", "--model", "single")
    assert any("tone of a drive or mains" in text for text in plain["warnings"])
    mended = fitted(folder / "tone.npz", "--model", "single", "--exclude", "61 kHz", "62000")
    assert mended["parameters"]["omega"]["value"] / HZ == pytest.approx(60e3, abs=60.0)
    assert abs(pull(mended, "D", PAIR["D11"])) < 3.5
    assert mended["input"]["exclude"] == [[61e3, 62e3]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--exclude", "9", "3"], "must rise"),
        (["--exclude", "60 kHz"], "needs two frequencies"),
        (["--exclude", "9 3"], "must rise"),
        (["--exclude", "9 kHz 3 kHz"], "must rise"),
        (["--exclude", "0", "1 MHz"], "leaves no bin"),
        (["--mixing", "300 %"], "--mixing must lie"),
        (["--mixing", "1,2,3"], "100 %|one share or two"),
        (["--mixing", "95 %"], "mixing must lie"),
        (["--delay", "1 h"], "delay must lie"),
        (["--delay", "1 us", "--model", "single", "--channels", "0"], "two channels"),
    ],
)
def test_nonsense_is_refused_in_one_line(folder, options, message):
    with pytest.raises(InputError, match=message):
        invoke(["fit", "spectrum", str(folder / "mixed.npz"), *options])


def test_what_the_record_tells_of_its_channels_is_taken_off(folder):
    from dataclasses import replace

    late = ob.open_record(folder / "late.npz")
    told = ob.analyse_spectrum(replace(late, delays=(0.0, 1e-6))).result
    said = ob.analyse_spectrum(late, delay=1e-6).result
    assert told.value("re_D12") == said.value("re_D12")
