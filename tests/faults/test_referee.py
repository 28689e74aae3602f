"""The referee sees each wrong thing: a campaign that cannot fail proves nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from optobind.instruments.protocols import RFTone

from .referee import Evidence, closing_time, judge, lines_of

OLD = [RFTone(80e6, 0.40, 0.1), RFTone(80e6, 0.38, 0.0)]
GOAL = [replace(OLD[0], amplitude=0.44, phase=0.3), replace(OLD[1], amplitude=0.42)]


def evidence(**changes):
    usual = Evidence(
        dialect="keysight", begin=10.0, end=14.0, due=12.0, before=OLD, goal=OLD,
        tones=[], wrote=[], got=[], gate=[(9.0, True)], may_open=True, after=OLD,
        shown=(0.2, 0.19), true=(0.2, 0.19), pressures=[1e-6], pressure=1e-6,
    )  # fmt: skip
    return replace(usual, **changes)


def ramp(**changes):
    half = [replace(o, amplitude=0.5 * (o.amplitude + g.amplitude), phase=g.phase)
            for o, g in zip(OLD, GOAL, strict=True)]  # fmt: skip
    usual = {"goal": GOAL, "after": half, "tones": [(11.0, n, t) for n, t in enumerate(half)]}
    return evidence(**{**usual, **changes})


def test_what_went_well_is_not_complained_about():
    assert judge(evidence()) == []
    assert judge(ramp()) == []
    assert judge(evidence(shown=None)) == []
    assert judge(evidence(gate=[(9.0, True), (9.5, False), (12.9, True)])) == []
    assert judge(evidence(gate=[(9.0, True), (11.0, False), (11.5, True)])) == []
    assert judge(evidence(wrote=[(11.0, b"SOUR1:VOLT 0.8\n")])) == [], "0.4 V peak: as before"


@pytest.mark.parametrize(
    ("seen", "word"),
    [
        (evidence(tones=[(11.0, 0, replace(OLD[0], amplitude=0.39))]), "amplitude of channel 0"),
        (evidence(tones=[(11.0, 0, replace(OLD[0], amplitude=0.41))]), "amplitude of channel 0"),
        (ramp(tones=[(11.0, 1, replace(OLD[1], amplitude=0.43))]), "amplitude of channel 1"),
        (evidence(tones=[(11.0, 1, replace(OLD[1], enabled=False))]), "switched off"),
        (evidence(tones=[(11.0, 1, replace(OLD[1], frequency=81e6))]), "frequency of channel 1"),
        (evidence(tones=[(11.0, 0, replace(OLD[0], phase=0.2))]), "phase of channel 0"),
        (evidence(after=[replace(OLD[0], amplitude=0.3), OLD[1]]), "amplitude of channel 0"),
        (evidence(wrote=[(11.0, b"SOUR1:VO"), (11.1, b"LT 0.6\n")]), "'SOUR1:VOLT 0.6' was"),
        (evidence(got=[(11.0, b"OUTP2 OFF\n")]), "'OUTP2 OFF' was received"),
        (evidence(dialect="aa-mdsnc", wrote=[(11.0, b"L1O0\r")]), "'L1O0'"),
        (evidence(dialect="aa-mdsnc", wrote=[(11.0, b"L2D-3.10\r")]), "'L2D-3.10'"),
        (evidence(dialect="novatech-409b", got=[(11.0, b"V1 100\r\n")]), "'V1 100'"),
        (evidence(dialect="moglabs", got=[(11.0, b"OFF,1,SIG\r\n")]), "'OFF,1,SIG'"),
        (evidence(dialect="siglent", got=[(11.0, b"C2:BSWV AMP,0.1\n")]), "C2:BSWV AMP,0.1"),
        (evidence(gate=[(9.0, True), (11.0, False)]), "still open"),
        (evidence(gate=[(9.0, True), (11.0, False), (13.4, True)]), "1.40 s late"),
        (evidence(gate=[(9.0, True), (13.5, False), (13.6, True)]), "after the end of the run"),
        (evidence(may_open=False, gate=[(9.0, True), (11.0, False), (11.1, True)]), "no release"),
        (evidence(shown=(0.2, 0.17)), "tweezer 2 is shown with 0.17 W"),
        (evidence(pressures=[1e-6, 1e-3]), "pressure 0.001 Pa"),
        (evidence(faults=["internal error: OSError()"]), "internal error"),
    ],
)  # fmt: skip
def test_every_wrong_thing_is_seen(seen, word):
    assert any(word in line for line in judge(seen)), judge(seen)


def test_what_happened_before_the_fault_is_not_judged():
    early = [(9.9, 0, replace(OLD[0], amplitude=0.1))]
    assert judge(evidence(tones=early, wrote=[(9.9, b"OUTP1 OFF\n")])) == []


def test_closing_is_timed_from_when_it_was_due():
    assert closing_time(evidence()) == 0.0
    assert closing_time(evidence(gate=[(9.0, False), (12.25, True)])) == 0.25
    assert closing_time(evidence(gate=[(9.0, False)])) is None


def test_a_command_counts_when_its_end_has_come():
    pieces = [(1.0, b"*ID"), (2.0, b"N?\r\nSOUR1:"), (3.0, b"VOLT?\n"), (4.0, b"half")]
    assert list(lines_of(pieces)) == [(2.0, "*IDN?"), (3.0, "SOUR1:VOLT?")]
