"""State of the panels without a toolkit."""

import math
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_session import PAIR, FakeSession

from optobind.acquisition.outcome import RunOutcome
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan, SequencePlan
from optobind.acquisition.releases import LeftOut, ReleaseCount
from optobind.acquisition.snapshots import (
    LightSnapshot,
    SessionStatus,
    TraceSnapshot,
    TrackSnapshot,
)
from optobind.acquisition.worth import RunWorth, StepWorth
from optobind.gui.viewmodels import run
from optobind.gui.viewmodels.curves import Curve
from optobind.gui.viewmodels.fit import fit_rows, fit_table, strip
from optobind.gui.viewmodels.light import LightModel
from optobind.gui.viewmodels.log import LogModel
from optobind.gui.viewmodels.reheating import (
    ReheatingModel,
    Single,
    nearest_single,
    parse_exclusion,
)
from optobind.gui.viewmodels.spectra import SpectraModel
from optobind.gui.viewmodels.statusbar import status_cells
from optobind.gui.viewmodels.traces import TracesModel
from optobind.instruments.protocols import AppliedLight
from optobind.models.errors import InputError
from optobind.models.light import Site, TweezerState


@pytest.fixture(scope="module")
def source():
    session = FakeSession()
    session.publish()
    return session


@pytest.fixture
def spectra(source):
    model = SpectraModel()
    model.set_spectrum(source.spectrum())
    model.set_fit(source.fit())
    return model


@pytest.fixture
def light():
    state = TweezerState((Site((1.3e-6, 0, 0), 0.2, 0.3), Site((-1.3e-6, 0, 0), 0.3)))
    model = LightModel()
    model.update(LightSnapshot(state, AppliedLight(state)), None)
    return model


# -- spectra ------------------------------------------------------------------------------------


def test_a_view_has_at_most_two_points_per_pixel(spectra):
    view = spectra.view(*spectra.full_range(), 300)
    for curve in (*view.autos, view.cross, view.coherence, view.phase, *view.fit_autos):
        assert 0 < curve.x.size <= 2 * 302


def test_curves_are_log10_of_the_estimate_and_phases_keep_their_sign(spectra, source):
    csd = source.spectrum().csd
    view = spectra.view(4.85, 4.95, 100000)
    index = int(np.argmin(np.abs(np.log10(csd.frequencies) - view.autos[0].x[20])))
    assert view.autos[0].y[20] == pytest.approx(math.log10(csd.matrix[index, 0, 0].real))
    place = int(np.argmin(np.abs(np.log10(csd.frequencies) - view.phase.x[20])))
    assert view.phase.y[20] == pytest.approx(np.angle(csd.matrix[place, 0, 1]))


def test_a_click_next_to_a_line_picks_it_and_f_gets_a_band_around_it(spectra):
    peak = spectra.pick_peak(74.0e3, 2.5e3)
    lines = np.array(PAIR.line_frequencies) / (2.0 * math.pi)
    assert np.abs(lines - peak).min() < 1.5e3
    assert spectra.band_around_peak() == (0.8 * peak, 1.2 * peak)


def test_cursors_read_frequency_difference_ratio_coherence_and_phase(spectra):
    spectra.cursors = [70e3, 80e3]
    a, b, both, band = spectra.read_out()
    assert a.startswith("A  69.9463 kHz   S11 ")
    assert "coh " in b
    assert "phase " in b
    assert "Δf 10.01 kHz" in both
    assert "dB" in both
    assert band.startswith("∫ A … B: ⟨z1²⟩")


def test_four_references_are_kept_and_the_oldest_goes(spectra):
    for _ in range(6):
        spectra.store_reference()
    assert [r.name for r in spectra.references] == ["R3", "R4", "R5", "R6"]
    assert len(spectra.view(4.7, 5.0, 200).references) == 4


def test_a_band_is_ordered_and_kept_inside_the_spectrum(spectra):
    assert spectra.clip_band(90e3, 60e3) == (60e3, 90e3)
    low, high = spectra.clip_band(-5.0, 1e9)
    assert 0.0 < low < high == spectra.nyquist


def test_the_vertical_range_does_not_follow_small_changes(spectra):
    first = spectra.view(4.7, 5.0, 200).y_range
    spectra.set_spectrum(FakeSession(seed=9).make_spectrum())
    second = spectra.view(4.7, 5.0, 200).y_range
    assert second[0] <= first[0]
    assert second[1] >= first[1]


# -- fits ---------------------------------------------------------------------------------------


