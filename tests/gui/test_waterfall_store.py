"""The waterfall's store: hours in bounded memory, whatever comes."""

import math
from dataclasses import replace

import numpy as np
import pytest

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.snapshots import Basis, SpectrumSnapshot
from optobind.gui.viewmodels.waterfall import WaterfallModel, span_label
from optobind.gui.viewmodels.waterfall_marks import OpenSpans, TimeMark
from optobind.gui.viewmodels.waterfall_rows import COLUMNS, PLANES
from optobind.gui.viewmodels.waterfall_store import AGES, MAX_BYTES, WaterfallStore
from optobind.models.spectra import CsdEstimate

BINS, STEP = 400, 250.0


def spectrum(
    number=1,
    *,
    level=1.0,
    bins=BINS,
    step=STEP,
    names=("a", "b"),
    light=0,
    last=None,
    unit="V",
    rng=None,
):
    """S_11 = level, S_22 = 4 level, S_12 = level·e^{iπ/3}; a bin of noise where wanted."""
    f = step * np.arange(bins + 1)
    matrix = np.zeros((bins + 1, len(names), len(names)), complex)
    for j in range(len(names)):
        matrix[:, j, j] = level * 4.0**j
    if len(names) > 1:
        matrix[:, 0, 1] = level * np.exp(1j * np.pi / 3)
        matrix[:, 1, 0] = matrix[:, 0, 1].conj()
    if rng is not None:
        matrix *= rng.exponential(size=(bins + 1, 1, 1))
    last = 1000 * number if last is None else last
    csd = CsdEstimate(
        f, matrix, 8, np.ones(8), 4, 2.0 * bins * step, unit, 8.0, max(0, last - 500), last
    )
    return SpectrumSnapshot(number, csd, tuple(names), Basis(light))


def fed(store, count, *, begin=1000.0, step=0.1, **named):
    for k in range(count):
        store.add(spectrum(k + 1, **named), begin + 0.01 + step * k, 5e8 + step * k)
    return begin + 0.01 + step * (count - 1)


@pytest.fixture
def store():
    return WaterfallStore(rows=20)


def row(store, level, now, back):
    age = store.ages[level]
    return age.row(math.floor((now - back) / age.period), store.grids)


# -- numbers --------------------------------------------------------------------------------------


def test_a_pixel_gives_its_spectrum_back_to_one_part_in_400(store):
    snapshot = spectrum(3, rng=np.random.default_rng(1))
    store.add(snapshot, 1000.0, 5e8)
    found = row(store, 0, 1000.0, 0.0)
    want = snapshot.csd.matrix[1:]
    np.testing.assert_allclose(found.csd.matrix, want, rtol=2.5e-3)
    np.testing.assert_allclose(found.csd.frequencies, snapshot.csd.frequencies[1:])
    assert found.wall == 5e8
    assert found.csd.unit == "V"
    assert found.csd.effective_averages == pytest.approx(8.0)


def test_older_rows_are_means_of_powers_and_of_complex_cross_spectra(store):
    for k in range(20):
        sign = 1.0 if k % 2 else -1.0
        snapshot = spectrum(k + 1, level=1.0 if k % 2 else 3.0)
        snapshot.csd.matrix[:, 0, 1] *= sign
        snapshot.csd.matrix[:, 1, 0] *= sign
        store.add(snapshot, 1000.005 + 0.1 * k, 5e8)
    old = row(store, 1, 1000.5, 0.0)
    np.testing.assert_allclose(old.csd.matrix[:, 0, 0].real, 2.0, rtol=3e-3)
    np.testing.assert_allclose(np.abs(old.csd.matrix[:, 0, 1]), 1.0, rtol=3e-3)  # (3 − 1)/2
    assert (old.first_sample, old.last_sample) == (500, 10_000)


def test_more_bins_than_columns_are_averaged_in_power(store):
    bins = 3 * COLUMNS
    snapshot = spectrum(1, bins=bins)
    snapshot.csd.matrix[1::3, 0, 0] = 4.0
    store.add(snapshot, 1000.0, 5e8)
    found = row(store, 0, 1000.0, 0.0)
    assert found.csd.frequencies.size == COLUMNS
    np.testing.assert_allclose(found.csd.matrix[:, 0, 0].real, 2.0, rtol=3e-3)
    assert found.csd.frequencies[0] == pytest.approx(2.0 * STEP)


