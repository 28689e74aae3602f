"""A run file falls into pieces of one light each, phase reversal included."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import optobind as ob
from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.records.pieces import optics_of, pieces_of
from optobind.acquisition.records.selected import stretch_of
from optobind.acquisition.run_digest import digest_of


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> ob.Record:
    plan = ob.SequencePlan(
        (
            ob.MonitorPlan(duration=0.02),
            ob.ReheatingPlan(
                repetitions=40, release_time=2e-4, presence_factor=1e3, phase_reversal="repetition"
            ),
        )
    )
    return ob.simulate("simulated-pair", plan, out=tmp_path_factory.mktemp("run"))


def test_steady_and_both_phases_are_pieces_of_their_light(record: ob.Record) -> None:
    steady, plain, turned = pieces_of(record)
    assert [steady.kind, plain.kind, turned.kind] == ["steady", "released", "released"]
    assert steady.state.relative_phase == pytest.approx(0.4, abs=1e-3)
    assert turned.state.relative_phase - plain.state.relative_phase == pytest.approx(math.pi)
    assert plain.state.separation == pytest.approx(2.45e-6, abs=1e-10)
    assert len(plain.record.releases()) == len(turned.record.releases()) == 20
    assert plain.group == turned.group != turned.name
    assert steady.pressure == pytest.approx(1e-6, rel=0.1)
    with pytest.raises(ob.InputError, match="no releases in this part"):
        steady.record.releases()


def test_blocks_hold_both_phases_and_all_releases(record: ob.Record) -> None:
    released = [p for p in pieces_of(record, block=20) if p.kind == "released"]
    assert [len(p.record.releases()) for p in released] == [10] * 4
    assert released[0].group == released[1].group != released[2].group
    assert not set(released[0].record.releases()) & set(released[1].record.releases())
    with pytest.raises(ob.InputError, match="block must be at least 10 repetitions, got 3"):
        pieces_of(record, block=3)


def test_optics_are_those_of_the_rig(record: ob.Record) -> None:
    optics = optics_of(record)
    assert optics.wavelength == pytest.approx(1.064e-6)
    assert optics.waists == pytest.approx((0.75e-6, 0.75e-6))
    assert optics.powers == pytest.approx((0.2, 0.19))


def test_records_without_light_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plain.npz"
    np.savez(path, samples=np.zeros((400, 2)), sample_rate=1e6, unit="m")
    with pytest.raises(ob.InputError, match="its light is not known"):
        pieces_of(ob.open_record(path))
    with pytest.raises(ob.InputError, match="its light is not known"):
        ob.fit_global([path])


def test_every_change_of_light_begins_a_span() -> None:
    site = {"position": [0.0, 0.0, 0.0], "power": 0.1, "phase": 0.3}
    events = [
        Event(0, EventKind.LIGHT, {"sites": [site, site]}),
        Event(900, EventKind.LIGHT, {"sites": [{**site, "phase": 1.0}, site], "begin": 800}),
        Event(2000, EventKind.LIGHT, {"sites": [{"position": "?"}]}),
    ]
    first, second, damaged = digest_of(events).lights
    assert (first.begin, first.start) == (0, 0)
    assert (second.begin, second.start) == (800, 900)
    assert second.state.relative_phase == pytest.approx(0.7)
    assert damaged.state.sites == ()


def test_pieces_of_stepped_releases_have_the_power_that_they_were_released_at(tmp_path) -> None:
    plan = ob.ReheatingPlan(
        repetitions=40, cool_time=1e-3, release_time=2e-4, presence_factor=1e3, release_power=0.98,
        stepped_trap="2", power_alternation="repetition", reversal_settling=1e-4,
    )  # fmt: skip
    record = ob.simulate("simulated-pair", plan, out=tmp_path)
    stepped, plain = pieces_of(record)
    assert len(stepped.record.releases()) == len(plain.record.releases()) == 20
    powers = [[site.power for site in piece.state.sites] for piece in (stepped, plain)]
    assert powers[1] == pytest.approx([0.2, 0.19], rel=1e-3)
    assert powers[0] == pytest.approx([0.2, 0.98 * 0.19], rel=1e-3)
    assert stepped.group != plain.group


def test_a_part_of_a_run_still_tells_the_light_of_its_releases(record: ob.Record) -> None:
    _start, stop = record.at_phase("as-set").releases()[9]
    part = stretch_of(record, 0, stop)
    assert part.settings == record.settings
    with pytest.raises(ob.InputError, match="different light"):
        part.releases()
    assert len(part.at_phase("as-set").releases()) == 10
    assert len(part.at_phase("reversed").releases()) in (9, 10)