def test_rates_are_shown_divided_by_two_pi(source):
    rows = {row.name: row for row in fit_rows(source.fit().result)}
    result = source.fit().result
    assert rows["omega_1"].unit == "kHz"
    shown = float(rows["omega_1"].value.split(" ± ")[0])
    assert shown == pytest.approx(result.value("omega_1") / (2e3 * math.pi), rel=1e-4)
    assert rows["noise_1"].unit == "1/Hz"


def test_a_prediction_is_compared_in_standard_errors(source):
    result = source.fit().result
    predicted = result.value("g_r") - 2.0 * result.stderr("g_r")
    row = next(r for r in fit_rows(result, {"g_r": predicted}) if r.name == "g_r")
    assert row.pull == pytest.approx(2.0)
    assert row.pull_text == "+2.0 σ"
    assert row.predicted


def test_a_failed_fit_shows_its_reason():
    from optobind.acquisition.snapshots import FitSnapshot

    snapshot = FitSnapshot(1, None, np.zeros(0), None, "too few averages: 3")
    table = fit_table(snapshot)
    assert (table.rows, table.verdict, table.severity) == ((), "too few averages: 3", "error")


def test_a_strip_holds_the_band_of_one_sigma(source):
    now = time.time()
    result = source.fit().result
    data = strip([(now - 500.0, result), (now - 5.0, result)], "g_r", now)
    assert data.ages == pytest.approx([-5.0], abs=0.1)
    sigma = result.stderr("g_r") / (2.0 * math.pi)
    assert data.high - data.low == pytest.approx([2.0 * sigma])


# -- light --------------------------------------------------------------------------------------


def test_a_knob_changes_only_its_own_quantity(light):
    state = light.commit("phi", 1.0)
    assert state.relative_phase == pytest.approx(1.0)
    assert state.separation == pytest.approx(2.6e-6)
    light.answered()
    assert light.commit("separation", 3e-6).separation == pytest.approx(3e-6)
    light.answered()
    assert light.commit("balance", -0.1).balance == pytest.approx(-0.1)
    light.answered()
    total = light.commit("total_power", 0.6)
    assert sum(s.power for s in total.sites) == pytest.approx(0.6)
    assert total.balance == pytest.approx(0.2)


def test_a_held_knob_refuses_by_name(light):
    light.update(LightSnapshot(light.requested, None), SessionStatus(mode="SIM", held_by="run 12"))
    assert not light.enabled("phi")
    assert light.note() == ("held by run 12", "info")
    with pytest.raises(InputError, match="phi is held by run 12"):
        light.commit("phi", 0.1)


def test_a_read_back_off_the_request_is_noticed(light):
    other = light.requested.with_pair(phi=0.5)
    light.update(LightSnapshot(light.requested, AppliedLight(other)), None)
    assert light.differs("phi")
    assert not light.differs("balance")


def test_one_tweezer_or_none_has_no_knobs():
    model = LightModel()
    model.update(LightSnapshot(None, None), None)
    assert not model.enabled("phi")
    model.update(LightSnapshot(TweezerState((Site((0, 0, 0), 0.1),)), None), None)
    assert not model.enabled("phi")
    model.limit(None)
    assert model.note()[0] == "This rig has no light control."


# -- run, status, log, traces, reheating ---------------------------------------------------------


def test_plans_are_built_from_what_was_typed():
    assert run.build_plan("monitor", {"duration": "2 min"}) == MonitorPlan(120.0)
    assert run.build_plan("monitor", {"duration": ""}) == MonitorPlan(None)
    texts = {"repetitions": "40", "cool_time": "2 ms", "release_time": "500 µs"}
    assert run.build_plan("reheating", texts) == ReheatingPlan(40, 2e-3, 5e-4)
    sequence = run.build_plan("sequence", {"duration": "1 s", **texts})
    assert sequence == SequencePlan((MonitorPlan(1.0), ReheatingPlan(40, 2e-3, 5e-4)))


def test_a_bad_field_of_a_plan_is_named():
    with pytest.raises(InputError, match="release has the unit 'V', which does not fit; known: µs"):
        run.build_plan("reheating", {"release_time": "3 V"})


def test_time_left_follows_from_progress():
    model = run.RunModel()
    status = SessionStatus(mode="SIM", state="running", progress=0.0, message="repetition 0 of 9")
    assert model.progress(status, 100.0).remaining == ""
    status = SessionStatus(mode="SIM", state="running", progress=0.25, message="repetition 3 of 9")
    assert model.progress(status, 110.0).remaining == "about 30 s left"


