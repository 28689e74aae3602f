"""Run files that were damaged: found, named, and never a wrong number in silence."""

import random
import shutil

import h5py
import numpy as np
import pytest

from optobind.acquisition.checksums import cell_rows
from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.records.opening import open_record
from optobind.acquisition.recover import recover
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.runfile_damage import verify
from optobind.acquisition.runfile_format import Manifest
from optobind.acquisition.runfile_results import write_results
from optobind.models.blocks import Block
from optobind.models.errors import FileError, InputError, OptobindError

DETECTORS = tuple(
    {"channel": c, "particle": c, "polarity": 1, "volts_per_metre": 1e6, "role": "out_of_loop"}
    for c in range(2)
)
MANIFEST = Manifest(
    sample_rate=1e6,
    channels=("z1", "z2"),
    scale=(1e-3, 2e-3),
    mode="SIM",
    # Long attributes lie outside of what HDF5 itself protects.
    config={"name": "x", "calibrated": True, "masses": [1e-18, 2e-18], "rig": [1.5] * 900},
    plan={"kind": "monitor", "duration": 0.02},
    detectors=DETECTORS,
)
GAP_AT, GAP, ROWS = 11_000, 500, 20_000


def write_run(path):
    """A run of 20 000 samples with a gap, events and readings, appended in pieces of 1000."""
    rng = np.random.default_rng(0)
    with Recorder(path, MANIFEST, chunk_rows=1024) as recorder:
        recorder.event(Event(0, EventKind.RUN_START, {"plan": {}}))
        recorder.event(Event(0, EventKind.STEP_START, {"index": 0, "kind": "monitor"}))
        for k in range(20):
            first = 1000 * k + (GAP if 1000 * k >= GAP_AT else 0)
            counts = rng.integers(-999, 999, (1000, 2)).astype(np.int16)
            note = Event(first, EventKind.NOTE, {"k": k})
            recorder.append([(Block(first, counts, np.ones(2)), None)], [note])
            recorder.slow(first, "pressure", 1e-4 * k, "Pa", host_time=1.0)
        recorder.event(Event(ROWS + GAP, EventKind.RUN_END, {"outcome": "complete"}))
    write_results(path, {"fit": {"D": 1.5, "curve": np.arange(50.0)}})
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("whole") / "run.h5")


@pytest.fixture
def run(whole, tmp_path):
    return shutil.copy(whole, tmp_path / "run.h5")


def everything(path):
    """All that is told of a file, in a form that can be compared."""
    with RunFile.open(path) as run:
        found = [repr(run.manifest), repr({**run.info(), "path": ""}), repr(run.events())]
        found += [repr(run.slow()), repr(run.stretches()), repr(run.results())]
        found += [run.samples(a, b).tobytes() for a, b in run.recorded()]
    with open_record(path) as record:
        return [*found, record.scale.tobytes(), repr(record.masses), record.sample_rate]


def flip_in_samples(path, rows):
    """Flip one bit of a sample in each of some rows, behind the back of everybody."""
    with h5py.File(path, "r") as file:
        samples = file["samples"]
        size, places = samples.chunks[0], {}
        for row in rows:
            chunk = samples.id.get_chunk_info_by_coord((row - row % size, 0))
            places[row] = chunk.byte_offset + (row % size) * 4
    with open(path, "r+b") as file:
        for place in places.values():
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ 0x10]))


