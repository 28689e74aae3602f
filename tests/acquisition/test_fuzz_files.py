"""Damaged and hostile files of every format: one line that says so, no internal error, no nonsense.

A failing case names its seed: ``fuzz(make, read_all, range(SEED, SEED + 1))`` shows it again.
"""

import io
import json
import random
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from optobind.acquisition import free_memory
from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan, SequencePlan, plan_to_dict
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.records.opening import open_record
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.runfile_damage import verify
from optobind.acquisition.runfile_format import EVENT_TYPE, Manifest
from optobind.models.blocks import Block
from optobind.models.errors import FileError, OptobindError

from .fuzz import damaged, fuzz, read_all
from .test_importers import waveform

STEPS = (
    MonitorPlan(duration=2e-3),
    ReheatingPlan(release_time=1e-3, cool_time=1e-3, repetitions=3),
)
MANIFEST = Manifest(
    1e6,
    ("z1", "z2"),
    (1e-3, 2e-3),
    config={"name": "x", "calibrated": True, "masses": [1e-18, None]},
    plan=plan_to_dict(SequencePlan(STEPS)),
    detectors=tuple(
        {"channel": c, "particle": c, "polarity": 1, "volts_per_metre": 1e6, "role": "out_of_loop"}
        for c in range(2)
    ),
    seed=3,
)


def write_run(path):
    counts = np.random.default_rng(0).integers(-999, 999, (8000, 2)).astype(np.int16)
    kinds = EventKind
    with Recorder(path, MANIFEST, chunk_rows=512) as recorder:
        events = [
            Event(0, kinds.RUN_START, {"plan": {}}),
            Event(0, kinds.GATE, {"closed": True}),
            Event(0, kinds.STEP_START, {"index": 0, "kind": "monitor"}),
            Event(500, kinds.SATURATED, {"samples": 100}),
            Event(2000, kinds.STEP_END, {"index": 0, "kind": "monitor"}),
            Event(2000, kinds.STEP_START, {"index": 1, "kind": "reheating"}),
        ]
        for k in range(3):
            at, which = 3000 + 2000 * k, {"repetition": k, "step": 1}
            events += [
                Event(at, kinds.GATE, {"closed": False}),
                Event(at, kinds.RELEASE, {**which, "samples": 1000}),
                Event(at + 1000, kinds.RECAPTURE, which),
                Event(at + 1000, kinds.GATE, {"closed": True}),
            ]
        events.append(Event(5000, kinds.EXCLUDED, {"step": 1, "repetition": 1, "reason": "x"}))
        events.append(Event(8500, kinds.RUN_END, {"outcome": "complete"}))
        blocks = [(Block(0, counts[:4000], np.ones(2)), None)]
        blocks += [(Block(4500, counts[4000:], np.ones(2)), None)]
        recorder.append(blocks, events)
        recorder.slow(10, "pressure", 1e-4, "Pa")
    return path


