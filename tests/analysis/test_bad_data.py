"""Bad data are named before they are fitted, by kind; what can be left out is, and said."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from simulated_spectra import record

import optobind as ob
from optobind.analysis.rig_check import against_rig, overdamped
from optobind.models.errors import InputError
from optobind.models.inference.matrices import model_single
from optobind.models.inference.result import FitResult, FittedParameter

from . import bad_data, bad_lines
from .bad_data import KINDS, RATE, RELEASES, STEADY, Line, named_in_releases, named_in_steady

FAULTS = {**STEADY, **RELEASES}


def share_named(kind: str, cases: range) -> float:
    make, words = FAULTS[kind]
    named = named_in_steady if kind in STEADY else named_in_releases
    found = 0
    for seed in cases:
        rng = np.random.default_rng([seed, 77])
        found += words in named(make(rng, KINDS[seed % len(KINDS)]))
    return found / len(cases)


@pytest.mark.parametrize("kind", list(RELEASES))
def test_faults_of_releases_are_named(kind):
    assert share_named(kind, range(2, 4)) == 1.0


@pytest.mark.study
@pytest.mark.parametrize("kind", list(FAULTS))
def test_nearly_every_fault_is_named(kind):
    """The full table, 100 cases of each, is printed by ``python -m bench.bad_data``.

    Some of these drifts of power are too weak to be told from chance (``bad_lines`` has others).
    """
    least = 9 if kind == "drift of power" else 11
    assert share_named(kind, range(12)) >= least / 12


@pytest.mark.study
def test_clean_records_raise_no_alarm():
    for seed in range(24):
        rng = np.random.default_rng([seed, 78])
        kind = KINDS[seed % len(KINDS)]
        assert named_in_steady(bad_data.clean(rng, kind)) == "", (seed, kind)
        assert named_in_releases(bad_data.clean_releases(rng, kind)) == "", (seed, kind)


@pytest.mark.parametrize("before", [0, 1, 10])
def test_releases_with_hardly_anything_before_them_raise_no_alarm(before):
    """Many programs store what comes after the trigger only."""
    for seed in range(12):
        rng = np.random.default_rng([seed, 79])
        x = bad_data.clean_releases(rng, KINDS[seed % len(KINDS)])
        kept = np.ascontiguousarray(x[:, bad_data.RELEASE - before :])
        assert named_in_releases(kept, before) == "", seed


@pytest.mark.parametrize(
    ("kind", "seed"),
    [("feedback switched", 0), ("drift of power", 2), ("drift of frequency", 0)]
    + [("tone by the line", seed) for seed in (0, 3)],
)
def test_what_changes_along_a_record_is_named(kind, seed):
    make, words = bad_lines.CHANGING[kind]
    assert words in bad_lines.said_of(make, seed)


@pytest.mark.parametrize("kind", ["clean", "clean, exceptional point"])
def test_a_line_that_stays_as_it_is_raises_no_alarm(kind):
    assert bad_lines.said_of(bad_lines.CLEAN[kind], 1) == ""


@pytest.mark.study
@pytest.mark.parametrize("kind", list(bad_lines.CHANGING))
def test_nearly_every_change_that_can_be_told_is_named(kind):
    """The faults are as weak as the strengths that docs/how-to/bad-data.md states."""
    make, words = bad_lines.CHANGING[kind]
    assert sum(words in bad_lines.said_of(make, seed) for seed in range(20)) >= 19


@pytest.mark.study
@pytest.mark.parametrize("kind", list(bad_lines.CLEAN))
def test_no_clean_line_raises_an_alarm(kind):
    assert [s for s in range(20) if bad_lines.said_of(bad_lines.CLEAN[kind], s)] == []


def test_a_lost_particle_a_cooled_one_and_other_light_are_told_apart():
    rng = np.random.default_rng(5)
    omega, gamma = 2 * np.pi * 5e3, 2 * np.pi * 60.0
    hot = bad_lines.Motion(1e5, 100_000, (omega,), gamma, 0.02)
    cold = replace(hot, gamma=20.0 * gamma, heat=0.05, samples=60_000)
    dimmed = replace(hot, heat=0.2, samples=60_000)
    gone = replace(hot, heat=1e-12, samples=60_000)

    def said(second):
        return bad_lines.said_of(lambda _: (bad_lines.joined([hot, second], rng), 1e5), 0)

    text = said(cold)
    assert "feedback was on from sample" in text
    assert "38 % of the samples are left out" in text
    assert "light or calibration changed" in said(dimmed)
    assert "the particle was lost" in bad_lines.said_of(
        lambda _: (
            np.concatenate([bad_lines.joined([hot], rng), gone.white(rng)]), 1e5
        ), 0,
    )  # fmt: skip


def test_a_tone_that_outshines_the_line_is_told_from_it():
    rng = np.random.default_rng(6)
    hot = bad_lines.Motion(1e5, 100_000, (2 * np.pi * 5e3,), 2 * np.pi * 60.0, 0.02)
    x = bad_lines.joined([hot], rng)
    x[:, 0] += 30.0 * np.cos(2 * np.pi * 5.031e3 / 1e5 * np.arange(len(x)))
    text = bad_lines.said_of(lambda _: (x, 1e5), 0)
    assert re.search(r"a tone at 5031(\.00.)? Hz of (29.9|30) V stands in z1", text)
    assert "--exclude 5021 5041" in text
    # A thermal line that is hardly resolved is none.
    narrow = replace(hot, gamma=1.0, samples=200_000)
    assert bad_lines.said_of(lambda _: (bad_lines.joined([narrow], rng), 1e5), 0) == ""


def stored(path, x, **more):
    np.savez(path, samples=x, sample_rate=RATE, **more)
    return ob.open_record(path)


@pytest.mark.parametrize("what", ["dead", "held", "copied", "lost"])
def test_bad_stretches_are_left_out_and_the_rest_gives_the_truth(tmp_path, what):
    rng, part = np.random.default_rng(3), slice(40_000, 80_000)
    gamma = 2 * np.pi * 1.5e3
    model = model_single({"omega": 2 * np.pi * 60e3, "gamma": gamma, "D": gamma, "noise": 1e-6})
    x = record(model, 1 << 17, RATE, rng)[:, 0]
    if what == "lost":
        x[part] = 0.5 * rng.standard_normal(40_000)
    if what == "dead":
        x[part] = 0.0
    if what == "held":
        x[part] = x[part.start]
    if what == "copied":
        x[part] = x[:40_000]
    result = ob.analyse_spectrum(stored(tmp_path / "a.npz", x[:, None])).result
    assert abs(result.value("D") - gamma) < 3.5 * result.stderr("D")
    (said,) = [text for text in result.warnings if "left out" in text]
    share = float(said.split(" % of the samples are left out")[0].split()[-1])
    assert 29.0 < share < 36.0


def test_a_record_of_which_hardly_anything_is_sound_is_refused(tmp_path):
    rng = np.random.default_rng(3)
    x = Line(60e3, 1.5e3, 0.02, 1 << 16).record(rng)
    x[500:] = 0.0
    with pytest.raises(InputError, match="too little of the record is sound"):
        ob.analyse_spectrum(stored(tmp_path / "a.npz", x[:, None]))
    beside = np.stack([np.full(len(x), 3.0), x[::-1]], axis=1)
    with pytest.raises(InputError, match=r"100 % of the samples .*others of its channels"):
        ob.analyse_spectrum(stored(tmp_path / "b.npz", beside))


def test_copies_far_apart_in_a_long_record_are_found_in_bounded_memory():
    from optobind.models.copies import CopyWatch

    rng = np.random.default_rng(0)
    x = rng.standard_normal(3_000_000).astype(np.float32)
    x[2_800_000:2_900_000] = x[100_000:200_000]
    watch = CopyWatch(64)
    for start in range(0, len(x), 1 << 16):
        watch.add(x[start : start + (1 << 16)], start)
    (found,), share = watch.copies()
    assert abs(found[0] - 2_800_000) < 2000
    assert abs(found[1] - 2_900_000) < 2000
    assert share == pytest.approx(1 / 30, rel=0.2)
    assert sum(map(len, watch._hashes)) <= 1 << 17


def test_mains_are_told_from_drives():
    from optobind.models.tones import Tone

    assert Tone(150.02, 1.0, 0.5).mains == 50.0
    assert Tone(60.9e3, 1.0, 4.0).mains is None


def result(**values: float) -> FitResult:
    table = {n: FittedParameter(v, 1e-3 * abs(v), "rad/s") for n, v in values.items()}
    return FitResult("pair", table, tuple(values), np.eye(len(values)), {}, {}, True)


EXPECTED = {
    "omega_1": 3.4e5, "omega_2": 3.2e5, "g_r": -3e3, "g_a": 4e3,
    "gamma_1": 1e-4, "gamma_2": 1e-4, "pressure": 1e-6,
}  # fmt: skip
AS_EXPECTED = {"omega_1": 3.3e5, "omega_2": 3.25e5, "g_r": -2e3, "g_a": 3e3}


def test_a_fit_that_suits_the_rig_raises_no_doubt():
    assert against_rig(result(**AS_EXPECTED), EXPECTED) == ()
    assert against_rig(result(g_r=1e2, g_a=3e3), EXPECTED) == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"omega_1": 3.2e5, "omega_2": 3.4e5, "g_a": -3e3}, "channels are exchanged"),
        ({"g_r": 2e3, "g_a": -3e3}, "polarity of a detector is reversed"),
        ({"gamma_1": 50.0, "gamma_2": 60.0}, "not the damping of the gas at 1e-06 Pa"),
    ],
)
def test_what_contradicts_the_rig_is_named(change, message):
    said = "; ".join(against_rig(result(**{**AS_EXPECTED, **change}), EXPECTED))
    assert message in said


def test_overdamped_motion_is_named():
    assert "is overdamped" in overdamped(result(omega=6.3e5, gamma=3.7e6))[0]
    assert "nearly overdamped" in overdamped(result(omega=1.0, gamma=1.5))[0]
    assert overdamped(result(omega=1.0, gamma=0.5)) == ()
