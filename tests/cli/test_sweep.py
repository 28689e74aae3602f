"""Sweeps as a user types them: run, resume, dry run, runs, report, compare, rerun."""

from __future__ import annotations

import http.server
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from optobind.acquisition.notify import Notifier
from optobind.acquisition.runfile import RunFile
from optobind.config.documents import to_toml
from optobind.config.load import read_rig

# A pair as shipped, sampled slowly and cooled strongly: a point takes a blink.
RIG = ["devices.digitizer.sample_rate=250 kHz", "devices.gate.damping=4 kHz"]
PLAN = """
kind = "sweep"
order = "random"
reference_every = 2
retry_wait = "0 s"
[[axes]]
knob = "phi"
start = "0 rad"
stop = "3 rad"
points = 3
[inner]
kind = "monitor"
duration = "60 ms"
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A folder with rig and plan."""
    folder = tmp_path_factory.mktemp("sweeps")
    (folder / "rig.toml").write_text(to_toml(read_rig("simulated-pair", RIG).source))
    (folder / "plan.toml").write_text(PLAN)
    return folder


@pytest.fixture(scope="module")
def place(files):
    """The same with a sweep that nothing disturbed."""
    from optobind.__main__ import main

    folder = files
    command = ["run", folder / "plan.toml", "--rig", folder / "rig.toml", "--out", folder / "whole"]
    assert main([str(word) for word in [*command, "--note", "for <the> tests"]]) == 0
    return folder