def flips_end_well(whole, folder, seed, cases):
    """Flip one bit of anything; it must be found or change nothing."""
    truth, data, rnd = everything(whole), whole.read_bytes(), random.Random(seed)
    path, found = folder / "flipped.h5", 0
    for case in range(cases):
        at = rnd.randrange(8 * len(data))
        damaged = bytearray(data)
        damaged[at // 8] ^= 1 << (at % 8)
        path.write_bytes(damaged)
        try:
            seen = everything(path)
        except OptobindError:
            found += 1
        else:
            assert seen == truth, f"seed {seed}, case {case}: byte {at // 8} changed in silence"
    return found


@pytest.mark.slow
def test_a_flipped_bit_anywhere_is_found_or_changes_nothing(whole, tmp_path):
    assert flips_end_well(whole, tmp_path, 1, 150) > 60


@pytest.mark.slow
def test_two_thousand_flipped_bits_are_found_or_change_nothing(whole, tmp_path):
    assert flips_end_well(whole, tmp_path, 2, 2000) > 800


def test_damaged_samples_are_named_where_they_are_read_and_only_there(run):
    flip_in_samples(run, [12_345])
    with RunFile.open(run) as opened:
        assert opened.samples(0, GAP_AT).shape == (GAP_AT, 2)
        with pytest.raises(FileError, match=r"samples 12500 … 13499 differ from their checksums"):
            opened.samples(12_600, 12_610)
        with pytest.raises(FileError, match=r"optobind recover .*run\.h5 copies all others"):
            list(opened.blocks(rows=777))
    with open_record(run) as record, pytest.raises(FileError, match="12500 … 13499"):
        list(record.steady_blocks())


def test_every_row_is_checked_whatever_pieces_are_read(whole):
    with RunFile.open(whole) as opened:
        expected = {a: opened.samples(a, b) for a, b in opened.recorded()}
    for rows in (1, 700, 1 << 16):
        with RunFile.open(whole) as opened:
            for block in opened.blocks(0, 2500, rows=rows):
                first = block.first_sample
                np.testing.assert_array_equal(
                    block.samples, expected[0][first : first + len(block.samples)]
                )


@pytest.mark.parametrize("table", ["events", "slow", "stretches", "checksums"])
def test_a_changed_record_of_any_table_is_named(run, table):
    with h5py.File(run, "r+") as file:
        records = file[table][:]
        name = records.dtype.names[0]  # an index of a sample or a row
        records[name][len(records) // 2] += 1
        file[table][:] = records
    with pytest.raises(FileError, match="is damaged"):
        everything(run)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sample_rate", 2e6),
        ("scale", np.array([1e-3, 1e-3])),
        ("detectors", np.bytes_(b"[]")),
        ("config", np.bytes_(b'{"calibrated": false}')),
        ("outcome", np.array(b"stopped", "S16")),
        ("created", 5.0),
    ],
)
def test_a_changed_attribute_is_named(run, name, value):
    with h5py.File(run, "r+") as file:
        file.attrs[name] = value
    with pytest.raises(FileError, match="checksum of its attributes"):
        RunFile.open(run)


def test_a_changed_result_is_named(run):
    with h5py.File(run, "r+") as file:
        file["results/fit/array0"][3] = 7.0
    with RunFile.open(run) as opened:
        with pytest.raises(FileError, match="result fit differs from its checksum"):
            opened.results()
        assert "result fit" in verify(opened).words()


def test_a_file_without_checksums_is_read_and_says_so(run):
    with h5py.File(run, "r+") as file:
        del file["checksums"], file.attrs["checksum"], file.attrs["closing_checksum"]
    assert everything(run)
    with RunFile.open(run) as opened:
        found = verify(opened)
    assert (found.ok, found.checksums, found.to_dict()["ok"]) == (True, False, None)
    assert "no checksums" in found.words()


def test_a_file_that_lost_only_its_checksums_is_damaged(run):
    with h5py.File(run, "r+") as file:
        del file["checksums"]
    with pytest.raises(FileError, match="only a part of its checksums"):
        RunFile.open(run)


def test_verification_reads_all_and_lists_what_is_damaged(run):
    with RunFile.open(run) as opened:
        found = verify(opened)
        assert found.ok
        assert found.bytes > ROWS * 4
    flip_in_samples(run, [10, 1999, 2000, 19_999])
    shares = []
    with RunFile.open(run) as opened:
        found = verify(opened, shares.append)
    assert found.damaged == {"samples": ((0, 3000), (19_500, 20_500))}
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_recovery_leaves_out_damaged_samples_as_a_gap_and_says_so(run, whole, tmp_path):
    flip_in_samples(run, [12_345])
    copy = recover(run, tmp_path / "copy.h5")
    with RunFile.open(copy) as made, RunFile.open(whole) as truth:
        assert made.recorded() == [(0, 11_000), (11_500, 12_500), (13_500, 20_500)]
        for start, stop in made.recorded():
            np.testing.assert_array_equal(made.samples(start, stop), truth.samples(start, stop))
        assert verify(made).ok
        assert made.manifest["recovered"]
        assert made.worth().lost_samples == GAP + 1000
        notes = [e.payload.get("text", "") for e in made.events()]
        assert any("left out because damaged: 1000 samples" in text for text in notes)
    assert sum(stop - start for start, stop in open_record(copy).steady()) == ROWS - 1000


def test_recovery_refuses_where_events_are_damaged(run):
    with h5py.File(run, "r+") as file:
        records = file["events"][:]
        records["host_time"][5] += 1.0
        file["events"][:] = records
    with pytest.raises(FileError, match=r"cannot be recovered: events 5 … 5 are damaged"):
        recover(run)


def test_a_whole_and_complete_file_needs_no_recovery(run):
    with pytest.raises(InputError, match="nothing to recover"):
        recover(run)


def test_large_cells_are_cut(tmp_path):
    counts = np.zeros((100_000, 2), np.int16)
    with Recorder(tmp_path / "run.h5", MANIFEST) as recorder:
        recorder.append([(Block(0, counts, np.ones(2)), None)])
    size = cell_rows(counts)
    flip_in_samples(tmp_path / "run.h5", [50_000])
    with RunFile.open(tmp_path / "run.h5") as run:
        low = 50_000 // size * size
        assert verify(run).damaged == {"samples": ((low, low + size),)}
