"""The recorder: nothing acknowledged is lost, whatever ends the run; every gap is accounted for."""

import errno
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections import namedtuple
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.recorder_thread import RecorderThread
from optobind.acquisition.recover import recover
from optobind.acquisition.ring import Ring
from optobind.acquisition.ring_cursor import Overrun
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.runfile_format import Manifest, SlowRecord
from optobind.acquisition.runfile_results import write_results
from optobind.acquisition.sample_store import SampleStore
from optobind.models.blocks import Block, BlockStatus
from optobind.models.errors import FileError, InputError

WORKER = Path(__file__).with_name("recorder_worker.py")
_spec = importlib.util.spec_from_file_location("recorder_worker", WORKER)
_worker = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_worker)
counts = _worker.counts

MANIFEST = Manifest(
    sample_rate=2e6,
    channels=("z1", "z2"),
    scale=(1e-3, -2e-3),
    mode="SIM",
    config={"name": "default", "gas": {"pressure": 1e-4}, "note": "Größe φ"},
    plan={"kind": "monitor", "duration": 1.0},
    detectors=({"channel": 0, "particle": 0},),
    calibration={"z1": 1e6},
    seed=7,
)


def block(first, rows, status=BlockStatus.OK, number=0):
    return Block(first, counts(first, rows), np.ones(2), number, status=status)


def write_plain(path, sizes=(100, 200), **kwargs):
    with Recorder(path, MANIFEST, **kwargs) as recorder:
        first = 0
        for size in sizes:
            recorder.write(block(first, size))
            first += size
    return path


@settings(max_examples=25, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=15),
    chunk_rows=st.sampled_from([64, 100, 128]),
)
def test_blocks_of_any_length_come_back_bit_for_bit(tmp_path_factory, sizes, chunk_rows):
    path = tmp_path_factory.mktemp("runs") / "run.h5"
    write_plain(path, sizes, chunk_rows=chunk_rows)
    with RunFile.open(path) as run:
        np.testing.assert_array_equal(run.samples(0, sum(sizes)), counts(0, sum(sizes)))


class Counting:
    """Counts what is called of a dataset."""

    def __init__(self, dataset, calls, name):
        self._dataset, self._calls, self._name = dataset, calls, name

    def __getattr__(self, name):
        if name in ("resize", "flush"):
            self._calls.append((self._name, name))
        return getattr(self._dataset, name)

    def __setitem__(self, key, value):
        self._dataset[key] = value


def count_calls(recorder):
    calls = []
    for name in ("_events", "_slow", "_stretches"):
        setattr(recorder, name, Counting(getattr(recorder, name), calls, name))
    store = recorder._samples
    store._dataset = Counting(store._dataset, calls, "_samples")
    return calls


def test_what_waits_is_written_with_one_resize_and_one_flush_a_dataset(tmp_path):
    blocks = [(block(10 * k + 5 * (k > 50), 10), None) for k in range(300)]
    events = [Event(10 * k, EventKind.NOTE, {"k": k}) for k in range(500)]
    slow = [SlowRecord(k, "pressure", 1e-4 * k, "Pa") for k in range(20)]
    with Recorder(tmp_path / "run.h5", MANIFEST, chunk_rows=64) as recorder:
        calls = count_calls(recorder)
        recorder.append(blocks, events, slow)
        assert recorder.samples == 3000
        assert sorted(calls) == sorted(
            (name, call)
            for name in ("_events", "_samples", "_slow", "_stretches")
            for call in ("flush", "resize")
        )
        # What says where the samples belong is on its way before them.
        assert calls.index(("_stretches", "flush")) < calls.index(("_samples", "resize"))
        calls.clear()
        recorder.append(blocks=[(block(3005, 10), None)])
        assert calls == [("_samples", "resize"), ("_samples", "flush")]
    with RunFile.open(tmp_path / "run.h5") as run:
        assert [(s.row, s.first_sample, s.samples) for s in run.stretches()] == [
            (0, 0, 510),
            (510, 515, 2500),
        ]
        np.testing.assert_array_equal(run.samples(515, 3015), counts(515, 2500))
        notes = [e for e in run.events() if e.kind is EventKind.NOTE]
        assert [e.payload["k"] for e in notes] == list(range(500))
        assert len(run.slow()) == 20