@pytest.mark.slow
def test_a_sweep_leaves_table_report_and_run_files(place, optobind):
    whole = place / "whole"
    lines = (whole / "table.csv").read_text().splitlines()
    assert len(lines) == 1 + 3 + 3
    assert "g_a_error (rad/s)" in lines[0]
    assert "gap (rad/s)" in lines[0]
    page = (whole / "report.html").read_text()
    assert "for &lt;the&gt; tests" in page
    assert "data:image/" in page
    with RunFile.open(whole / "points/0004.h5") as run:
        start = next(run.each_event()).payload
    assert start["note"] == "for <the> tests"
    assert start["sweep"]["point"] == 4
    answer = optobind("fit", "spectrum", whole / "points/0004.h5", "--json")
    assert answer.code == 0
    g_r = answer.json["parameters"]["g_r"]["value"]
    heads = lines[0].split(",")
    assert float(lines[4].split(",")[heads.index("g_r (rad/s)")]) == pytest.approx(g_r, rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("command", [("info",), ("fit", "spectrum"), ("export",)])
def test_the_folder_of_a_sweep_is_no_record_and_what_to_do_is_said(place, optobind, command):
    more = ("--to", "csv") if command == ("export",) else ()
    answer = optobind(*command, place / "whole", *more)
    assert answer.is_one_line_error(2)
    assert "is the folder of a sweep" in answer.err
    assert "optobind report" in answer.err


@pytest.mark.slow
def test_resuming_a_whole_sweep_changes_nothing(place, optobind):
    kept = ("sweep.json", "journal.jsonl", "table.csv", "conditions.csv")
    before = {name: (place / "whole" / name).read_bytes() for name in kept}
    answer = optobind("resume", place / "whole", "--json")
    assert (answer.code, answer.json["state"], answer.json["measured"]) == (0, "complete", 6)
    assert {name: (place / "whole" / name).read_bytes() for name in kept} == before


@pytest.mark.slow
def test_what_a_kill_leaves_at_any_line_of_the_journal_is_gone_on_with(place, tmp_path, optobind):
    """Cut the journal where a kill could have: within a line, before a rename, before a fit."""
    whole = place / "whole"
    lines = (whole / "journal.jsonl").read_text().splitlines(keepends=True)
    kinds = [json.loads(line)["event"] for line in lines]
    measured = [i for i, kind in enumerate(kinds) if kind == "measured"][4]
    for name, cut, half in (
        ("renamed-not", measured + 1, ""),
        ("within-a-line", measured, lines[measured][:40]),
        ("fitted-not", measured + 1, lines[measured + 1][:-2]),
    ):
        folder = tmp_path / name
        shutil.copytree(whole, folder)
        (folder / "journal.jsonl").write_text("".join(lines[:cut]) + half)
        (folder / "points/0006.h5").unlink()
        file = folder / "points/0005.h5"
        if name == "renamed-not":
            file.rename(folder / "points" / json.loads(lines[measured])["attempt"])
        elif name == "within-a-line":
            file.rename(folder / "points/0005.try1.h5")
        assert optobind("resume", folder).code == 0
        assert (folder / "table.csv").read_bytes() == (whole / "table.csv").read_bytes()
        assert all((folder / f"points/{n:04d}.h5").exists() for n in range(1, 7))


@pytest.mark.study
@pytest.mark.realtime
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_sweep_killed_at_random_moments_ends_with_the_same_table(place, tmp_path):
    dice, out, kills = random.Random(11), tmp_path / "killed", 0
    begin = ["run", place / "plan.toml", "--rig", place / "rig.toml", "--out", out]
    for _ in range(60):
        command = ["resume", out] if (out / "sweep.json").exists() else begin
        run = subprocess.Popen(
            [sys.executable, "-m", "optobind", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        journal = out / "journal.jsonl"
        lines = len(journal.read_bytes().splitlines()) if journal.exists() else 0
        awaited = lines + dice.randint(1, 6)
        while run.poll() is None:
            if journal.exists() and len(journal.read_bytes().splitlines()) >= awaited:
                time.sleep(dice.uniform(0.0, 0.1))
                os.kill(run.pid, signal.SIGKILL)
                kills += 1
                break
            time.sleep(0.005)
        _, said = run.communicate(timeout=120.0)
        for file in (out / "points").glob("*.h5"):
            with RunFile.open(file) as opened:
                assert opened.rows >= 0
        if run.returncode == 0:
            break
        assert run.returncode == -signal.SIGKILL, said
    assert kills >= 4
    assert (out / "table.csv").read_bytes() == (place / "whole/table.csv").read_bytes()


@pytest.mark.slow
def test_ctrl_c_ends_after_the_point_and_resume_finishes(place, tmp_path, optobind, own_signals):
    out, asked = tmp_path / "s", threading.Event()
    own_signals.send_when(asked, signal.SIGINT)

    def watch():
        while not (out / "points/0002.h5").exists():
            time.sleep(0.01)
        asked.set()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    answer = optobind("run", place / "plan.toml", "--rig", place / "rig.toml", "--out", out)
    assert answer.code == 130
    assert answer.out == ""
    assert f"go on with optobind resume {out}" in answer.err.replace("\n", " ")
    closed = json.loads((out / "journal.jsonl").read_text().splitlines()[-1])
    assert (closed["event"], closed["state"]) == ("closed", "stopped")
    assert 2 <= closed["points"] < 6
    assert optobind("resume", out).code == 0
    assert (out / "table.csv").read_bytes() == (place / "whole/table.csv").read_bytes()


@pytest.mark.parametrize("plan", ["reheating", "sweep-phase", "monitor"])
def test_a_dry_run_of_a_real_rig_connects_to_nothing(tmp_path, optobind, plan):
    pytest.importorskip("nidaqmx")
    command = ["run", plan, "--rig", "lab-slm-aom", "--out", tmp_path, "--dry-run"]
    values = optobind(*command, "--json").json
    assert values["sample_rate"] == 1e6
    assert values["channels"] == ["ai0", "ai1", "ai2"]
    assert values["bytes"] > 0


@pytest.mark.slow
def test_a_dry_run_says_everything_and_writes_nothing(place, tmp_path, optobind):
    out = tmp_path / "never"
    command = ["run", place / "plan.toml", "--rig", place / "rig.toml", "--out", out, "--dry-run"]
    found = optobind(*command, "--json").json
    assert (found["points"], len(found["set_points"])) == (6, 6)
    assert found["seconds"] == pytest.approx(6 * 0.16)
    table = optobind(*command).out
    assert "nothing was sent" in table
    assert not out.exists()
    real = sum(p.stat().st_size for p in (place / "whole/points").iterdir())
    assert 0.5 * real < found["bytes"] < 5.0 * real
    shipped = optobind("run", "reheating", "--rig", "simulated-pair", "--dry-run", "--json").json
    assert shipped["seconds"] == pytest.approx(1.0)
    endless = ["--set", "plan.duration=until stopped", "--dry-run"]
    assert "until stopped" in optobind("run", "monitor", "--rig", "simulated-pair", *endless).out


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["plan.axes.0.knob=fi"], "knob 'fi' is not known; known: phi"),
        (["plan.axes.0.start=3 m"], "axes.0.start has the unit 'm'"),
        (["plan.axes.0.points=1"], "axes.0.points must lie in 2 … 100000, got 1"),
        (["plan.inner.duration=until stopped"], "plan.inner.duration must be a time"),
        (["plan.reference.phi=2 m"], "reference has the unit 'm'"),
        (["plan.suspend.pressure_high=3 W"], "suspend.pressure_high has the unit 'W'"),
        (["plan.axes.0.start=-1.5 rad"], "to leave such points out, set plan.on_refused=skip"),
        (["plan.inner.duration=1e6 s"], "disk full: the plan writes"),
    ],
)
@pytest.mark.parametrize("dry", [True, False])
def test_a_wrong_sweep_is_one_line_and_leaves_nothing(
    files, tmp_path, optobind, settings, said, dry
):
    out = tmp_path / "never"
    if "-1.5 rad" in settings[0]:
        settings = [*settings, "devices.gate.damping=0.5 kHz"]
    changes = [word for text in settings for word in ("--set", text)]
    command = ["run", files / "plan.toml", "--rig", files / "rig.toml", "--out", out, *changes]
    answer = optobind(*command, *(["--dry-run"] if dry else []))
    assert answer.is_one_line_error(2), answer
    assert said in answer.err
    assert not out.exists()


