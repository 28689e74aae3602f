"""A sample of the campaign; ``python -m tests.faults`` meets all of its faults."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("nidaqmx")
pytest.importorskip("grpc")
pytest.importorskip("pyvisa")
if sys.platform == "win32":
    pytest.skip("pseudo terminals and /proc", allow_module_level=True)

from . import kills
from .acts import PHASES
from .campaign import BENCHES, acts_of, carry_out
from .laboratory import ProxiedLaboratory
from .proxy import KINDS

pytestmark = pytest.mark.realtime


@pytest.mark.study
@pytest.mark.parametrize(("bench", "seed"), [(0, 3), (5, 5), (6, 7)])
def test_faults_change_no_output_and_leave_feedback_on(bench, seed):
    acts = list(acts_of(BENCHES[bench], seed, 4 * seed, 8))
    found = carry_out(BENCHES[bench], acts)
    assert {one.family for one in found} >= {BENCHES[bench].family(act.line) for act in acts}
    assert [(one.family, one.act, one.wrong) for one in found if one.wrong] == []


@pytest.mark.study
def test_without_faults_nothing_is_complained_about():
    acts = list(acts_of(BENCHES[1], 1, 0, 32))[::4]
    quiet = [replace(act, strike=replace(act.strike, kind="none")) for act in acts]
    assert {act.phase for act in quiet} == set(PHASES)
    assert [one.wrong for one in carry_out(BENCHES[1], quiet) if one.wrong] == []


def test_the_whole_campaign_has_every_kind_in_every_phase():
    acts = [act for bench in BENCHES for act in acts_of(bench, 1, 0, 120)]
    assert len(acts) >= 1000
    assert {(act.strike.kind, act.phase) for act in acts} == {(k, p) for k in KINDS for p in PHASES}
    assert sum(kills.VICTIMS.values()) - kills.VICTIMS["terminal"] >= 50
    assert kills.VICTIMS["terminal"] >= 20


@pytest.mark.study
@pytest.mark.parametrize("victim", ["program", "guardian", "terminal"])
def test_a_kill_in_a_release_leaves_feedback_on_and_nothing_behind(victim, tmp_path: Path):
    laboratory = ProxiedLaboratory("keysight", "pfeiffer-tpg")
    try:
        wrong, _ = kills.carry_out(kills.Kill(victim, "release", 1), laboratory, tmp_path)
    finally:
        laboratory.close()
    assert wrong == []
