"""The documented reader of run files and the documented importer do what their pages say."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import optobind as ob

DOCS = Path(ob.__file__).parent / "docs"


def first_python(page: Path) -> str:
    return re.search(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)[1]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    plan = ob.SequencePlan(
        (ob.MonitorPlan(duration=0.02), ob.ReheatingPlan(repetitions=6, release_time=5e-4))
    )
    with ob.simulate("simulated-pair", plan, out=folder / "run") as record:
        return record.path


def test_the_reader_in_plain_h5py_reads_what_optobind_reads(run):
    code = first_python(DOCS / "run-file.md")
    body = code.partition("def read_run")[2].splitlines()
    assert len(body) <= 20
    space: dict = {}
    exec(code, space)
    values, index, rate, events = space["read_run"](run)
    with ob.open_record(run) as record:
        assert rate == record.sample_rate
        ranges = record.recorded()
        kept = np.concatenate([np.arange(a, b) for a, b in ranges])
        np.testing.assert_array_equal(index, kept)
        truth = np.concatenate([record.read(a, b) for a, b in ranges])
        np.testing.assert_allclose(values, truth, rtol=1e-12)
        released = [sample for sample, kind, _ in events if kind == "release"]
        assert released == record.releases().starts.tolist()


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """The importer of the page, in a distribution as pip leaves it."""
    package = tmp_path / "site" / "my_lab"
    package.mkdir(parents=True)
    code = first_python(DOCS / "how-to" / "write-an-importer.md")
    assert len(code.splitlines()) <= 30
    (package / "__init__.py").write_text("")
    (package / "importer.py").write_text(code, encoding="utf-8")
    info = tmp_path / "site" / "my_lab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: my-lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[optobind.importers]\nmylab = my_lab.importer:load\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    assert "mylab" in {entry.name for entry in metadata.entry_points(group="optobind.importers")}


def test_the_importer_of_the_page_reads_its_files_once_it_is_installed(installed, tmp_path):
    counts = np.random.default_rng(0).integers(-30000, 30000, (500, 2)).astype("<i2")
    path = tmp_path / "a.dat"
    path.write_bytes(b"MYLAB1 250e3\n" + counts.tobytes())
    record = ob.open_record(path)
    assert (record.kind, record.sample_rate, record.names) == ("mylab", 250e3, ("left", "right"))
    np.testing.assert_allclose(record.samples, counts * 10.0 / 32768)
    (tmp_path / "b.dat").write_bytes(b"MYLAB1 fast\n" + counts.tobytes())
    with pytest.raises(ob.FileError, match="states no rate"):
        ob.open_record(tmp_path / "b.dat")
    np.savez(tmp_path / "c.npz", samples=np.zeros((8, 1)), sample_rate=1e3)
    assert ob.open_record(tmp_path / "c.npz").kind == "npz"  # not its own: left to the others
