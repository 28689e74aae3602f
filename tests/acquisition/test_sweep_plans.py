"""Plans of sweeps, their points, what follows from fits, and what is written about it."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optobind.acquisition.estimates import estimate, require_room
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan
from optobind.acquisition.suspenders import Picture, SuspendRules, lines_out, troubles
from optobind.acquisition.sweeps.any_plan import any_plan_from_dict, any_plan_to_dict
from optobind.acquisition.sweeps.journal import Journal
from optobind.acquisition.sweeps.knobs import knob_of
from optobind.acquisition.sweeps.plan import Axis, SweepPlan
from optobind.acquisition.sweeps.points import next_point, planned_points, seed_of
from optobind.acquisition.sweeps.rows import Measured, PointFit, Row
from optobind.acquisition.sweeps.seek_plan import SeekPlan
from optobind.acquisition.sweeps.settling import agree, power_of
from optobind.acquisition.sweeps.table import table_text
from optobind.config.load import read_plan
from optobind.instruments.protocols import DigitizerInfo
from optobind.models.errors import FileError, InputError
from optobind.models.light import Site, TweezerState

INNER = MonitorPlan(0.1)
LIGHT = TweezerState((Site((0.0, 0.0, 0.0), 0.2, 0.4), Site((2.5e-6, 0.0, 0.0), 0.3, 0.1)))


def fitted(point, value, error, name="g_r"):
    values = {name: Measured(value, error, "rad/s")}
    fit = PointFit("pair", True, values)
    return Row(point.number, point.kind, point.setting, point.repeat, "complete", fit=fit)


@pytest.mark.parametrize("order", ["grid", "snake", "random"])
def test_each_order_visits_every_setting_as_often_as_asked(order):
    axes = (Axis("phi", (0.0, 1.0, 2.0)), Axis("balance", start=-0.1, stop=0.1, points=4))
    plan = SweepPlan(axes, INNER, order=order, repeats=2, reference_every=5)
    points = planned_points(plan)
    assert [p.number for p in points] == list(range(1, len(points) + 1))
    taken = [(p.setting, p.repeat) for p in points if p.kind == "point"]
    grid = {(a, b) for a in axes[0].settings for b in axes[1].settings}
    assert sorted(taken) == sorted((s, n) for s in grid for n in (1, 2))
    assert sum(p.kind == "reference" for p in points) == 24 // 5 + 1 + 1
    assert points[-1].kind == "reference"


@given(st.lists(st.integers(2, 4), min_size=1, max_size=3))
@settings(max_examples=25, deadline=None)
def test_a_snake_moves_one_axis_by_one_step_each_time(sizes):
    names = ("phi", "balance", "power")
    axes = tuple(Axis(n, start=0.1, stop=0.5, points=k) for n, k in zip(names, sizes, strict=False))
    points = planned_points(SweepPlan(axes, INNER, order="snake"))
    places = [
        tuple(a.settings.index(v) for a, v in zip(axes, p.setting, strict=True)) for p in points
    ]
    steps = np.abs(np.diff(np.array(places), axis=0)).sum(axis=1)
    assert (steps == 1).all()


def test_random_orders_follow_from_the_seed_and_seeds_of_points_differ():
    axis = (Axis("phi", start=0.0, stop=1.0, points=30),)
    one, two = (SweepPlan(axis, INNER, order="random", seed=s) for s in (1, 2))
    settings_of = [[p.setting for p in planned_points(plan)] for plan in (one, two)]
    assert settings_of[0] != settings_of[1]
    assert settings_of[0] == [p.setting for p in planned_points(replace(one))]
    seeds = {seed_of(plan, n) for plan in (one, two) for n in range(1, 1000)}
    assert len(seeds) == 2 * 999
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_plan_survives_json():
    plan = SweepPlan(
        (Axis("phi", (0.0, 1.0)), Axis("power_2", start=0.1, stop=0.2, points=3)),
        ReheatingPlan(repetitions=5),
        (("phi", 0.4),),
        SuspendRules(pressure_high=1e-5),
        order="snake",
        longest=3600.0,
        until_parameter="g_a",
    )
    assert any_plan_from_dict(json.loads(json.dumps(any_plan_to_dict(plan)))) == plan
    assert any_plan_from_dict(any_plan_to_dict(INNER)) == INNER


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Axis("fi", (1.0,)), r"knob 'fi' is not known; known: phi, distance"),
        (lambda: Axis("phi"), r"axis phi needs values, or start, stop and points"),
        (lambda: Axis("phi", start=1.0, points=3), r"needs start, stop and points together"),
        (lambda: Axis("distance", (-1e-6,)), r"axis distance: values must lie in 10 nm … 1 mm"),
        (lambda: Axis("phi", (1.0, 1.0)), r"holds a value twice"),
        (lambda: Axis("phi", (math.nan,)), r"must lie in"),
        (lambda: SweepPlan((), INNER), r"plan.axes must hold at least one Axis"),
        (lambda: SweepPlan((Axis("phi", (1.0,)),) * 2, INNER), r"hold a knob twice"),
        (
            lambda: SweepPlan((Axis("phi", (1.0,)),), MonitorPlan(None)),
            r"plan.inner.duration must be a time",
        ),
        (
            lambda: SweepPlan((Axis("phi", (1.0,)),), INNER, (("power", 1.0),)),
            r"plan.reference: power is none of the axes phi",
        ),
        (
            lambda: SweepPlan((Axis("phi", (1.0,)),), INNER, fit="none", until_parameter="g_r"),
            r"plan.fit must not be none",
        ),
        (
            lambda: SweepPlan((Axis("phi", (1.0,)),), INNER, refine_parameter="g_r"),
            r"plan.refine_parameter needs one axis and plan.refine_points above 0",
        ),
        (
            lambda: SweepPlan(
                (Axis("phi", start=0.0, stop=1.0, points=100_000),), INNER, repeats=2
            ),
            r"the sweep has 200000 points, at most 100000",
        ),
        (lambda: SuspendRules(pressure_high=-1.0), r"plan.suspend.pressure_high must lie in"),
    ],
)
def test_a_wrong_plan_is_named_in_one_line(make, said):
    with pytest.raises(InputError, match=said) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("phi", 1.3), ("distance", 2.2e-6), ("balance", 0.07), ("power", 0.4)),
        *(("detuning", 7e3), ("power_2", 0.25), ("phase_1", -0.3), ("z_2", 4e-7)),
    ],
)
def test_a_knob_reads_what_it_set_and_changes_nothing_else(name, value):
    knob = knob_of(name)
    light = knob.set_light(LIGHT, value)
    assert knob.read(light, value) == pytest.approx(value, rel=1e-12)
    others = {"phi", "distance", "balance", "power", "detuning"} - {name}
    if "_" not in name:
        for other in map(knob_of, others):
            assert other.read_light(light) == pytest.approx(other.read_light(LIGHT), abs=1e-12)


def test_an_angle_is_read_next_to_what_was_set():
    knob = knob_of("phi")
    light = knob.set_light(LIGHT, 0.2)
    assert knob.read(light, 0.2 + 4.0 * math.pi) == pytest.approx(0.2 + 4.0 * math.pi)


# -- points that follow from fits -----------------------------------------------------------------


def grown(plan, truth, error=1.0, most=500):
    """Rows of a sweep whose fits give the truth at each setting."""
    rows = []
    while (point := next_point(plan, rows)) is not None:
        assert len(rows) < most
        rows.append(fitted(point, truth(*point.setting), error, plan.refine_parameter or "g_r"))
    return rows


def test_points_are_inserted_where_the_curve_bends():
    plan = SweepPlan(
        (Axis("phi", start=0.0, stop=1.0, points=5),),
        INNER,
        refine_parameter="g_r",
        refine_points=12,
    )
    rows = grown(plan, lambda x: math.tanh((x - 0.6) / 0.01))
    added = [row.setting[0] for row in rows if row.kind == "refined"]
    assert len(added) == 12
    assert sum(0.5 < x < 0.75 for x in added) >= 6


def test_points_are_inserted_next_to_the_least_gap():
    plan = SweepPlan(
        (Axis("balance", start=-0.1, stop=0.1, points=5),),
        INNER,
        refine_parameter="gap",
        refine_points=8,
    )
    rows = grown(plan, lambda x: math.hypot(x - 0.0371, 1e-3))
    best = min(rows, key=lambda row: row.fit.values["gap"].value).setting[0]
    assert abs(best - 0.0371) < 1e-3  # a grid of 13 points has steps of 0.017


def test_a_fit_that_failed_does_not_stop_refinement():
    plan = SweepPlan(
        (Axis("phi", start=0.0, stop=1.0, points=3),), INNER, refine_parameter="g_r",
        refine_points=4,
    )  # fmt: skip
    rows = []
    while (point := next_point(plan, rows)) is not None:
        row = fitted(point, point.setting[0], 0.1)
        bad = point.setting == (0.25,)
        rows.append(replace(row, fit=PointFit(failure="no line")) if bad else row)
        assert len(rows) < 20
    assert len(rows) == 7
    assert len({row.setting for row in rows}) == 7


def test_repeats_stop_when_each_error_is_as_wanted_and_go_to_the_worst_first():
    plan = SweepPlan(
        (Axis("phi", (1.0, 2.0, 4.0)),), INNER, until_parameter="g_r", until_relative=0.5
    )
    rows = grown(plan, lambda x: x)  # errors of 1 fall as 1/√n: wanted 0.5, 1 and 2
    assert [sum(r.setting == (x,) for r in rows) for x in (1.0, 2.0, 4.0)] == [4, 1, 1]
    assert [row.repeat for row in rows[3:]] == [2, 3, 4]
    loose = grown(replace(plan, until_absolute=1.0), lambda x: 0.0 * x)
    assert len(loose) == 3


# -- tables and journal ---------------------------------------------------------------------------


def test_the_table_holds_units_and_leaves_out_what_may_not_be_quoted():
    plan = SweepPlan((Axis("phi", (0.5, 1.5)),), INNER)
    first, second = planned_points(plan)
    good = replace(fitted(first, 1.25, 0.5), read=(0.51,), file="0001.h5")
    failed = PointFit("pair", False, {"g_r": Measured(7.0, 1.0, "rad/s")}, ("did not converge",))
    bad = replace(fitted(second, 7.0, 1.0), fit=failed)
    lines = list(csv.DictReader(io.StringIO(table_text(plan, [good, bad]))))
    assert lines[0]["g_r (rad/s)"] == "1.25"
    assert lines[0]["g_r_error (rad/s)"] == "0.5"
    assert (lines[0]["phi (rad)"], lines[0]["phi_read (rad)"]) == ("0.5", "0.51")
    assert lines[1]["g_r (rad/s)"] == ""
    assert lines[1]["fit"] == "failed"
    assert lines[1]["remarks"] == "did not converge"


def test_a_line_that_was_cut_short_is_left_out_and_removed(tmp_path):
    journal = Journal(tmp_path / "j")
    assert journal.read() == []
    journal.write("one", text="é\n")
    whole = (tmp_path / "j").read_bytes()
    for cut in range(1, 30):
        (tmp_path / "j").write_bytes(whole + b'{"event": "two", "number": 12345}'[:cut])
        again = Journal(tmp_path / "j")
        assert [e["event"] for e in again.read()] == ["one"]
        again.write("three")
        assert [e["event"] for e in again.read()] == ["one", "three"]
    (tmp_path / "j").write_bytes(b"nonsense\n" + whole)
    with pytest.raises(FileError, match="line 1 is no event"):
        Journal(tmp_path / "j").read()


# -- conditions, time and size --------------------------------------------------------------------


def test_rules_say_what_is_wrong_in_words():
    rules = SuspendRules(pressure_low=1e-7, pressure_high=1e-5, saturated=True)
    assert troubles(rules, Picture(pressure=1e-6, free=1e12)) == ()
    (said,) = troubles(rules, Picture(pressure=2e-5))
    assert "20 µPa, at most 10 µPa" in said
    (said,) = troubles(rules, Picture(pressure=1e-8))
    assert "at least 100 nPa" in said
    assert troubles(rules, Picture(gauge=("gauge: no answer",))) == ("gauge: no answer",)
    assert troubles(SuspendRules(), Picture()) == ()
    assert troubles(SuspendRules(gauge_silent=True), Picture()) == ("the gauge tells no pressure",)
    (said,) = troubles(SuspendRules(), Picture(free=1e8, needed=9e7))
    assert "100 MB are free" in said
    said = troubles(rules, Picture(pressure=1e-6, monitors=("laser is out",), saturated=True))
    assert len(said) == 2
    assert troubles(replace(rules, monitors=False), Picture(pressure=1e-6, monitors=("x",))) == ()


def test_lines_have_a_window():
    rules = SuspendRules(line_low=50e3, line_high=60e3)
    assert lines_out(rules, [52e3, 59e3]) == ""
    assert "line 2 was found at 61 kHz" in lines_out(rules, [52e3, 61e3])
    assert "line 1" in lines_out(SuspendRules(line_low=50e3), [49e3])


def test_windows_of_a_decaying_signal_disagree_and_of_noise_agree():
    noise = np.random.default_rng(1)
    decays = 5.0 * np.exp(-np.arange(40_000) / 1e4)[:, None] + 0.5
    wild = decays * noise.standard_normal((40_000, 2))
    assert not agree(power_of(wild[:20_000]), power_of(wild[20_000:]))
    right = [
        agree(*(power_of(noise.standard_normal((5000, 2))) for _ in range(2))) for _ in range(200)
    ]
    # Three errors on two channels, errors known from 20 pieces: about 1 % disagree.
    assert 186 <= sum(right) <= 200


def test_estimates_count_samples_points_and_releases():
    info = DigitizerInfo(1e6, ("a", "b"), (1.0, 1.0))
    monitor = estimate(MonitorPlan(2.0), info)
    assert monitor.seconds == 2.0
    assert 8e6 < monitor.size < 8.6e6
    assert math.isinf(estimate(MonitorPlan(None), info).size)
    releases = estimate(ReheatingPlan(repetitions=100), info)
    assert releases.seconds == pytest.approx(0.2)
    assert releases.most_seconds == pytest.approx(0.24)
    axis = Axis("phi", start=0.0, stop=1.0, points=10)
    plan = SweepPlan((axis,), MonitorPlan(2.0), until_parameter="g_r", max_repeats=7)
    sweep = estimate(plan, info)
    assert sweep.points == 10
    assert sweep.size == pytest.approx(10 * monitor.size)
    assert sweep.most_points == 70


def test_what_does_not_fit_is_refused(tmp_path):
    info = DigitizerInfo(1e9, ("a", "b"), (1.0, 1.0))
    with pytest.raises(InputError, match=r"disk full: the plan writes .*B are free"):
        require_room(estimate(MonitorPlan(1e7), info), tmp_path / "new" / "deep")
    require_room(estimate(MonitorPlan(None), info), tmp_path)


@pytest.mark.parametrize(
    ("text", "size"), [("2 GB", 2e9), ("50 MB", 5e7), ("0.1 TB", 1e11), ("1 GiB", 2.0**30)]
)
def test_bytes_that_stay_free_are_given_with_a_unit(text, size):
    plan = read_plan("sweep-phase", [f"suspend.disk_free={text}"]).plan
    assert plan.suspend.disk_free == pytest.approx(size)


def test_bytes_that_stay_free_without_a_unit_are_refused():
    with pytest.raises(InputError, match=r'suspend.disk_free needs a unit, such as "2 GB"'):
        read_plan("sweep-phase", ["suspend.disk_free=5e7"])


def test_plans_of_seeks_survive_the_way_through_json_and_files() -> None:
    plan = SeekPlan(point="given", g_r=800.0, g_a=-500.0, accuracy=0.02, inner=INNER)
    assert any_plan_from_dict(any_plan_to_dict(plan)) == plan
    assert planned_points(plan) == ()
    assert read_plan("seek", ['point="reciprocal"', "max_settings=9"]).plan.max_settings == 9
    with pytest.raises(InputError, match=r"plan.point must be one of reciprocal, .*got 'x'"):
        SeekPlan(point="x")
    with pytest.raises(InputError, match="are for point given; point is reciprocal"):
        SeekPlan(point="reciprocal", g_r=1.0)
