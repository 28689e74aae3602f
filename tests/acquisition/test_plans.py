"""One declaration of a plan: what Python, files, the window and run files accept is the same."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optobind.acquisition.plan_keys import keys_of
from optobind.acquisition.plans import (
    PLANS,
    STEPS,
    MonitorPlan,
    ReheatingPlan,
    SequencePlan,
    plan_from_dict,
    plan_to_dict,
)
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.runfile_format import Manifest
from optobind.config.load import read_plan
from optobind.config.plan_schema import PLAN_TABLES
from optobind.gui.viewmodels import run as window
from optobind.models.blocks import Block
from optobind.models.errors import InputError
from optobind.models.units import Number, Quantity

TIMES = st.floats(1e-6, 1e7)
MONITORS = st.builds(
    MonitorPlan, duration=TIMES, allow_unstable=st.booleans(), require_gauge=st.booleans()
)
RELEASES = st.builds(
    ReheatingPlan,
    repetitions=st.integers(1, 10_000_000),
    cool_time=TIMES,
    release_time=TIMES,
    presence_factor=st.floats(1.1, 1e6),
    repeat_lost=st.booleans(),
    max_extra=st.floats(0.0, 10.0),
    release_power=st.floats(0.05, 0.99),
    stepped_trap=st.sampled_from(["all", "1", "2"]),
    power_alternation=st.sampled_from(["none", "repetition", "block"]),
)
SEQUENCES = st.lists(MONITORS | RELEASES, min_size=1, max_size=4).map(
    lambda steps: SequencePlan(tuple(steps))
)


@given(MONITORS | RELEASES | SEQUENCES | st.just(MonitorPlan(None)))
def test_a_plan_comes_back_from_its_json(plan: Any) -> None:
    assert plan_from_dict(json.loads(json.dumps(plan_to_dict(plan)))) == plan


def test_a_plan_is_read_back_from_its_run_file(tmp_path: Path) -> None:
    plan = SequencePlan((ReheatingPlan(np.int64(7), np.float64(2e-3)), MonitorPlan(None)))
    recorder = Recorder(tmp_path / "run.h5", Manifest(1e5, ("z",), (1.0,), plan=plan_to_dict(plan)))
    recorder.write(Block(0, np.zeros((4, 1), np.int16), np.ones(1)))
    recorder.close("complete")
    with RunFile.open(tmp_path / "run.h5") as run:
        assert plan_from_dict(run.manifest["plan"]) == plan


def test_the_json_of_a_plan_is_that_of_older_run_files() -> None:
    assert plan_to_dict(SequencePlan((MonitorPlan(2.0), ReheatingPlan(3)))) == {
        "steps": (
            {
                "duration": 2.0,
                "allow_unstable": False,
                "require_gauge": False,
                "kind": "monitor",
            },
            {
                "repetitions": 3,
                "cool_time": 1e-3,
                "release_time": 1e-3,
                "presence_factor": 10.0,
                "allow_unstable": False,
                "require_gauge": False,
                "repeat_lost": True,
                "max_extra": 0.2,
                "timing": "auto",
                "phase_reversal": "none",
                "reversal_block": 20,
                "reversal_settling": 5e-3,
                "phase_rate": 0.0,
                "release_power": 1.0,
                "stepped_trap": "all",
                "power_alternation": "none",
                "kind": "reheating",
            },
        ),
        "kind": "sequence",
    }


@pytest.mark.parametrize("kind", STEPS)
def test_the_schema_of_files_has_the_keys_and_defaults_of_the_plan(kind: str) -> None:
    plan, table = STEPS[kind], PLAN_TABLES[kind]
    names = {f.name for f in fields(plan)}
    assert {declared.name for declared in keys_of(plan)} | {"kind"} == names
    assert set(table.model_fields) == names | {"description"}
    assert table.model_validate({"kind": kind}).to_plan() == plan()


@pytest.mark.parametrize("kind", PLANS)
def test_what_the_window_shows_at_first_is_the_default_plan(kind: str) -> None:
    built = window.build_plan(kind, {})
    steps = (MonitorPlan(), ReheatingPlan())
    assert built == {"sequence": SequencePlan(steps), **dict(zip(STEPS, steps, strict=True))}[kind]


def ends() -> list[Any]:
    """Every key with a range, and a value beyond each end of it."""
    found = []
    for kind, plan in STEPS.items():
        for declared in keys_of(plan):
            if isinstance(declared.holds, Quantity | Number):
                low, high = declared.holds.low, declared.holds.high
                whole = isinstance(declared.holds, Number) and declared.holds.whole
                below, above = (low - 1, high + 1) if whole else (low - 0.5 * abs(low), 2 * high)
                # Without a lower end above zero, anything negative is below it.
                below = below if below < low else -1.0
                found += [pytest.param(kind, declared, v) for v in (below, above)]
    return found


@pytest.mark.parametrize(("kind", "declared", "value"), ends())
def test_python_files_run_files_and_the_window_refuse_the_same(
    kind: str, declared: Any, value: float
) -> None:
    name = declared.name
    said = []
    unit = f" {declared.holds.unit}" if isinstance(declared.holds, Quantity) else ""
    with pytest.raises(InputError, match=rf"plan\.{name} must lie in ") as caught:
        STEPS[kind](**{name: value})
    said.append(str(caught.value).removeprefix("plan."))
    with pytest.raises(InputError, match=rf"plan\.{name} must lie in ") as caught:
        plan_from_dict({"kind": kind, name: value})
    said.append(str(caught.value).removeprefix("plan."))
    with pytest.raises(InputError, match=rf"plan {kind}: {name} must lie in ") as caught:
        read_plan(kind, [f"{name}={value!r}{unit}"])
    said.append(str(caught.value).partition(": ")[2])
    assert len({text.partition(", got ")[0] for text in said}) == 1
    if name in {field.key for field in window.fields(kind)}:
        with pytest.raises(InputError, match="must lie within"):
            window.build_plan(kind, {name: f"{value!r}{unit}"})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MonitorPlan(0.0), r"plan\.duration must lie in 1 µs … 10 Ms, got 0\.0"),
        (lambda: MonitorPlan(float("nan")), r"plan\.duration must lie in .* got nan"),
        (lambda: MonitorPlan("2 s"), r"plan\.duration must be a number in .*, got '2 s'"),
        (lambda: ReheatingPlan(2.5), r"plan\.repetitions must be a whole number in .* got 2\.5"),
        (lambda: ReheatingPlan(True), r"plan\.repetitions must be a whole number .* got True"),
        (lambda: ReheatingPlan(cool_time=None), r"plan\.cool_time must be a number .* got None"),
        (lambda: ReheatingPlan(repeat_lost=1), r"plan\.repeat_lost must be true or false, got 1"),
        (lambda: SequencePlan(()), r"plan\.steps must hold 1 … 1000 plans, got 0"),
        (
            lambda: SequencePlan((MonitorPlan(None), MonitorPlan(1.0))),
            r"plan\.steps\.0\.duration must be a time: only the last step",
        ),
        (
            lambda: SequencePlan((MonitorPlan(None),) * 2),
            r"plan\.steps\.0\.duration must be a time: only the last step",
        ),
        (
            lambda: plan_from_dict({"kind": "sequence", "steps": [{"kind": "sequence"}]}),
            r"plan\.steps must hold 1",
        ),
        (
            lambda: SequencePlan((SequencePlan((MonitorPlan(),)),)),
            r"plan\.steps\.0 must be a plan of kind monitor or reheating, got SequencePlan",
        ),
        (lambda: plan_from_dict({"kind": "sweep"}), "plan kind 'sweep' is not known; known kinds"),
        (lambda: plan_from_dict({}), "plan kind None is not known"),
        (
            lambda: plan_from_dict({"kind": "monitor", "durations": 1.0}),
            "plan key 'durations' is not known; known keys: duration, allow_unstable",
        ),
    ],
)
def test_a_wrong_plan_is_refused_in_one_line(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("allow_unstable=1", "allow_unstable must be true or false, got 1"),
        ("max_extra=0.2 s", "max_extra must be a number in 0 … 10, got '0.2 s'"),
        ("cool_time=2", 'cool_time needs a unit, such as "2 s", got 2'),
        ("cool_time=until stopped", "cool_time is not a number"),
        ("repetitions=many", "repetitions must be a whole number in 1 … 1e"),
    ],
)
def test_a_wrong_setting_of_a_plan_names_the_key(setting: str, message: str) -> None:
    with pytest.raises(InputError, match=f"plan reheating: {message}"):
        read_plan("reheating", [setting])


def test_a_file_whose_first_step_has_no_end_is_refused_when_it_is_read() -> None:
    with pytest.raises(InputError, match=r"plan demo: plan\.steps\.0\.duration must be a time"):
        read_plan("demo", ["steps.0.duration=until stopped"])


def test_help_on_a_plan_says_unit_range_default_and_meaning() -> None:
    assert MonitorPlan.__doc__ is not None
    assert "duration : float, 1 µs … 10 Ms or None (until stopped), default 1.0 s" in (
        MonitorPlan.__doc__
    )
    for plan in STEPS.values():
        assert all(declared.text in str(plan.__doc__) for declared in keys_of(plan))