@pytest.mark.parametrize(
    ("state", "acting"),
    [
        ("idle", {"start"}),
        ("running", {"pause", "stop", "abort"}),
        ("paused", {"pause", "stop", "abort"}),
        ("stopping", {"abort"}),
        ("failed", {"start"}),
    ],
)
def test_buttons_follow_the_state(state, acting):
    buttons = run.RunModel().buttons(SessionStatus(mode="SIM", state=state), True)
    assert {name for name, on in buttons.items() if on} == acting


def test_gaps_and_a_full_disk_are_shown_as_errors():
    status = SessionStatus(
        mode="LIVE",
        streaming=True,
        gaps=2,
        lost_samples=12,
        releases=ReleaseCount(500, 40, 38, {LeftOut.LOST_SAMPLES: 2}),
        disk_seconds=30.0,
        recording="a/run.h5",
    )
    cells = status_cells(status)
    assert (cells.gaps.text, cells.gaps.severity) == ("file: 2 GAPS · 12 samples lost", "error")
    assert "38 of 500 releases usable (2 after lost samples)" in cells.gaps.tip
    assert cells.disk.severity == "error"
    assert "a/run.h5" in cells.recording.text


def test_equal_errors_are_counted_in_log_and_toasts():
    log = LogModel()
    for number in range(200):
        log.write("error", f"the digitizer lost {number} samples")
        log.write("warning", "gauge: no answer")
    assert [line.count for line in log.lines] == [200, 200]
    assert log.lines[0].label.endswith("(×200)")
    assert len(log.take_toasts()) == 2
    assert log.take_toasts() == []


def test_reports_of_progress_are_not_merged():
    log = LogModel()
    log.write("info", "run 1 started")
    log.write("info", "run 2 started")
    assert len(log.lines) == 2


def test_traces_start_at_a_rising_crossing_and_fit_the_window(source):
    model = TracesModel()
    view = model.view(source.trace(), 400)
    assert view.x_range == pytest.approx((0.0, 200e-6), rel=0.01)
    assert view.curves[0].y[:40].mean() > 0.0


def test_banners_say_what_goes_on():
    model = TracesModel()
    model.frozen = True
    recording = SessionStatus(mode="SIM", recording="run.h5")
    assert model.banner(recording)[0] == "frozen – still recording"
    model.frozen = False
    assert "SATURATED" in model.banner(SessionStatus(mode="SIM", saturated=True))[0]
    assert "LOST" in model.banner(SessionStatus(mode="SIM", lost=True))[0]


def test_the_window_says_how_many_releases_are_usable(source):
    count = ReleaseCount(500, 60, 57, {LeftOut.LOST_SAMPLES: 2, LeftOut.EXCLUDED: 1})
    words = "57 used, 3 left out (2 after lost samples, 1 excluded by hand)"
    snapshot = replace(source.make_reheating(60), releases=count)
    assert ReheatingModel().view(snapshot).counter == f"repetition 60 of 500 · {words}"
    empty = replace(snapshot, estimate=None)
    assert words in ReheatingModel().view(empty).counter
    repeats = replace(snapshot, repetitions_done=510)
    assert ReheatingModel().view(repeats).counter.startswith("repetition 500 of 500 · ")


def test_an_outcome_says_once_what_the_run_is_worth():
    count = ReleaseCount(1000, 1000, 64, {LeftOut.LOST_SAMPLES: 936})
    worth = RunWorth(10, 3, 900, (StepWorth(0, "reheating", None, 10, 900, count),))
    words = "64 of 1000 releases usable (936 after lost samples); 3 gaps, 900 samples lost in all"
    path = Path("run.h5")
    incomplete = RunOutcome(path, "incomplete", f"{words}; run the plan again", worth, 4)
    assert run.outcome_text(incomplete) == f"run incomplete: {words}; run the plan again"
    assert run.outcome_text(RunOutcome(path, "complete", "", worth)) == f"run complete: {words}"
    assert run.outcome_text(RunOutcome(path, "complete", "", RunWorth(10, 0, 0))) == "run complete"


def test_reheating_curves_are_freed_of_detector_noise_and_carry_the_fit(source):
    snapshot = source.make_reheating(60)
    view = ReheatingModel().view(snapshot)
    assert view.counter == "repetition 60 of 500 · 60 used"
    offset = snapshot.estimate.noise_offset
    np.testing.assert_allclose(view.energies[0].y, snapshot.estimate.E1 - offset[0])
    # The curves were drawn from the model whose parameters the fit quotes.
    for points in (*view.energies, *view.cross):
        assert np.abs((points.y - points.fit.y) / points.stderr).max() < 6.0


