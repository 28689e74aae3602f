"""What a run will take, and what is refused before anything is switched."""

from pathlib import Path

import pytest

from optobind.acquisition.estimates import estimate_run, require_memory_for
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan, SequencePlan
from optobind.acquisition.timing import Cycle
from optobind.instruments.protocols import DigitizerInfo
from optobind.models.errors import InputError

INFO = DigitizerInfo(2e6, ("z1", "z2"), (1e-4, 1e-4), "int16")


def test_time_samples_and_size_are_those_of_the_plan(tmp_path: Path):
    plan = SequencePlan((MonitorPlan(2.0), ReheatingPlan(repetitions=500)))
    found = estimate_run(plan, INFO, tmp_path / "runs" / "not yet")
    assert found.seconds == pytest.approx(3.0)
    assert found.samples == 6_000_000
    assert found.size is not None
    assert 24_000_000 < found.size < 27_000_000  # and what the file says about them
    assert found.free is not None
    assert found.refused == ""


def test_a_plan_until_stopped_has_a_rate_only(tmp_path: Path):
    found = estimate_run(MonitorPlan(None), INFO, tmp_path)
    assert (found.seconds, found.size, found.rate) == (None, None, 8e6)
    assert found.fits


def test_an_hour_of_cooling_plays_a_pattern_of_two_edges():
    plan = ReheatingPlan(repetitions=5, cool_time=3600.0)
    played = Cycle.of(plan, 2e6).played(range(5), plan)  # ended in a MemoryError of 54 GB
    assert played.starts == (7_200_000_000,)


def test_an_hour_of_cooling_with_turning_phase_is_refused_in_words():
    plan = ReheatingPlan(repetitions=5, cool_time=3600.0, phase_rate=1e5)
    with pytest.raises(InputError, match=r"720\d+ samples.*shorten plan.cool_time"):
        Cycle.of(plan, 2e6).played(range(5), plan)


def test_a_release_that_memory_cannot_hold_is_refused_before_it_begins(tmp_path: Path):
    plan = ReheatingPlan(repetitions=1, release_time=1e6)
    with pytest.raises(InputError, match="held in memory"):
        require_memory_for(plan, INFO)
    assert "too long" in estimate_run(plan, INFO, tmp_path).refused