@settings(max_examples=25, deadline=None)
@given(
    batches=st.lists(st.lists(st.integers(1, 150), max_size=8), min_size=1, max_size=8),
    chunk_rows=st.sampled_from([64, 100]),
)
def test_batches_of_blocks_of_any_length_come_back_bit_for_bit(
    tmp_path_factory, batches, chunk_rows
):
    path, first = tmp_path_factory.mktemp("runs") / "run.h5", 0
    with Recorder(path, MANIFEST, chunk_rows=chunk_rows) as recorder:
        for sizes in batches:
            blocks = []
            for size in sizes:
                blocks.append((block(first, size), None))
                first += size
            recorder.append(blocks)
            assert recorder.samples == first
    with RunFile.open(path) as run:
        assert run.rows == first
        if first:
            np.testing.assert_array_equal(run.samples(0, first), counts(0, first))


def test_a_wrong_block_costs_none_of_those_before_it(tmp_path):
    with Recorder(tmp_path / "run.h5", MANIFEST) as recorder:
        blocks = [(block(0, 100), None), (block(100, 50), None), (block(120, 50), None)]
        with pytest.raises(InputError, match="120 goes back: expected 150"):
            recorder.append(blocks)
        assert (recorder.samples, recorder.next_sample) == (150, 150)
    with RunFile.open(tmp_path / "run.h5") as run:
        np.testing.assert_array_equal(run.samples(0, 150), counts(0, 150))


def test_a_batch_that_fails_leaves_what_was_acknowledged_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "run.h5"
    recorder = Recorder(path, MANIFEST, chunk_rows=64)
    recorder.append([(block(0, 100), None)])

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(SampleStore, "_write", full)
    with pytest.raises(FileError, match="disk full; its 100 samples are preserved"):
        recorder.append([(block(200, 100), None), (block(400, 100), None)])
    assert (recorder.samples, recorder.gaps, recorder.lost) == (100, 0, 0)
    recorder.close("failed")
    with RunFile.open(path) as run:
        assert [(s.first_sample, s.samples) for s in run.stretches()] == [(0, 100)]
        np.testing.assert_array_equal(run.samples(0, 100), counts(0, 100))


def test_float_samples_are_stored_as_they_are(tmp_path):
    manifest = Manifest(1e6, ("a",), (1.0,), dtype="float32")
    data = np.random.default_rng(1).normal(size=(1000, 1)).astype(np.float32)
    with Recorder(tmp_path / "run.h5", manifest, chunk_rows=64) as recorder:
        recorder.write(Block(0, data, np.ones(1)))
    with RunFile.open(tmp_path / "run.h5") as run:
        np.testing.assert_array_equal(run.samples(0, 1000), data)


def test_manifest_comes_back_and_names_versions(tmp_path):
    with RunFile.open(write_plain(tmp_path / "run.h5")) as run:
        m = run.manifest
        assert m["config"] == MANIFEST.config
        assert m["plan"] == MANIFEST.plan
        assert m["detectors"] == [{"channel": 0, "particle": 0}]
        assert (m["seed"], m["mode"], m["schema_version"]) == (7, "SIM", 1)
        assert {"optobind", "numpy", "h5py", "hdf5", "python"} <= set(m["versions"])
        np.testing.assert_allclose(
            run.volts(10, 20), counts(10, 10) * np.array([1e-3, -2e-3]), rtol=1e-15
        )
        np.testing.assert_array_equal(run.samples(10, 20, (1,)), counts(10, 10)[:, 1:])


def test_complete_file_opens_in_plain_h5py(tmp_path):
    with h5py.File(write_plain(tmp_path / "run.h5"), "r") as file:
        assert file["samples"].shape == (300, 2)
        assert file.attrs["state"] == b"complete"