def test_numbers_that_are_none_stay_none_and_hide_no_others(store):
    snapshot = spectrum(1)
    snapshot.csd.matrix[10, 0, 0] = np.nan
    snapshot.csd.matrix[11, 0, 1] = np.inf + 1j * np.nan
    snapshot.csd.matrix[12, 1, 1] = 0.0
    store.add(snapshot, 1000.0, 5e8)
    found = row(store, 0, 1000.0, 0.0).csd.matrix
    assert np.isnan(found[9, 0, 0])
    assert np.isnan(found[10, 0, 1])
    assert np.isnan(found[11, 1, 1])
    assert np.isfinite(found[12:]).all()
    model = WaterfallModel(store)
    model.look(2.0, 5.0, 64)
    for quantity in model.offered():
        model.choose(quantity.key)
        while model.update():
            pass
        assert model.shades().max() > 0


# -- memory and time ------------------------------------------------------------------------------


def test_memory_is_what_is_stated_however_long_it_lasts():
    assert MAX_BYTES == sum(600 * PLANES * COLUMNS * 2 for _ in AGES) < 250e6
    store = WaterfallStore(rows=20)
    before = store.bytes
    fed(store, 500)
    for k in range(600):  # and spectra that all differ in their grids
        store.add(spectrum(k, bins=30 + k), 1400.0 + 0.1 * k, 5e8)
    assert store.bytes == before == 4 * 20 * PLANES * COLUMNS * 2
    assert len(store.grids) <= 500
    assert row(store, 0, 1400.0 + 59.9, 0.0).csd.frequencies.size == 30 + 599


def test_hours_are_kept_ever_more_coarsely(store):
    now = fed(store, 1400, step=0.5)  # 700 s
    assert row(store, 0, now, 1.5) is not None
    assert row(store, 0, now, 5.0) is None
    assert row(store, 1, now, 15.0) is not None
    assert row(store, 2, now, 190.0) is not None
    assert row(store, 3, now, 650.0).period == 60.0
    assert [span_label(k, 600) for k in range(4)] == ["1 min", "10 min", "100 min", "10 h"]


def test_a_stream_that_stops_leaves_rows_empty_and_ages_go_on(store):
    now = fed(store, 10)
    again = now + 1.0
    store.add(spectrum(11), again, 5e8)
    assert row(store, 0, again, 0.0) is not None
    assert row(store, 0, again, 0.5) is None
    assert row(store, 0, again, 1.2) is not None
    model = WaterfallModel(store)
    model.look(2.0, 5.0, 8)
    model.update()
    low, high = model.extent(again + 30.0)
    assert high == pytest.approx(-30.0, abs=0.2)
    assert high - low == pytest.approx(2.0)


def test_a_set_point_that_changes_within_a_row_is_never_averaged_over(store):
    for k in range(5):
        store.add(spectrum(k + 1, level=1.0), 1000.0 + 0.1 * k, 5e8)
    for k in range(5, 10):
        store.add(spectrum(k + 1, level=9.0, light=1), 1000.0 + 0.1 * k, 5e8)
    newest = row(store, 1, 1000.9, 0.0).csd.matrix[:, 0, 0].real
    np.testing.assert_allclose(newest, 9.0, rtol=3e-3)


def test_rate_channels_unit_and_clock_may_change_at_any_time(store):
    store.add(spectrum(1), 1000.0, 5e8)
    store.add(spectrum(2, names=("a",)), 1000.1, 5e8 - 3600.0)  # the wall clock jumps
    store.add(spectrum(3, names="abcdef", bins=900, step=11.0), 1000.2, 5e8)
    store.add(spectrum(4, unit="m"), 999.0, 5e8)  # a monotonic clock that goes back
    store.add(spectrum(5, bins=1), 1000.3, 5e8)  # no frequency to speak of: nothing
    assert row(store, 0, 1000.1, 0.0).channels == ("a",)
    assert row(store, 0, 1000.1, 0.0).wall == 5e8 - 3600.0
    newest = row(store, 0, 1000.2, 0.0)
    assert newest.csd.unit == "m"
    assert newest.channels == ("a", "b")
    model = WaterfallModel(store)
    model.look(0.0, 6.0, 300)
    for quantity in ("auto3", "coherence", "auto0"):
        model.choose(quantity)
        while model.update():
            pass
        assert model.shades().shape == (20, 300)


