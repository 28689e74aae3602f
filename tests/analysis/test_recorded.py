"""A record as the window looks at it: stretches, what happened, fits by the one road."""

import threading

import numpy as np
import pytest

import optobind as ob
from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.records.opening import open_record
from optobind.acquisition.records.selected import stretch_of
from optobind.acquisition.runfile_format import Manifest
from optobind.analysis.recorded import tasks
from optobind.analysis.recorded.opening import open_recorded
from optobind.analysis.recorded.read_only import READ_ONLY
from optobind.analysis.recorded.story import story_of
from optobind.analysis.recorded.tasks import StretchTask, average_stretch, fit_stretch
from optobind.models.blocks import Block
from optobind.models.errors import FileError, InputError

RATE = 1e5
LINE = 12e3


def noisy_line(rows: int, seed: int = 3) -> np.ndarray:
    """Thermal motion of one particle at 12 kHz, 300 Hz wide, with noise."""
    rng = np.random.default_rng(seed)
    gamma, omega = 2 * np.pi * 300.0, 2 * np.pi * LINE
    decay = np.exp((-0.5 * gamma + 1j * omega) / RATE)
    kicks = rng.normal(size=rows) + 1j * rng.normal(size=rows)
    state, found = 0j, np.empty(rows)
    for i in range(rows):
        state = decay * state + kicks[i]
        found[i] = state.real
    return found + rng.normal(size=rows)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    path = tmp_path_factory.mktemp("plain") / "a.npz"
    np.savez(path, samples=noisy_line(40_000)[:, None], sample_rate=RATE)
    return path


def site(x: float, phase: float = 0.0) -> dict:
    return {"position": [x, 0.0, 0.0], "power": 0.2, "phase": phase, "detuning": 0.0}


@pytest.fixture
def run(tmp_path):
    """A run in two lights with a gap and a note."""
    path = tmp_path / "night" / "run.h5"
    path.parent.mkdir()
    config = {"name": "my rig", "rig": {"name": "my rig"}, "calibrated": False}
    detectors = ({"channel": 0, "name": "a", "particle": 0, "role": "out_of_loop",
                  "volts_per_metre": 1.0, "polarity": 1},)  # fmt: skip
    manifest = Manifest(RATE, ("a",), (1e-3,), mode="SIM", config=config, detectors=detectors)
    counts = np.round(100 * noisy_line(12_000, 5)).astype(np.int16)[:, None]
    with Recorder(path, manifest) as recorder:
        for event in (
            Event(0, EventKind.RUN_START, {}, 1000.0),
            Event(0, EventKind.LIGHT, {"sites": [site(0.0, 0.4), site(2.5e-6)]}, 1000.0),
            Event(0, EventKind.STEP_START, {"index": 0, "kind": "monitor"}, 1000.0),
            Event(4000, EventKind.LIGHT, {"sites": [site(0.0, 1.2), site(2.5e-6)]}, 1001.0),
            Event(5000, EventKind.NOTE, {"text": "lamp on"}, 1002.0),
        ):
            recorder.event(event)
        recorder.write(Block(0, counts[:8000], np.array([1e-3])))
        recorder.write(Block(8100, counts[8000:], np.array([1e-3])))
    return path


def wait_for(condition, seconds: float = 120.0) -> None:
    done = threading.Event()
    for _ in range(round(seconds / 0.02)):
        if condition():
            return
        done.wait(0.02)
    pytest.fail("it did not happen")


def test_a_stretch_holds_its_own_samples_alone(plain):
    record = open_record(plain)
    part = stretch_of(record, 1000, 3000)
    assert list(part.recorded()) == [(1000, 3000)]
    assert list(part.steady()) == [(1000, 3000)]
    np.testing.assert_array_equal(part.samples, record.read(1000, 3000))
    assert part.provenance["stretch"] == [1000, 3000]


def test_an_empty_stretch_is_refused(plain):
    record = open_record(plain)
    with pytest.raises(InputError, match="its end must be later"):
        stretch_of(record, 5, 5)
    with pytest.raises(InputError, match="holds no samples"):
        stretch_of(record, 50_000, 60_000)


def test_releases_that_lie_in_a_stretch_partly_are_left_out(tmp_path):
    np.savez(tmp_path / "r.npz", samples=np.zeros((6, 50, 2)), sample_rate=RATE)
    part = stretch_of(open_record(tmp_path / "r.npz"), 51, 180)
    assert list(part.releases()) == [(51, 101), (102, 152)]
    with pytest.raises(InputError, match="no usable release lies in samples"):
        stretch_of(open_record(tmp_path / "r.npz"), 60, 90).releases()


