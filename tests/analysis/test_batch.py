"""Many tasks, one table: resumed, in processes, and whatever becomes of a worker."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from batch_work import deadly, interrupting, square
from scipy import signal

from optobind.analysis.batch.fits import fit_tasks
from optobind.analysis.batch.journal import Journal
from optobind.analysis.batch.run import run_batch
from optobind.analysis.batch.tasks import Outcome, Task
from optobind.models.errors import FileError, InputError

RATE = 5e5
SINGLE = {"channels": ["0"]}


def lines(table: Path) -> list[dict[str, str]]:
    with table.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def squares(numbers, log: Path) -> list[Task]:
    return [Task(square, {"number": n, "log": str(log)}, {"number": n}) for n in numbers]


def asked(log: Path) -> list[int]:
    return sorted(map(int, log.read_text().split()))


def test_a_table_has_a_line_for_every_task_in_their_order(tmp_path):
    table, log = tmp_path / "t.csv", tmp_path / "log"
    outcome = run_batch(squares([3, 13, 1, 7], log), table, jobs=0)
    found = lines(table)
    assert [line["number"] for line in found] == ["3", "13", "1", "7"]
    assert [line["status"] for line in found] == ["ok", "failed", "ok", "crashed"]
    assert found[0]["square [1]"] == "9"
    assert float(found[0]["root [1]"]) == np.sqrt(3)
    assert found[1]["reason"] == "13 is refused"
    assert "ValueError: a bug" in found[3]["reason"]
    assert outcome.counts == {"ok": 2, "failed": 1, "crashed": 1}


def test_a_second_call_does_what_is_missing_only_and_writes_the_same_bytes(tmp_path):
    table, log = tmp_path / "t.csv", tmp_path / "log"
    run_batch(squares([1, 2, 13, 7], log), table, jobs=0)
    first = table.read_bytes()
    outcome = run_batch(squares([1, 2, 13, 7], log), table, jobs=0)
    assert table.read_bytes() == first
    assert outcome.before == 3
    assert asked(log) == [1, 2, 7, 7, 13]  # a bug may have been mended, bad data have not
    run_batch(squares([1, 2, 13, 7, 5], log), table, jobs=0, retry=True)
    assert asked(log) == [1, 2, 5, 7, 7, 7, 13, 13]
    assert len(lines(table)) == 5


def test_an_interrupted_call_keeps_what_is_done(tmp_path):
    table = tmp_path / "t.csv"
    tasks = [Task(interrupting, {"number": n}, {"number": n}) for n in range(6)]
    with pytest.raises(KeyboardInterrupt):
        run_batch(tasks, table, jobs=0)
    assert [line["square"] for line in lines(table)] == ["0", "1", "4"]


def test_a_line_that_a_kill_has_cut_short_is_done_again(tmp_path):
    table, log = tmp_path / "t.csv", tmp_path / "log"
    run_batch(squares([1, 2], log), table, jobs=0)
    first, journal = table.read_bytes(), tmp_path / "t.csv.journal"
    journal.write_bytes(journal.read_bytes()[:-9])
    run_batch(squares([1, 2], log), table, jobs=0)
    assert asked(log) == [1, 2, 2]
    assert table.read_bytes() == first


def test_two_programs_do_not_work_on_one_table(tmp_path):
    import subprocess

    table = tmp_path / "t.csv"
    code = (
        "import sys; from pathlib import Path\n"
        "from optobind.analysis.batch.journal import Journal\n"
        "j = Journal(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(table)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as other:  # fmt: skip
        assert other.stdout.readline() == "held\n"
        with pytest.raises(FileError, match="another program works on"):
            Journal(table)
        other.stdin.close()
    Journal(table).close()


def test_a_foreign_file_in_place_of_the_journal_is_left_alone(tmp_path):
    table = tmp_path / "t.csv"
    journal = tmp_path / "t.csv.journal"
    journal.write_text("my notes\n")
    with pytest.raises(FileError, match="no journal of a table"):
        Journal(table)
    assert journal.read_text() == "my notes\n"


def test_values_are_the_same_through_a_journal_and_without(tmp_path):
    outcome = Outcome("ok", {"a": 0.1 + 0.2, "b": np.float64(np.nan), "c": np.int64(3), "d": True})
    with Journal(tmp_path / "t.csv") as journal:
        journal.add("k", outcome)
    with Journal(tmp_path / "t.csv") as journal:
        assert journal.outcomes["k"] == outcome
    assert outcome.row == {"a": 0.1 + 0.2, "b": None, "c": 3, "d": True}


@pytest.mark.parametrize(
    ("table", "jobs", "words"),
    [("t.txt", 0, r"\.csv or \.parquet"), ("t.csv", -1, "0 … 1024"), ("d.csv", 0, "directory")],
)
def test_what_cannot_be_done_is_said_before(tmp_path, table, jobs, words):
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(InputError, match=words):
        run_batch(squares([1], tmp_path / "log"), tmp_path / table, jobs=jobs)
    assert not (tmp_path / "log").exists()
    with pytest.raises(InputError, match="nothing to do"):
        run_batch([], tmp_path / "t.csv", jobs=0)


@pytest.mark.realtime
def test_a_task_that_kills_its_worker_ends_alone(tmp_path):
    table = tmp_path / "t.csv"
    tasks = [Task(deadly, {"number": n, "always": 4}, {"number": n}) for n in range(8)]
    outcome = run_batch(tasks, table, jobs=2)
    assert outcome.counts == {"ok": 7, "failed": 0, "crashed": 1}
    (line,) = [line for line in lines(table) if line["status"] == "crashed"]
    assert line["number"] == "4"
    assert "its worker died" in line["reason"]


def record(path: Path, seed: int, samples: int = 60_000) -> Path:
    """Two damped oscillators that are not coupled, in quanta, with imprecision."""
    rng = np.random.default_rng(seed)
    columns = []
    for frequency in (45e3, 52e3):
        pole = np.exp((-2e3 + 2j * np.pi * frequency) / RATE)
        drive = rng.standard_normal(samples) + 1j * rng.standard_normal(samples)
        columns.append(signal.lfilter([1.0], [1.0, -pole], drive).real)
    data = np.stack(columns, axis=1) + 2.0 * rng.standard_normal((samples, 2))
    np.savez(path, samples=data, sample_rate=RATE, unit="quanta")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    found = [record(folder / f"{k}.npz", k) for k in range(2)]
    (folder / "bad.npz").write_bytes(b"nothing")
    return [found[0], folder / "bad.npz", found[1], folder / "missing.npz"]


def test_files_that_cannot_be_fitted_are_lines_with_their_reason(files, tmp_path):
    table = tmp_path / "fits.csv"
    outcome = run_batch(fit_tasks("spectrum", files, SINGLE), table, jobs=0)
    found = lines(table)
    assert [line["status"] for line in found] == ["ok", "failed", "ok", "failed"]
    assert "missing.npz does not exist" in found[3]["reason"]
    omega = float(found[0]["omega [rad/s]"]) / (2.0 * np.pi)
    assert omega == pytest.approx(45e3, abs=100.0)
    assert float(found[0]["omega_stderr [rad/s]"]) > 0.0
    assert found[0]["stop [s]"] == repr(60_000 / RATE)
    assert outcome.counts["failed"] == 2


def test_a_file_that_was_written_anew_is_fitted_anew(tmp_path):
    path, table = record(tmp_path / "a.npz", 1), tmp_path / "fits.csv"
    run_batch(fit_tasks("spectrum", [path], SINGLE), table, jobs=0)
    before = table.read_bytes()
    record(path, 2)
    outcome = run_batch(fit_tasks("spectrum", [path], SINGLE), table, jobs=0)
    assert outcome.before == 0
    assert table.read_bytes() != before
    assert len(lines(table)) == 1


def test_blocks_are_lines_and_agree_with_the_fit_of_the_block_alone(files, tmp_path):
    from optobind import analyse_spectrum, open_record

    table = tmp_path / "fits.csv"
    tasks = fit_tasks("spectrum", files[:1], SINGLE, blocks=0.04)
    run_batch(tasks, table, jobs=0)
    found = lines(table)
    assert [line["block"] for line in found] == ["0", "1", "2"]
    assert float(found[1]["start [s]"]) == pytest.approx(0.04)
    data = np.load(files[0])["samples"][20_000:40_000]
    np.savez(tmp_path / "block.npz", samples=data, sample_rate=RATE, unit="quanta")
    alone = analyse_spectrum(open_record(tmp_path / "block.npz"), channels=(0,)).result
    assert float(found[1]["D [rad/s]"]) == alone.value("D")


@pytest.mark.study
def test_numbers_are_the_same_to_the_last_digit_in_one_process_and_in_two(files, tmp_path):
    here, beside = tmp_path / "a.csv", tmp_path / "b.csv"
    tasks = fit_tasks("spectrum", files, {}, blocks=0.06)
    run_batch(tasks, here, jobs=0)
    run_batch(tasks, beside, jobs=2)
    assert here.read_bytes() == beside.read_bytes()


def test_parquet_holds_the_same_and_units_in_its_metadata(files, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    table = tmp_path / "fits.parquet"
    tasks = fit_tasks("spectrum", files, SINGLE)
    run_batch(tasks, table, jobs=0)
    found = parquet.read_table(table)
    run_batch(tasks, tmp_path / "fits.csv", jobs=0)
    text = lines(tmp_path / "fits.csv")
    assert found.num_rows == len(text) == 4
    column = found.column("D [rad/s]").to_pylist()
    assert column[1] is None
    assert repr(column[0]) == text[0]["D [rad/s]"]
    assert found.schema.field("D [rad/s]").metadata == {b"unit": b"rad/s"}