def test_a_clock_that_leaps_ahead_empties_the_rows_once(store):
    fed(store, 30)
    store.add(spectrum(99), 1e7, 5e8)
    assert int((store.ages[0].grid_of >= 0).sum()) == 1


# -- files ----------------------------------------------------------------------------------------


def test_rows_know_the_file_that_holds_their_samples(store):
    store.add(spectrum(5, last=9000), 1000.05, 5e8)  # before the run
    store.add(spectrum(6, last=9500), 1000.15, 5e8, "run.h5", 300)  # an old one, seen late
    store.add(spectrum(1, last=700), 1000.25, 5e8, "run.h5", 900)
    store.add(spectrum(2, last=1200), 1000.35, 5e8, "run.h5", 1300)
    store.add(spectrum(3, last=1500), 1000.45, 5e8, None, 1600)  # the run has ended
    paths = [row(store, 0, 1000.05 + 0.1 * k, 0.0).path for k in range(5)]
    assert paths == ["", "", "run.h5", "run.h5", ""]


def test_an_old_spectrum_of_a_short_stream_is_not_taken_for_one_of_the_run(store):
    store.add(spectrum(5, last=400), 1000.0, 5e8)
    store.add(spectrum(6, last=450), 1000.15, 5e8, "run.h5", 500)
    store.add(spectrum(7, last=600), 1000.25, 5e8, "run.h5", 700)  # the run is being prepared
    store.add(spectrum(1, last=600), 1000.35, 5e8, "run.h5", 700)
    paths = [row(store, 0, 1000.05 + 0.1 * k, 0.0).path for k in range(1, 4)]
    assert paths == ["", "", "run.h5"]


# -- marks ----------------------------------------------------------------------------------------


def test_set_points_gaps_faults_and_notes_are_marked_where_they_happened(store):
    events = [
        Event(0, EventKind.LIGHT, {"sites": []}, 5e8 - 1.0),
        Event(0, EventKind.GAP, {"lost": 7}, 5e8),
        Event(0, EventKind.FAULT, {"device": "slm", "message": "gone"}, 5e8),
        Event(0, EventKind.NOTE, {"text": "lamp on"}, 5e8 + 900.0),  # the wall clock was set back
        Event(0, EventKind.PRESSURE, {"pascal": 1.0}, 5e8),
    ]
    store.take_events(events, 1000.0, 5e8)
    assert [(m.kind, m.at) for m in store.marks] == [
        ("light", 999.0),
        ("gap", 1000.0),
        ("fault", 1000.0),
        ("note", 1000.0),
    ]
    assert store.marks[1].text == "gap: 7 samples lost"


def test_feedback_off_is_a_span_also_while_it_lasts(store):
    store.take_events([Event(0, EventKind.GATE, {"closed": False}, 5e8)], 1000.0, 5e8)
    assert store.released.since(0.0, 1003.0) == [(1000.0, 1003.0)]
    store.take_events([Event(0, EventKind.GATE, {"closed": True}, 5e8)], 1004.0, 5e8)
    assert store.released.since(0.0, 1009.0) == [(1000.0, 1004.0)]
    assert store.released.since(1005.0, 1009.0) == []


def test_millions_of_releases_are_kept_in_bounded_memory_and_none_is_lost_of_sight():
    spans = OpenSpans(most=50, gap=0.1)
    for k in range(20_000):
        spans.take(TimeMark(1.0 * k, 0.0, "open", ""))
        spans.take(TimeMark(1.0 * k + 0.5, 0.0, "closed", ""))
    found = spans.since(-1.0, 20_000.0)
    assert len(found) <= 50
    assert found[0][0] == 0.0
    assert found[-1][1] == 19_999.5