def test_every_number_can_be_read_while_the_run_goes_on(tmp_path):
    path = tmp_path / "run.h5"
    recorder = Recorder(path, MANIFEST, chunk_rows=64)
    recorder.write(block(0, 100))
    script = (
        "import sys\n"
        "from optobind.acquisition.runfile import RunFile\n"
        "with RunFile.open(sys.argv[1]) as run:\n"
        "    print(run.info()['state'], run.rows, flush=True)\n"
        "    sys.stdin.readline()\n"
        "    run.refresh()\n"
        "    print(run.rows, int(run.samples(0, 200)[-1, 0]), run.events()[0].payload['text'])\n"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert reader.stdout.readline().split() == ["interrupted", "100"]
    recorder.write(block(100, 100))
    recorder.event(Event(150, EventKind.NOTE, {"text": "now"}))
    out, _ = reader.communicate("\n", timeout=30)
    assert out.split() == ["200", str(counts(199, 1)[0, 0]), "now"]
    recorder.close("stopped", "asked for")
    with RunFile.open(path) as run:
        info = run.info()
    assert (info["state"], info["outcome"], info["reason"]) == ("complete", "stopped", "asked for")


def test_long_and_foreign_text_in_events_survives(tmp_path):
    payload = {"text": "ω̃ " * 700, "nested": {"list": [1, 2.5, None, True]}, "empty": {}}
    with Recorder(tmp_path / "run.h5", MANIFEST) as recorder:
        recorder.event(Event(5, EventKind.NOTE, payload, 12.5))
        recorder.event(Event(1, EventKind.GATE, {"closed": True}))
        recorder.event(Event(5, EventKind.RUN_END, {"value": np.float64(1.5), "bad": np.nan}))
    with RunFile.open(tmp_path / "run.h5") as run:
        events = run.events()
    assert [e.kind for e in events] == [EventKind.GATE, EventKind.NOTE, EventKind.RUN_END]
    assert events[1] == Event(5, EventKind.NOTE, payload, 12.5)
    assert events[2].payload == {"value": 1.5, "bad": None}


def test_slow_readings_come_back(tmp_path):
    with Recorder(tmp_path / "run.h5", MANIFEST) as recorder:
        recorder.slow(10, "pressure", 1e-4, "Pa", host_time=3.0)
        recorder.slow(20, "pressure", None, "Pa", status="over range")
    with RunFile.open(tmp_path / "run.h5") as run:
        first, second = run.slow()
    assert (first.sample, first.name, first.value, first.unit) == (10, "pressure", 1e-4, "Pa")
    assert (first.status, first.host_time) == ("ok", 3.0)
    assert np.isnan(second.value)
    assert second.status == "over range"


def test_jump_of_the_sample_index_is_a_gap_with_its_cause(tmp_path):
    with Recorder(tmp_path / "run.h5", MANIFEST, chunk_rows=64) as recorder:
        recorder.write(block(50, 100))
        recorder.write(block(160, 70))
        recorder.write(block(300, 20), Overrun(230, 70, 2))
        assert (recorder.gaps, recorder.lost, recorder.samples) == (2, 80, 190)
    with RunFile.open(tmp_path / "run.h5") as run:
        gaps = [e for e in run.events() if e.kind is EventKind.GAP]
        assert [(e.sample, dict(e.payload)) for e in gaps] == [
            (150, {"lost": 10, "cause": "digitizer"}),
            (230, {"lost": 70, "cause": "recorder"}),
        ]
        info = run.info()
        assert (info["gaps"], info["lost_samples"], info["first_sample"]) == (2, 80, 50)
        ranges = [(s.first_sample, s.end_sample) for s in run.stretches()]
        assert ranges == run.digest().steady(run.recorded()) == [(50, 150), (160, 230), (300, 320)]
        for low, high in ranges:
            np.testing.assert_array_equal(run.samples(low, high), counts(low, high - low))
        blocks = list(run.blocks(rows=64))
        assert [b.first_sample for b in blocks] == [50, 114, 160, 224, 300]
        assert [bool(b.status & BlockStatus.GAP_BEFORE) for b in blocks] == [0, 0, 1, 0, 1]
        with pytest.raises(InputError, match="not recorded without a gap"):
            run.samples(140, 170)


def test_sample_index_that_goes_back_is_refused(tmp_path):
    with Recorder(tmp_path / "run.h5", MANIFEST) as recorder:
        recorder.write(block(0, 100))
        with pytest.raises(InputError, match="99 goes back: expected 100"):
            recorder.write(block(99, 10))


def test_block_of_another_type_is_refused(tmp_path):
    with Recorder(tmp_path / "run.h5", MANIFEST) as recorder:
        with pytest.raises(InputError, match="does not fit a file of int16 with 2 channels"):
            recorder.write(Block(0, np.zeros((4, 2), np.float32), np.ones(2)))
        with pytest.raises(InputError, match="does not fit"):
            recorder.write(Block(0, np.zeros((4, 3), np.int16), np.ones(3)))


def test_existing_file_missing_directory_and_unwritable_path_are_named(tmp_path):
    path = write_plain(tmp_path / "run.h5")
    with pytest.raises(FileError, match=r"run.h5 exists already: a run file is never overwritten"):
        Recorder(path, MANIFEST)
    with pytest.raises(FileError, match="is not a directory"):
        Recorder(tmp_path / "missing" / "run.h5", MANIFEST)
    with pytest.raises(FileError, match="is not a directory"):
        Recorder(path / "run.h5", MANIFEST)
    with pytest.raises(FileError, match=r"cannot write .*: .*") as caught:
        Recorder(tmp_path / ("x" * 300), MANIFEST)
    assert "\n" not in str(caught.value)


Usage = namedtuple("Usage", "total used free")


def test_nearly_full_disk_ends_the_run_with_everything_preserved(tmp_path, monkeypatch):
    free = [10_000_000]
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, free[0]))
    path = tmp_path / "run.h5"
    recorder = Recorder(path, MANIFEST, chunk_rows=64)
    recorder.write(block(0, 100))
    free[0] = 900_000
    message = r"cannot write .*run\.h5: disk full \(0\.9 MB free\); its 100 samples are preserved"
    for _ in range(2):
        with pytest.raises(FileError, match=message):
            recorder.write(block(100, 100))
    with pytest.raises(FileError, match="disk full"):
        recorder.event(Event(100, EventKind.NOTE))
    recorder.close("failed")
    with RunFile.open(path) as run:
        info = run.info()
        assert (info["state"], info["outcome"]) == ("interrupted", "failed")
        assert "disk full" in info["reason"]
        np.testing.assert_array_equal(run.samples(0, 100), counts(0, 100))


