"""Run, info, fit and report of a lossy run say the same numbers; exit code 4 above 1 % lost."""

from __future__ import annotations

import dataclasses
import os
import signal
import sys
import time
from typing import Any

import pytest

from optobind.acquisition.session import Session
from optobind.cli.demo import run_demo
from optobind.instruments.protocols import ReadResult
from optobind.instruments.simulated.digitizer import SimulatedDigitizer
from optobind.models.blocks import BlockStatus
from optobind.models.errors import InputError

RUN = ("run", "reheating", "--rig", "simulated-pair", "--set", "simulation.clock=fast")


@pytest.fixture
def losses(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Samples lost by the simulated card: in the releases that ``chosen`` picks, by their order."""
    told: dict[str, Any] = {"chosen": lambda number: False, "monitor": lambda read: 0}
    original, start = SimulatedDigitizer.read_into, SimulatedDigitizer.start
    state = {"open": False, "releases": -1, "reads": -1}

    def begin(card: SimulatedDigitizer) -> None:
        state.update(open=False, releases=-1, reads=-1)
        start(card)

    def read_into(card: SimulatedDigitizer, buffer: Any) -> ReadResult:
        is_open = not card._world.gate_closed
        first = is_open and not state["open"]
        state["open"] = is_open
        state["releases"] += first
        state["reads"] += 1
        lost = 64 if first and told["chosen"](state["releases"]) else 0
        lost = lost or told["monitor"](state["reads"])
        if lost:
            card._world.skip(lost)
            card._index += lost
        result = original(card, buffer)
        if not lost:
            return result
        return dataclasses.replace(result, status=result.status | BlockStatus.GAP_BEFORE)

    monkeypatch.setattr(SimulatedDigitizer, "read_into", read_into)
    monkeypatch.setattr(SimulatedDigitizer, "start", begin)
    return told


def run(optobind: Any, out: Any, repetitions: int, *settings: str) -> Any:
    plan = ("--set", f"plan.repetitions={repetitions}", "--set", "plan.cool_time=0.8 ms")
    return optobind(*RUN, *plan, *settings, "--out", out)


def said_of(answer):
    """Lines on stderr, without that of a simulation whose digitizer lost samples."""
    return [line for line in answer.err.splitlines() if "cannot keep up with real" not in line]


@pytest.mark.slow
def test_an_incomplete_run_ends_with_exit_code_4_one_line_and_its_path(optobind, tmp_path, losses):
    losses["chosen"] = lambda number: number % 10 > 0
    answer = run(optobind, tmp_path, 100, "--json")
    assert answer.code == 4
    values = answer.json
    assert values["path"] == str(tmp_path / "run.h5")
    assert (values["outcome"], values["gaps"], values["lost_samples"]) == (
        "incomplete",
        108,
        108 * 64,
    )
    assert values["releases"] == {
        "planned": 100,
        "made": 120,
        "usable": 12,
        "repeated": 20,
        "left_out": {"lost_samples": 108},
    }
    assert values["incidents"] == {"gap": 108}
    words = "12 of 100 releases usable (108 after lost samples, 20 repeats made)"
    lines = said_of(answer)
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"optobind: the run is incomplete: {words}")
    assert "run the plan again" in lines[0]
    assert str(tmp_path / "run.h5") in lines[0]

    told = optobind("info", tmp_path / "run.h5", "--json").json
    for key in ("releases", "steps", "gaps", "lost_samples", "samples", "outcome", "reason"):
        assert told[key] == values[key], key
    text = optobind("info", tmp_path / "run.h5").out
    assert words in " ".join(text.replace("│", " ").split())
    assert "incomplete" in text


def test_text_of_a_run_says_how_many_releases_are_usable(optobind, tmp_path, losses):
    losses["chosen"] = lambda number: number == 7
    answer = run(optobind, tmp_path, 400, "--set", "plan.repeat_lost=false")
    assert answer.code == 0
    words = "399 of 400 releases usable (1 after lost samples); 1 gap, 64 samples lost in all"
    path, said = answer.out.splitlines()
    assert path == str(tmp_path / "run.h5")
    assert said.startswith("complete: ")
    assert words in said
    assert said_of(answer) == [f"warning: {words}"]


def test_repeats_that_make_up_for_all_losses_leave_a_complete_run(optobind, tmp_path, losses):
    losses["chosen"] = lambda number: number in (3, 4)
    answer = run(optobind, tmp_path, 20, "--json")
    assert (answer.code, answer.json["outcome"]) == (0, "complete")
    assert answer.json["releases"]["usable"] == 20


@pytest.mark.slow
def test_fit_and_live_curves_rest_on_the_releases_that_info_counts(optobind, tmp_path, losses):
    losses["chosen"] = lambda number: number % 10 == 0
    assert run(optobind, tmp_path, 300, "--set", "plan.max_extra=0").code == 4
    info = optobind("info", tmp_path / "run.h5", "--json").json
    fit = optobind("fit", "reheating", tmp_path / "run.h5", "--json")
    values = fit.json
    assert values["input"]["releases"] == info["releases"]
    assert values["input"]["repetitions"] == info["releases"]["usable"] == 270
    assert (values["input"]["gaps"], values["input"]["lost_samples"]) == (30, 30 * 64)
    words = "270 of 300 releases usable (30 after lost samples)"
    assert words in values["warnings"]
    assert f"warning: {words}" in fit.err
    assert words in optobind("fit", "reheating", tmp_path / "run.h5").out


def test_fit_of_a_run_without_a_usable_release_says_why(optobind, tmp_path, losses):
    losses["chosen"] = lambda number: True
    assert run(optobind, tmp_path, 10).code == 4
    answer = optobind("fit", "reheating", tmp_path / "run.h5")
    assert answer.is_one_line_error(2)
    assert "0 of 10 releases usable (12 after lost samples, 2 repeats made)" in answer.err


@pytest.mark.slow
def test_a_monitor_that_lost_samples_says_so(optobind, tmp_path, losses):
    monitor = ("run", "monitor", "--rig", "simulated-pair", "--set", "simulation.clock=fast")
    losses["monitor"] = lambda read: 4000 if read == 10 else 0
    plan = ("--set", "plan.duration=0.5 s")
    few = optobind(*monitor, *plan, "--out", tmp_path / "few", "--json")
    assert (few.code, few.json["outcome"], few.json["gaps"]) == (0, "complete", 1)
    assert "4000 samples lost (0.398 % of those taken)" in few.err
    losses["monitor"] = lambda read: 4000 if read % 5 == 3 else 0
    many = optobind(*monitor, *plan, "--out", tmp_path / "many", "--json")
    assert (many.code, many.json["outcome"]) == (4, "incomplete")
    assert many.json["lost_samples"] == 4000 * many.json["gaps"]
    fit = optobind("fit", "spectrum", tmp_path / "many" / "run.h5", "--json").json
    assert fit["input"]["gaps"] == many.json["gaps"]
    assert fit["input"]["lost_samples"] == many.json["lost_samples"]


def test_demo_that_lost_too_much_ends_with_exit_code_4(tmp_path, losses):
    losses["chosen"] = lambda number: True
    settings = ["steps.0.duration=20 ms", "steps.1.repetitions=12"]
    with pytest.raises(InputError, match="0 of 12 releases usable") as refused:
        run_demo(tmp_path / "d", plan_settings=settings)
    assert refused.value.exit_code == 4
    assert (tmp_path / "d" / "run.h5").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill ends the process there")
@pytest.mark.usefixtures("own_signals")
def test_an_interrupted_run_says_how_much_of_its_plan_there_is(
    optobind, tmp_path, losses, monkeypatch
):
    status = Session.status

    def interrupt(session: Session) -> Any:
        found = status(session)
        if found.releases is not None and found.releases.made > 5:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            monkeypatch.setattr(Session, "status", status)
        return found

    monkeypatch.setattr(Session, "status", interrupt)
    losses["chosen"] = lambda number: number == 2
    answer = run(optobind, tmp_path, 1_000_000)
    assert answer.code == 130
    assert "of 1000000 releases usable (1 after lost samples" in answer.err
    assert "not made" in answer.err


@pytest.mark.parametrize(
    ("setting", "said"),
    [("max_extra=-1", "max_extra"), ("max_extra=1000", "max_extra"), ("repeat_lost=often", "lost")],
)
def test_settings_of_repeats_out_of_range_are_refused(optobind, tmp_path, setting, said):
    answer = run(optobind, tmp_path / "x", 10, "--set", f"plan.{setting}")
    assert answer.is_one_line_error(2), answer
    assert said in answer.err