def test_the_live_number_says_which_estimator_it_is_of(source):
    note = ReheatingModel().view(source.make_reheating(60)).note
    assert note.startswith("Re D₁₂/2π = ")
    assert "By transitions" in note
    assert "exact likelihood, unless told otherwise" in note


def test_common_and_differential_mode_are_mean_plus_minus_re_c(source):
    snapshot = source.make_reheating(30)
    model = ReheatingModel()
    model.show_modes = True
    plus, minus = model.view(snapshot).energies
    np.testing.assert_allclose(plus.y - minus.y, 2.0 * snapshot.estimate.C.real)


def test_an_exclusion_needs_number_and_reason():
    assert parse_exclusion("12 hit by a flash") == (12, "hit by a flash")
    with pytest.raises(InputError, match="number"):
        parse_exclusion("flash")
    with pytest.raises(InputError, match="no repetition 41; done so far: 1 to 40"):
        parse_exclusion("41 flash", done=40)


def test_the_repetition_under_a_click_is_found_by_its_line():
    t = np.array([0.0, 1e-3])
    singles = tuple(
        Single(n, (Curve(t, np.array([0.0, top])), Curve(t, np.array([500.0, 500.0]))), False)
        for n, top in ((39, 100.0), (40, 200.0))
    )
    reach = (2e-5, 4.0)
    assert nearest_single(singles, 0.5e-3, 101.0, reach).number == 40
    assert nearest_single(singles, 0.5e-3, 51.0, reach).number == 39
    assert nearest_single(singles, 0.5e-3, 300.0, reach) is None
    assert nearest_single((), 0.5e-3, 300.0, reach) is None


def test_strips_are_not_joined_where_there_were_no_fits():
    now = time.time()
    result = FakeSession().make_fit().result
    ages = (-30.0, -29.9, -29.8, -10.0, -9.9)
    data = strip([(now + age, result) for age in ages], "g_r", now)
    assert data.joined.tolist() == [True, True, False, True, False]


def test_pulls_of_the_model_itself_are_standard_normal(source):
    source.publish()
    model = SpectraModel()
    model.set_spectrum(source.spectrum())
    model.set_fit(source.fit())
    assert model.view(3.0, 6.0, 100_000).pulls == ()
    model.show_pulls = True
    for pulls in model.view(3.0, 6.0, 100_000).pulls:
        assert abs(pulls.y.mean()) < 0.5
        assert 0.5 < pulls.y.std() < 1.6


def test_a_fit_of_another_segment_length_has_no_pulls(source):
    source.publish()
    model = SpectraModel()
    model.set_spectrum(source.spectrum())
    fit = source.fit()
    model.set_fit(replace(fit, frequencies=fit.frequencies * 1.01))
    model.show_pulls = True
    assert model.view(3.0, 6.0, 500).pulls == ()


def tracked(p_value):
    time = np.arange(2000) / 1e6
    motion = 0.1 * np.sin(2 * np.pi * 5e4 * time)[:, None] * [1.0, 0.5]
    noisy = motion + 0.01 * np.random.default_rng(1).standard_normal(motion.shape)
    return TrackSnapshot(
        3, 0, 1e6, ("z1", "z2"), noisy, motion, np.array([4e-3, 5e-3]), "quanta",
        np.zeros((2000, 4)), np.array([0.48, 0.5]), p_value,
    )  # fmt: skip


def test_tracked_motion_is_cut_out_with_its_samples():
    snapshot = tracked(0.3)
    trace = TraceSnapshot(3, 0, 1e6, snapshot.volts, snapshot.channels)
    view = TracesModel().view(trace, 10_000, snapshot.tracked)
    assert len(view.overlays) == 2
    for over, curve in zip(view.overlays, view.curves, strict=True):
        np.testing.assert_allclose(over.x, curve.x)
        assert np.std(over.y - curve.y) == pytest.approx(0.01, rel=0.2)
    assert TracesModel().view(trace, 400).overlays == ()


def test_what_is_tracked_says_how_well_and_whether_that_is_believed():
    text = TracesModel.tracked_text(tracked(0.3))
    assert text == "tracked ± 4, 5 mV, not known n = 0.48, 0.5, innovations white"
    assert "NOT white" in TracesModel.tracked_text(tracked(1e-5))
    assert "first good fit" in TracesModel.tracked_text(None)