def test_write_that_fails_in_the_middle_leaves_no_rows_of_zeros(tmp_path, monkeypatch):
    path = tmp_path / "run.h5"
    recorder = Recorder(path, MANIFEST, chunk_rows=64)
    recorder.write(block(0, 100))

    class Full:
        def __init__(self, dataset):
            self.dataset = dataset

        def resize(self, *args, **kwargs):
            self.dataset.resize(*args, **kwargs)

        @property
        def id(self):
            raise OSError(errno.ENOSPC, "No space left on device")

    store = recorder._samples
    monkeypatch.setattr(store, "_dataset", Full(store._dataset))
    with pytest.raises(FileError, match="disk full; its 100 samples are preserved"):
        recorder.write(block(100, 10))
    recorder.close("failed")
    with RunFile.open(path) as run:
        assert run.rows == 100


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are a POSIX notion")
def test_limited_file_size_ends_the_run_without_a_crash(tmp_path):
    script = (
        "import resource, sys, runpy\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (3_000_000, 3_000_000))\n"
        "from optobind.models.errors import FileError\n"
        "main = runpy.run_path(sys.argv[1])['main']\n"
        "try:\n    main(sys.argv[2], '5000')\n"
        "except FileError as error:\n    print('FileError', error)\n"
    )
    path = tmp_path / "run.h5"
    done = subprocess.run(
        [sys.executable, "-c", script, str(WORKER), str(path)],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[-1].startswith(f"FileError cannot write {path}: disk full")
    with RunFile.open(path) as run:
        assert run.rows == int(lines[-2].split()[0])


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is a POSIX signal")
@pytest.mark.parametrize(
    ("rows", "batch"), [(4096, 1), (5000, 1), (333, 1), (333, 170), (20, 400), (5000, 60)]
)
def test_killed_run_keeps_everything_acknowledged_and_is_recovered(tmp_path, rows, batch):
    path = tmp_path / "run.h5"
    writer = subprocess.Popen(
        [sys.executable, str(WORKER), str(path), str(rows), str(batch)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with writer.stdout:
        for _ in range(max(3, 120 // batch)):
            line = writer.stdout.readline()
        writer.kill()
        writer.wait()
        acknowledged, number = (int(v) for v in (writer.stdout.readlines() or [line])[-1].split())
    with pytest.raises(OSError, match="open"):
        h5py.File(path, "r")
    with RunFile.open(path) as run:
        info = run.info()
        assert info["state"] == "interrupted"
        assert info["samples"] >= acknowledged
        assert info["gaps"] >= 2
        assert info["events"]["note"] >= number // 10
        for s in run.stretches():
            found = run.samples(s.first_sample, s.end_sample)
            np.testing.assert_array_equal(found, counts(s.first_sample, s.samples))
    with pytest.raises(FileError, match="was interrupted: recover it first"):
        write_results(path, {"a": 1})
    clean = recover(path)
    assert clean.name == "run_recovered.h5"
    with h5py.File(clean, "r") as file:
        assert file["samples"].shape == (info["samples"], 2)
    write_results(clean, {"fit": {"value": 1.5}})
    with RunFile.open(clean) as run:
        again = run.info()
        assert run.results() == {"fit": {"value": 1.5}}
        np.testing.assert_array_equal(run.samples(0, rows), counts(0, rows))
    assert again["recovered"]
    assert (again["samples"], again["gaps"]) == (info["samples"], info["gaps"])
    with pytest.raises(FileError, match="exists already"):
        recover(path)


def test_complete_run_has_nothing_to_recover(tmp_path):
    with pytest.raises(InputError, match="is complete: there is nothing to recover"):
        recover(write_plain(tmp_path / "run.h5"))


def test_results_with_arrays_come_back_and_can_be_replaced(tmp_path):
    path = write_plain(tmp_path / "run.h5")
    matrix = np.arange(8).reshape(2, 2, 2) * (1 + 0.5j)
    write_results(path, {"spectrum": {"csd": matrix, "value": 1.0}, "plain": [1, None, "φ"]})
    write_results(path, {"plain": {"nested": [np.arange(3), {"x": np.nan}]}})
    with RunFile.open(path) as run:
        results = run.results()
        assert run.info()["results"] == ["plain", "spectrum"]
    np.testing.assert_array_equal(results["spectrum"]["csd"], matrix)
    assert results["spectrum"]["value"] == 1.0
    np.testing.assert_array_equal(results["plain"]["nested"][0], np.arange(3))
    assert results["plain"]["nested"][1] == {"x": None}
    with pytest.raises(InputError, match="must not be empty or hold '/'"):
        write_results(path, {"a/b": 1})


def test_missing_and_foreign_and_truncated_files_are_named_in_one_line(tmp_path):
    with pytest.raises(FileError, match=r"none.h5 does not exist"):
        RunFile.open(tmp_path / "none.h5")
    with pytest.raises(FileError, match="is no file"):
        RunFile.open(tmp_path)
    text = tmp_path / "text.h5"
    text.write_text("hello", encoding="utf-8")
    with pytest.raises(FileError, match="is no HDF5 file"):
        RunFile.open(text)
    foreign = tmp_path / "foreign.h5"
    with h5py.File(foreign, "w", libver=("v110", "v110")) as file:
        file["samples"] = np.zeros(3)
    with pytest.raises(FileError, match="not a run file of optobind"):
        RunFile.open(foreign)
    old = tmp_path / "old.h5"
    with h5py.File(old, "w") as file:
        file["samples"] = np.zeros(3)
    with pytest.raises(FileError) as caught:
        RunFile.open(old)
    assert "\n" not in str(caught.value)


def test_truncated_run_file_never_shows_wrong_samples(tmp_path):
    whole = write_plain(tmp_path / "run.h5", (5000,) * 10, chunk_rows=1000).read_bytes()
    messages = []
    for share in (0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.99):
        part = tmp_path / "part.h5"
        part.write_bytes(whole[: int(share * len(whole))])
        try:
            with RunFile.open(part) as run:
                found = run.samples(0, run.rows)
        except (FileError, InputError) as error:
            messages.append(str(error))
            continue
        np.testing.assert_array_equal(found, counts(0, found.shape[0]))
    assert messages
    assert not any("\n" in message for message in messages)


def test_damaged_file_of_a_killed_writer_is_refused_in_seconds(tmp_path):
    path = write_plain(tmp_path / "run.h5", (5000,) * 2, chunk_rows=1000)
    content = bytearray(path.read_bytes())
    content[11] = 5  # open for writing in SWMR mode, and the checksum no longer fits
    path.write_bytes(content)
    script = f"from optobind.acquisition.runfile import RunFile; RunFile.open({str(path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60.0
    )
    assert "FileError: " in done.stderr
    assert "checksum" in done.stderr


def reheating_events(m=4, n=100, period=200):
    yield Event(0, EventKind.STEP_START, {"index": 0, "kind": "monitor"})
    yield Event(400, EventKind.STEP_END, {"index": 0, "kind": "monitor"})
    yield Event(400, EventKind.STEP_START, {"index": 1, "kind": "reheating"})
    for r in range(m):
        start = 500 + r * period
        yield Event(start, EventKind.RELEASE, {"repetition": r, "samples": n})
        yield Event(start + n, EventKind.RECAPTURE, {"repetition": r})
    yield Event(500 + m * period, EventKind.STEP_END, {"index": 1, "kind": "reheating"})


def test_steps_tell_steady_ranges_from_releases(tmp_path):
    with Recorder(tmp_path / "run.h5", MANIFEST) as recorder:
        recorder.write(block(0, 300))
        recorder.write(block(310, 1290))
        for event in reheating_events():
            recorder.event(event)
    with RunFile.open(tmp_path / "run.h5") as run:
        assert run.digest().steady(run.recorded()) == [(0, 300), (310, 400)]
        found = [(r.repetition, r.first_sample, r.samples, r.step) for r in run.releases()]
    assert found == [(r, 500 + 200 * r, 100, 1) for r in range(4)]


def test_releases_that_cannot_be_used_say_why(tmp_path):
    saturated = counts(700, 400)
    saturated[210, 0] = 32767
    with Recorder(tmp_path / "run.h5", MANIFEST) as recorder:
        recorder.write(block(0, 520))
        recorder.write(block(530, 170))
        recorder.write(Block(700, saturated, np.ones(2), status=BlockStatus.SATURATED))
        recorder.write(block(1100, 650))
        for event in reheating_events(m=7):
            recorder.event(event)
        recorder.event(Event(1200, EventKind.EXCLUDED, {"repetition": 3, "reason": "weak"}))
        recorder.event(Event(1350, EventKind.RECAPTURE, {"repetition": 4}))
        recorder.event(Event(1510, EventKind.PARTICLE_LOST))
    with RunFile.open(tmp_path / "run.h5") as run:
        reasons = {r.repetition: r.excluded for r in run.all_releases()}
        usable = [r.repetition for r in run.releases()]
    assert usable == [1]
    assert reasons == {
        0: "samples were lost: gap in the record",
        1: None,
        2: "detector saturated",
        3: "weak",
        4: "feedback came back before the planned end",
        5: "particle lost",
        6: "particle lost",
    }


def test_thread_records_all_that_goes_through_a_ring(tmp_path):
    with Ring.create(500, 2, "int16", 8000, MANIFEST.scale, 2e6) as ring:
        recorder = Recorder(tmp_path / "run.h5", MANIFEST, chunk_rows=512)
        thread = RecorderThread(recorder, ring.cursor("recorder"))
        thread.start()
        first = 0
        for number in range(300):
            rows = 1 + (number * 37) % 500
            ring.writable()[:rows] = counts(first, rows)
            assert ring.commit(rows, first, wait=True, timeout=30.0)
            first += rows
        thread.finish(end_sample=first)
        recorder.close()
    with RunFile.open(tmp_path / "run.h5") as run:
        np.testing.assert_array_equal(run.samples(0, first), counts(0, first))
        assert run.rows == first
        assert run.info()["gaps"] == 0


def test_a_block_that_comes_after_the_end_is_recorded_up_to_the_end(tmp_path):
    with Ring.create(500, 2, "int16", 8000, MANIFEST.scale, 2e6) as ring:

        def put(first):
            ring.writable()[:] = counts(first, 500)
            assert ring.commit(500, first, wait=True, timeout=30.0)

        class Ending(RecorderThread):
            """The digitizer goes on while the end is waited for."""

            def join(self, timeout=None):
                put(500)
                super().join(timeout)

        recorder = Recorder(tmp_path / "run.h5", MANIFEST)
        thread = Ending(recorder, ring.cursor("recorder"))
        thread.start()
        put(0)
        thread.finish(end_sample=700)
        recorder.close()
    with RunFile.open(tmp_path / "run.h5") as run:
        assert run.rows == 700
        np.testing.assert_array_equal(run.samples(0, 700), counts(0, 700))


def test_a_lag_is_made_up_for_in_few_writes_however_many_blocks_and_events_wait(tmp_path):
    """A disk that was away for seconds: 4000 blocks of a millisecond, 8000 events."""
    with Ring.create(2000, 2, "int16", 410_000, MANIFEST.scale, 2e6) as ring:
        recorder = Recorder(tmp_path / "run.h5", MANIFEST, chunk_rows=2000)
        thread = RecorderThread(recorder, ring.cursor("recorder"))
        calls = count_calls(recorder)
        for number in range(4000):
            ring.writable(100)[:] = counts(100 * number, 100)
            assert ring.commit(100, 100 * number)
            for kind in (EventKind.RELEASE, EventKind.RECAPTURE):
                thread.post(Event(100 * number, kind, {"repetition": number}))
        thread.start()
        thread.finish(end_sample=400_000)
        assert thread.missed == 0
        assert recorder.samples == 400_000
        assert len(calls) <= 20
        recorder.close()
    with RunFile.open(tmp_path / "run.h5") as run:
        assert len(run.events()) == 8000
        np.testing.assert_array_equal(run.samples(0, 400_000), counts(0, 400_000))


def test_events_alone_are_written_without_waiting_for_samples(tmp_path):
    with Ring.create(100, 2, "int16", 400, MANIFEST.scale, 2e6) as ring:
        recorder = Recorder(tmp_path / "run.h5", MANIFEST)
        thread = RecorderThread(recorder, ring.cursor("recorder"))
        thread.start()
        thread.post(Event(0, EventKind.NOTE, {"text": "now"}))
        deadline = time.monotonic() + 60.0
        while not recorder._events.shape[0]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        thread.finish()
        recorder.close()


def test_overrun_of_the_recorder_is_a_gap_of_the_recorder(tmp_path):
    with Ring.create(10, 2, "int16", 40, MANIFEST.scale, 2e6) as ring:
        recorder = Recorder(tmp_path / "run.h5", MANIFEST)
        cursor = ring.cursor("recorder")

        def put(number):
            ring.writable()[:] = counts(10 * number, 10)
            ring.commit(10, 10 * number)

        put(0)
        recorder.write(cursor.next())
        for number in range(1, 20):
            put(number)
        thread = RecorderThread(recorder, cursor)
        thread.start()
        thread.finish()
        recorder.close()
        missed = thread.missed
    with RunFile.open(tmp_path / "run.h5") as run:
        info = run.info()
        gap = next(e for e in run.events() if e.kind is EventKind.GAP)
        low, high = run.digest().steady(run.recorded())[1]
        np.testing.assert_array_equal(run.samples(low, high), counts(low, high - low))
    assert (info["gaps"], info["lost_samples"], high) == (1, missed, 200)
    assert dict(gap.payload) == {"lost": missed, "cause": "recorder"}


def test_failing_disk_releases_the_ring_and_is_reported(tmp_path, monkeypatch):
    errors = []
    with Ring.create(100, 2, "int16", 400, MANIFEST.scale, 2e6) as ring:
        recorder = Recorder(tmp_path / "run.h5", MANIFEST)
        thread = RecorderThread(recorder, ring.cursor("recorder"), errors.append)
        monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, 0))
        thread.start()
        for number in range(20):
            ring.writable()[:] = 0
            assert ring.commit(100, 100 * number, wait=True, timeout=30.0)
        with pytest.raises(FileError, match="disk full"):
            thread.finish()
        assert len(errors) == 1
        recorder.close("failed")


def test_info_is_plain_json(tmp_path):
    with RunFile.open(write_plain(tmp_path / "run.h5")) as run:
        info = run.info()
    json.dumps(info, allow_nan=False)
    expected = {"samples": 300, "gaps": 0, "sample_rate": 2e6, "plan": "monitor", "results": []}
    assert {k: info[k] for k in expected} == expected
    assert info["channels"] == ["z1", "z2"]
    assert os.fspath(tmp_path) in info["path"]