def test_a_fit_of_the_whole_stretch_is_the_fit_of_the_record(plain):
    record = open_record(plain)
    found = fit_stretch(StretchTask(plain, {}, 0, 40_000))
    whole = ob.analyse_spectrum(record).result
    assert found.error == ""
    assert found.result is not None
    assert found.result.value("omega") == whole.value("omega")
    assert found.curve is not None
    assert found.curve.shape[0] == found.frequencies.size


def test_a_stretch_that_cannot_be_fitted_shows_its_spectra_and_why(plain):
    found = fit_stretch(StretchTask(plain, {}, 0, 40_000, band=(1e3, 6e4)))
    assert "Nyquist" in found.error
    assert found.csd is not None
    assert found.result is None


def test_a_file_that_is_gone_is_a_reason_not_a_crash(tmp_path):
    found = average_stretch(StretchTask(tmp_path / "gone.npz", {}, 0, 10))
    assert "does not exist" in found.error


def test_a_run_tells_its_light_marks_and_log(run):
    story = story_of(open_record(run))
    assert (story.name, story.source) == ("my rig", "SIM")
    assert [m.kind for m in story.marks] == ["light", "step", "light", "note", "gap"]
    assert "φ +0.400 rad, distance 2.500 µm" in story.marks[0].text
    assert "100 samples" in story.marks[-1].text
    light = story.light_at(4500)
    assert light is not None
    assert light.relative_phase == pytest.approx(1.2)
    assert story.light_at(100).relative_phase == pytest.approx(0.4)
    assert story.light_changes(0, 12_000) == 1
    assert [line.level for line in story.log if "gap" in line.text] == ["warning"]
    assert {line.time for line in story.log} >= {1000.0, 1002.0}


def test_a_foreign_file_tells_its_columns(plain):
    story = story_of(open_record(plain))
    assert story.source == "npz"
    assert [d.name for d in story.detectors] == ["z1"]
    assert story.rig is None
    assert story.marks == ()


@pytest.fixture
def here(monkeypatch):
    """Fits in the calling thread: what is tested is who gets which result."""

    class Inline:
        def __init__(self, on_lost) -> None:
            self.held: list = []

        def task(self, function, argument):
            from concurrent.futures import Future

            future: Future = Future()
            future.set_result(function(argument))
            return future

        def close(self) -> None:
            pass

    monkeypatch.setattr("optobind.analysis.recorded.work.FitProcess", Inline)
    tasks._opened.cache_clear()


def test_a_record_shows_what_a_session_shows(run, here):
    session = open_recorded(run, lambda _: None)
    try:
        wait_for(lambda: session.trace() is not None and session.overview.get() is not None)
        status = session.status()
        assert (status.mode, status.state, status.gaps) == ("RECORD", "idle", 1)
        assert session.spectrum().csd.unit == "V"
        assert session.fit().basis == status.basis
        assert session.light().requested.relative_phase == pytest.approx(1.2)
        assert session.rig.mode == "RECORD"
        trace = session.trace()
        assert trace.volts.shape == (2000, 1)
        np.testing.assert_allclose(trace.volts[:5, 0], session.record.read(0, 5)[:, 0], rtol=1e-6)
        assert any("lamp on" in line.text for line in session.take_log())
        assert session.take_log() == []
    finally:
        session.close()


def test_another_stretch_is_of_another_basis_and_light(run, here):
    session = open_recorded(run, lambda _: None)
    try:
        before = session.status().basis
        session.select(0, 4000)
        assert session.status().basis.light == before.light + 1
        assert session.fit().basis == session.status().basis
        assert session.spectrum().csd.last_sample <= 4000
        assert session.light().requested.relative_phase == pytest.approx(0.4)
        with pytest.raises(InputError, match="empty"):
            session.select(900, 900)
        assert session.stretch == (0, 4000)
    finally:
        session.close()


def test_a_record_takes_no_command(run, here):
    session = open_recorded(run, lambda _: None)
    try:
        for future in (
            session.connect(),
            session.stream(True),
            session.set_feedback(True),
            session.set_light(session.light().requested),
            session.release_particles("release particles"),
        ):
            assert str(future.exception()) == READ_ONLY
        with pytest.raises(InputError, match="this is a record"):
            session.note("flash")
        with pytest.raises(InputError, match="it has no releases"):
            session.exclude_repetition(1, "flash")
    finally:
        session.close()


def test_a_damaged_or_foreign_file_is_one_clear_message(tmp_path, run):
    text = tmp_path / "notes.md"
    text.write_text("not a table\nof numbers\n")
    with pytest.raises(FileError, match=r"notes\.md"):
        open_recorded(text, lambda _: None)
    cut = tmp_path / "cut.h5"
    cut.write_bytes(run.read_bytes()[:3000])
    with pytest.raises(FileError, match=r"cut\.h5"):
        open_recorded(cut, lambda _: None)
