"""``optobind tune feedback``: what it says, applies, stores and refuses."""

from __future__ import annotations

import tomllib

import pytest

from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.models.errors import InputError

SLOW = ("tune", "feedback", "--rig", "simulated-feedback")


def test_a_dry_run_connects_nothing_and_says_what_it_would_do(optobind):
    answer = optobind(*SLOW, "--dry-run", "--particle", "2")
    assert answer.code == 0
    assert "particle 2: out-of-loop detector z2, line near" in answer.out
    assert "gate and light stay" in answer.out
    told = optobind(*SLOW, "--dry-run", "--json").json
    assert told["particles"] == [1, 2]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--rig", "simulated-pair"), "has no feedback controller"),
        (("--rig", "simulated-feedback", "--particle", "3"), "particle 3 has no out-of-loop"),
        (("--rig", "simulated-feedback", "--seconds", "0 s"), "seconds must lie in"),
        (("--rig", "simulated-feedback", "--seconds", "5 kg"), "--seconds"),
        (("--rig", "simulated-feedback", "--probe-gain", "3 V"), "--probe-gain"),
        (("--rig", "simulated-feedback", "--max-gain", "0 Hz"), "--max-gain must be positive"),
        (
            ("--rig", "simulated-feedback", "--set", "devices.gate.closed=false"),
            "feedback is off: close the gate first",
        ),
    ],
)
def test_a_wrong_wish_is_one_line(optobind, arguments, text):
    answer = optobind("tune", "feedback", *arguments)
    assert answer.is_one_line_error(2), answer.err
    assert text in answer.err


def test_the_shipped_rig_takes_start_phases():
    rig = build_rig(read_rig("simulated-feedback", ['devices.controller.phase="0.4 rad"']))
    rig.controller.connect()
    assert rig.controller.read(1).phase == pytest.approx(0.4)


@pytest.mark.slow
def test_feedback_is_tuned_end_to_end_and_the_fragment_can_be_pasted(optobind, tmp_path):
    answer = optobind(*SLOW, "--out", str(tmp_path), "--json")
    assert answer.code == 0, answer.err
    told = answer.json
    assert told["applied"]
    for particle in told["particles"]:
        # 5.9 and 6.6 by the spectral quadrature of the closed loop at its best
        assert 4.6 < particle["after"]["occupation"] < 7.2
        assert particle["before"]["occupation"] > 100.0
        assert particle["conditional"] < particle["after"]["occupation"]
    fragment = tomllib.loads((tmp_path / "controller.toml").read_text(encoding="utf-8"))
    damping = fragment["devices"]["gate"]["damping"]
    phase = fragment["devices"]["controller"]["phase"]
    rig = build_rig(
        read_rig(
            "simulated-feedback",
            [f"devices.gate.damping={damping}", f"devices.controller.phase={phase}"],
        )
    )
    assert rig.world.growth_rate() < -1000.0


@pytest.mark.slow
def test_without_apply_the_loops_are_as_they_were(optobind):
    answer = optobind(*SLOW, "--no-apply", "--particle", "1", "--seconds", "0.1 s")
    assert answer.code == 0, answer.err
    assert "not applied: the loops are as they were found (Γ/2π 40 Hz" in answer.out


def test_real_particles_are_not_entrusted_to_it_unasked():
    from types import SimpleNamespace

    from optobind.cli.tune import TuneOptions, _require_consent

    with pytest.raises(InputError, match="--accept-loss"):
        _require_consent(SimpleNamespace(mode="LIVE"), TuneOptions())
    _require_consent(SimpleNamespace(mode="LIVE"), TuneOptions(accept_loss=True))
    _require_consent(SimpleNamespace(mode="SIM"), TuneOptions())