def write_csv(path):
    lines = ["# unit = V", "time,z1,z2"]
    lines += [f"{k * 1e-6:.7e},{np.sin(k):.6f},{np.cos(k):.6f}" for k in range(400)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_table(path):
    lines = ["# sample_rate = 1 MHz; unit = m"]
    lines += [f"{np.sin(k):.6f};{np.cos(k):.6f}".replace(".", ",") for k in range(400)]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def write_npz(path):
    samples = np.random.default_rng(0).normal(size=(5, 300, 2))
    names = np.array(["a", "b"])
    np.savez(path, samples=samples, sample_rate=1e6, unit="V", release_index=10, channels=names)
    return path


def write_packed(path):
    samples = np.random.default_rng(0).normal(size=(300, 2)).astype(np.float32)
    np.savez_compressed(path, samples=samples, sample_rate=np.int64(1000))
    return path


def write_lecroy(path):
    counts = (1000 * np.sin(np.arange(1200) * 0.1)).astype(np.int16)
    path.write_bytes(waveform(counts, offset=0.003, preamble=b"C1:WF ALL,", segments=3))
    return path


def write_old_run(path):
    """A run file of before checksums: everything rests on the checks of what is read."""
    write_run(path)
    with h5py.File(path, "r+") as file:
        del file["checksums"], file.attrs["checksum"], file.attrs["closing_checksum"]
    return path


WRITERS = {
    "run.h5": write_run,
    "old.h5": write_old_run,
    "time.csv": write_csv,
    "table.txt": write_table,
    "plain.npz": write_npz,
    "packed.npz": write_packed,
    "scope.trc": write_lecroy,
}


@pytest.fixture(scope="module", params=WRITERS)
def original(request, tmp_path_factory):
    return WRITERS[request.param](tmp_path_factory.mktemp("fuzz") / request.param)


def damage_bytes(original, folder):
    data = original.read_bytes()

    def make(rnd, seed):
        del seed
        path = folder / original.name
        path.write_bytes(damaged(data, rnd))
        return path

    return make


def read_whole(path):
    """Read a file in every way there is."""
    read_all(path)
    with path.open("rb") as file:
        if file.read(4) != b"\x89HDF":
            return
    with RunFile.open(path) as run:
        json.dumps(run.info(), allow_nan=False)
        assert run.sample_rate > 0
        found = verify(run)
        assert isinstance(found.words(), str)


@pytest.mark.slow
def test_files_damaged_at_random_are_refused_or_read(original, tmp_path):
    read_whole(original)
    assert fuzz(damage_bytes(original, tmp_path), read_whole, range(60)) > 10


@pytest.mark.slow
def test_four_thousand_damaged_files_are_refused_or_read(original, tmp_path):
    seeds = range(1000, 1000 + 4200 // len(WRITERS))
    assert fuzz(damage_bytes(original, tmp_path), read_whole, seeds) > 100


# -- run files whose values are wrong, checksums removed or right --------------------------------

_NUMBERS = (-1.0, 0.0, float("nan"), float("inf"), 1e300, -(2**63), 2**63 - 1, 2**62, 1e-300, 5)
_TEXTS = (b"", b"null", b"[]", b"{}", b"1", b"NaN", b'"x"', b"[[[", b"\xff\xfe", b"[null]", b"-1")


def nasty(rnd, depth=0):
    """A JSON value that nobody expects."""
    kind = rnd.randrange(9)
    if kind == 8 and depth < 3:
        return [nasty(rnd, depth + 1) for _ in range(rnd.randrange(4))]
    if kind == 7 and depth < 3:
        return {rnd.choice(("kind", "samples", "", "x")): nasty(rnd, depth + 1)}
    return rnd.choice((None, True, "x", -1, 10**30, 1e308, 0, -0.5, 2**63, "", "1e6", [], {}))


def change_attribute(file, rnd):
    name = rnd.choice(sorted(file.attrs))
    value = rnd.choice(
        (
            np.bytes_(rnd.choice(_TEXTS)),
            np.float64(rnd.choice(_NUMBERS)),
            np.array([rnd.choice(_NUMBERS)] * rnd.randrange(4), np.float64),
            "text of variable length",
            np.int64(rnd.choice((-1, 0, 1, 99, 2**40))),
            np.zeros((2, 2)),
            h5py.Empty("f"),
        )
    )
    try:
        stored = json.loads(bytes(file.attrs[name]))
    except (TypeError, ValueError):
        stored = None
    if stored and rnd.random() < 0.7:  # one value deep within
        value = np.bytes_(json.dumps(mutated(stored, rnd)).encode("ascii"))
    file.attrs[name] = value


def mutated(value, rnd):
    """The same JSON with one value replaced, or left out."""
    if isinstance(value, dict) and value and rnd.random() < 0.9:
        key = rnd.choice(sorted(value))
        rest = {k: v for k, v in value.items() if k != key}
        return rest if rnd.random() < 0.2 else {**rest, key: mutated(value[key], rnd)}
    if isinstance(value, list) and value and rnd.random() < 0.8:
        at = rnd.randrange(len(value))
        return [*value[:at], mutated(value[at], rnd), *value[at + 1 :]]
    return nasty(rnd)


def change_record(file, rnd):
    table = file[rnd.choice(("events", "slow", "stretches"))]
    at, name = rnd.randrange(len(table)), rnd.choice(table.dtype.names)
    record = table[at]
    kind = table.dtype[name].kind
    if kind == "S" and name == "json":
        stored = json.loads(record[name])
        changed = json.dumps(mutated(stored, rnd) if rnd.random() < 0.8 else nasty(rnd))
        record[name] = rnd.choice((changed.encode("ascii"), rnd.choice(_TEXTS)))
    elif kind == "S":
        record[name] = rnd.choice((b"", b"\xff\xfe", b"gap", b"release", b"x" * 16, b"gate"))
    elif kind == "u":
        record[name] = rnd.randrange(256)
    else:
        number = rnd.choice(_NUMBERS)
        record[name] = number if kind == "f" else rnd.choice((-1, 0, 2**62, -(2**63), 2**40, 7))
    table[at] = record


def change_dataset(file, rnd):
    name = rnd.choice(("samples", "events", "slow", "stretches"))
    shape, dtype = file[name].shape, file[name].dtype
    match rnd.randrange(8):
        case 0:
            file[name].resize((rnd.choice((0, 1, 10**7, 10**9)), *shape[1:]))
            return
        case 1:
            del file[name]
            return
    del file[name]
    match rnd.randrange(7):
        case 0:
            file[name] = np.zeros(rnd.choice(((), (3,), (3, 2), (3, 2, 2), (0, 2), (3, 0))))
        case 1:
            file.create_dataset(name, (2**40, 2), "i2", chunks=(1024, 2))
        case 2:
            file[name] = h5py.SoftLink("/nowhere")
        case 3:
            file[name] = h5py.ExternalLink("other.h5", "/samples")
        case 4:
            file.create_group(name)
        case 5:
            file.create_dataset(name, data=["text"] * 3, dtype=h5py.string_dtype())
        case _:
            file.create_dataset(name, shape, dtype.newbyteorder(">"))


CHANGES = (change_attribute, change_record, change_record, change_dataset)


@pytest.mark.slow
def test_run_files_with_impossible_contents_are_refused_or_make_sense(tmp_path):
    original = write_old_run(tmp_path / "original.h5")

    def make(rnd, seed):
        del seed
        path = shutil.copy(original, tmp_path / "changed.h5")
        with h5py.File(path, "r+") as file:
            for _ in range(rnd.choice((1, 1, 2))):
                change = rnd.choice(
                    (change_attribute, change_record, change_record, change_dataset)
                )
                try:
                    change(file, rnd)
                except (KeyError, TypeError, ValueError, OSError, AttributeError):
                    continue  # what an earlier change has made impossible
        return path

    assert fuzz(make, read_whole, range(500)) > 200


# -- what leads out of the file, or would fill the memory -----------------------------------------


@pytest.mark.parametrize("way", ["external link", "soft link", "storage", "virtual", "result"])
def test_nothing_is_followed_out_of_a_run_file(tmp_path, way):
    path, other = write_old_run(tmp_path / "run.h5"), write_old_run(tmp_path / "other.h5")
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(40_000))
    with h5py.File(path, "r+") as file:
        if way == "result":
            file["results/fit/json"] = np.bytes_(b"{}")
            file["results/fit/array0"] = h5py.ExternalLink(str(other), "/samples")
        else:
            del file["samples"]
        if way == "external link":
            file["samples"] = h5py.ExternalLink(str(other), "/samples")
        elif way == "soft link":
            file["hidden"] = h5py.ExternalLink(str(other), "/")
            file["samples"] = h5py.SoftLink("/hidden/samples")
        elif way == "storage":
            file.create_dataset("samples", (8000, 2), "<i2", external=[(str(secret), 0, 32_000)])
        elif way == "virtual":
            layout = h5py.VirtualLayout((8000, 2), "<i2")
            layout[:] = h5py.VirtualSource(str(other), "samples", (8000, 2))
            file.create_virtual_dataset("samples", layout)
    with pytest.raises(FileError, match=r"not followed"), RunFile.open(path) as run:
        run.results()


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_run_file_that_claims_more_than_it_holds_is_refused_before_anything_is_read(
    tmp_path, compression
):
    path = write_old_run(tmp_path / "run.h5")
    with h5py.File(path, "r+") as file:
        del file["samples"]
        file.create_dataset("samples", (2**45, 2), "<i2", chunks=(1024, 2), compression=compression)
    with pytest.raises(FileError, match=r"is damaged: samples of shape \(35184372088832, 2\)"):
        open_record(path)


def npz_of(path, header, body=b"", size=None):
    """An archive whose samples have this header."""
    text = header.encode("latin-1").ljust(117) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + body
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("samples.npy", member)
        rate = io.BytesIO()
        np.save(rate, 1e6)
        archive.writestr("sample_rate.npy", rate.getvalue())
    return path


def test_an_archive_that_claims_a_huge_shape_is_refused_before_it_is_allocated(tmp_path):
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (100000000000, 2), }"
    path = npz_of(tmp_path / "a.npz", text, bytes(1000))
    assert fuzz(lambda *_: path, read_all, range(1)) == 1
    with pytest.raises(FileError, match=r"samples of shape \(100000000000, 2\) is not"):
        open_record(path)