@pytest.mark.slow
def test_folders_that_are_no_sweeps_are_named(place, tmp_path, optobind):
    for command, said in (
        (("resume", tmp_path), "holds no sweep"),
        (("resume", tmp_path / "no"), "holds no sweep"),
        (("runs", tmp_path / "no"), "is no folder"),
        (("report", tmp_path), "holds neither run.h5 nor a sweep"),
        (("compare", place / "whole", place / "whole/points/0001.h5"), "one is a sweep"),
        (("rerun", place / "plan.toml"), "is not a run file"),
        (("rerun", place / "whole"), "is a sweep: name one of its points"),
        (("run", place / "plan.toml", "--rig", place / "rig.toml", "--out", place / "whole"),
         "holds a sweep already"),
    ):  # fmt: skip
        answer = optobind(*command)
        assert answer.is_one_line_error(2), answer
        assert said in answer.err
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for text in ("{", "[]", '{"schema": "optobind-sweep"}', '{"schema": "x"}'):
        (damaged / "sweep.json").write_text(text)
        assert optobind("resume", damaged).is_one_line_error(2)


@pytest.mark.slow
def test_another_simulated_rig_is_not_mixed_into_a_sweep(place, tmp_path, optobind):
    other = (place / "rig.toml").read_text().replace('"60 nm"', '"80 nm"')
    assert other != (place / "rig.toml").read_text()
    (tmp_path / "rig.toml").write_text(other)
    answer = optobind("resume", place / "whole", "--rig", tmp_path / "rig.toml")
    assert answer.is_one_line_error(2), answer
    assert "they differ in particles." in answer.err
    assert optobind("resume", place / "whole", "--rig", place / "rig.toml").code == 0


@pytest.mark.slow
def test_runs_are_listed_filtered_and_tagged(place, optobind):
    found = optobind("runs", place, "--filter", "sweep", "--tag", "tonight", "--json").json["runs"]
    (sweep,) = [entry for entry in found if entry["path"].endswith("whole")]
    assert sweep["tags"] == ["tonight"]
    assert (sweep["state"], sweep["size"]) == ("complete", "6 of 6 points")
    assert sweep["note"] == "for <the> tests"
    assert optobind("runs", place, "--filter", "TONIGHT", "--json").json["runs"] == [sweep]
    assert optobind("runs", place, "--filter", "no such", "--json").json["runs"] == []
    optobind("runs", place, "--filter", "tonight", "--untag", "tonight")
    assert optobind("runs", place, "--filter", "tonight", "--json").json["runs"] == []


@pytest.mark.slow
def test_two_sweeps_side_by_side(place, tmp_path, optobind):
    out = tmp_path / "other"
    command = ["run", place / "plan.toml", "--rig", place / "rig.toml", "--out", out]
    assert optobind(*command, "--set", "plan.seed=2").code == 0
    found = optobind("compare", place / "whole", out, "--json").json
    assert found["settings"] == {"plan.seed": [1, 2]}
    pulls = [entry["deviation"] for name, entry in found["values"].items() if "g_a" in name]
    assert len(pulls) == 3
    assert max(abs(pull) for pull in pulls) < 5.0
    assert sum(pull**2 for pull in pulls) > 0.05  # other seeds give other samples


@pytest.mark.slow
def test_a_point_and_a_plain_run_are_simulated_again_sample_by_sample(place, tmp_path, optobind):
    again = optobind("rerun", place / "whole/points/0003.h5", "--out", tmp_path / "a", "--json")
    assert (again.code, again.json["identical"]) == (0, True)
    assert again.json["samples"] == 15_000
    plain = ["run", "reheating", "--rig", place / "rig.toml", "--set", "plan.repetitions=20"]
    assert optobind(*plain, "--out", tmp_path / "plain").code == 0
    again = optobind("rerun", tmp_path / "plain", "--out", tmp_path / "b", "--json")
    assert (again.code, again.json["identical"]) == (0, True)
    report = optobind("report", tmp_path / "plain")
    assert report.code == 0
    assert "Reheating" in (tmp_path / "plain/report.html").read_text()


# -- notifications --------------------------------------------------------------------------------


def test_a_notification_reaches_an_address_and_a_command(tmp_path):
    heard = []

    class Hook(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Hook) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        notifier = Notifier(f"http://127.0.0.1:{server.server_port}/")
        notifier.tell("suspended", "pressure is high", folder="x")
        thread.join(30)
        notifier.finish(30)
    assert heard[0]["event"] == "suspended"
    assert heard[0]["text"] == "pressure is high"
    script = tmp_path / "hook.py"
    script.write_text(
        "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read() + sys.argv[2])"
    )
    notifier = Notifier(f"{sys.executable} {script} {tmp_path / 'out'}")
    notifier.tell("complete", "done")
    notifier.finish(60)
    said = Path(tmp_path / "out").read_text()
    assert json.loads(said.removesuffix("done"))["event"] == "complete"


@pytest.mark.parametrize("target", ["http://127.0.0.1:9/", "no-such-command", "false"])
def test_a_notification_that_fails_delays_and_breaks_nothing(target):
    said = []
    notifier = Notifier(target, said.append)
    notifier.tell("complete", "done")
    notifier.finish(30)
    assert len(said) == 1
    assert "could not be sent" in said[0]