# -- the picture ----------------------------------------------------------------------------------


def drawn(model):
    while model.update():
        pass
    return model.shades()


def test_a_line_is_seen_at_every_zoom_and_stays_where_it_is(store):
    for k in range(20):
        snapshot = spectrum(k + 1)
        snapshot.csd.matrix[100, 0, 0] = 1e4  # 25 kHz
        store.add(snapshot, 1000.0 + 0.1 * k, 5e8)
    model = WaterfallModel(store)
    for low, high, width in ((2.5, 5.0, 40), (4.3, 4.5, 400), (4.39, 4.405, 300)):
        model.look(low, high, width)
        image = drawn(model)
        places = low + (np.flatnonzero(image[-1] == image.max()) + 0.5) * (high - low) / width
        half = 0.5 * (high - low) / width
        assert np.log10(25e3 - 130.0) - half <= places.min()
        assert places.max() <= np.log10(25e3 + 130.0) + half
    model.look(5.5, 6.0, 50)  # beyond the spectrum there is nothing
    assert drawn(model).max() == 0


def test_phase_and_coherence_are_those_of_the_strongest_bin_of_a_column(store):
    snapshot = spectrum(1)
    line = np.array([[100.0, 90j], [-90j, 100.0]])
    snapshot.csd.matrix[100] = line
    store.add(snapshot, 1000.0, 5e8)
    model = WaterfallModel(store)
    model.look(4.2, 4.6, 3)
    model.choose("phase")
    drawn(model)
    now = store.ages[0].slot % 20
    assert model._values[now, 1] == pytest.approx(np.pi / 2, abs=1e-3)
    assert model._values[now, 0] == pytest.approx(np.pi / 3, abs=1e-3)
    assert model.levels == (-np.pi, np.pi)
    model.choose("coherence")
    drawn(model)
    assert model._values[now, 1] == pytest.approx(0.81, rel=1e-2)
    assert model._values[now, 0] == pytest.approx(0.25, rel=1e-2)


def test_colours_stay_until_they_are_asked_to_follow(store):
    now = fed(store, 5, level=1e-3)
    model = WaterfallModel(store)
    model.look(3.0, 5.0, 50)
    drawn(model)
    before = model.levels
    store.add(spectrum(9, level=1e3), now + 0.1, 5e8)
    drawn(model)
    assert model.levels == before
    model.find_levels()
    assert model.levels[1] >= 3.0


def test_a_view_of_many_rows_is_made_in_several_updates(store):
    fed(store, 20)
    ticks = iter(np.arange(100.0))
    model = WaterfallModel(WaterfallStore(), clock=lambda: next(ticks))
    fed(model.store, 100)
    model.look(3.0, 5.0, 50)
    assert model.update()
    assert model.pending
    assert int((model.shades() > 0).any(axis=1).sum()) < 100
    assert (model.shades()[-10:] > 0).all()  # the newest first
    while model.update():
        pass
    assert not model.pending
    assert int((model.shades() > 0).any(axis=1).sum()) == 100


def test_one_new_row_is_one_row_of_work(store):
    now = fed(store, 20)
    model = WaterfallModel(store)
    model.look(3.0, 5.0, 50)
    drawn(model)
    made = []
    original = model._make
    model._make = lambda rows: (made.extend(rows.tolist()), original(rows))
    store.add(spectrum(50), now + 0.1, 5e8)
    assert model.update()
    assert len(made) == 1
    assert not model.update()


def test_the_newest_grid_says_what_is_offered(store):
    model = WaterfallModel(store)
    store.add(spectrum(1, names=("a",)), 1000.0, 5e8)
    assert [q.key for q in model.offered()] == ["auto0"]
    store.add(replace(spectrum(2, names="abcd"), channels=tuple("abcd")), 1000.1, 5e8)
    assert [q.label for q in model.offered()][-3:] == ["|S12|", "arg S12", "coherence"]
    assert model.unit == "V²/Hz"