def test_an_archive_that_unpacks_to_more_than_is_free_is_refused(tmp_path, monkeypatch):
    text = "{'descr': '<f8', 'fortran_order': False, 'shape': (500000, 2), }"
    path = npz_of(tmp_path / "a.npz", text, bytes(8_000_000))
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(free_memory, "free_memory", lambda: 4_000_000)
    with pytest.raises(FileError, match=r"need 17 MB of memory, 4 MB are free"):
        open_record(path)


def test_texts_and_waveforms_larger_than_memory_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(free_memory, "free_memory", lambda: 1000)
    for writer in (write_csv, write_lecroy):
        with pytest.raises(FileError, match="MB are free"):
            open_record(writer(tmp_path / "a"))


def test_free_memory_is_told():
    assert 1 << 20 < free_memory.free_memory() < 1 << 60


def test_event_records_of_every_byte_are_decoded_or_refused():
    from optobind.acquisition.runfile_format import decode_events

    refused = 0
    for seed in range(300):
        rnd = random.Random(seed)
        records = np.frombuffer(rnd.randbytes(EVENT_TYPE.itemsize * 2), EVENT_TYPE).copy()
        records["continues"] = 0  # else they count as one that was cut short
        try:
            decoded = list(decode_events([records]))
        except OptobindError:
            refused += 1
            continue
        assert not decoded, seed
    assert refused == 300, "random bytes are no event"


def test_all_shipped_writers_make_whole_files(tmp_path):
    for name, writer in WRITERS.items():
        path = Path(writer(tmp_path / name))
        read_whole(path)
        assert len(path.read_bytes()) > 100, name
        with open_record(path) as record:
            assert record.recorded().samples > 0, name
