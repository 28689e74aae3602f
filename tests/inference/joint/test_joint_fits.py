"""Global fits recover what made the records, with honest errors."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from synthetic import LAW, LIGHTS, TRUTH, measured

import optobind as ob
from optobind.models.inference.joint.belief import Belief
from optobind.models.inference.joint.fits import JointFit, JointOptions, fit_joint
from optobind.models.inference.joint.frame import Tolerances
from optobind.models.inference.joint.likelihood import SHARED
from optobind.models.inference.joint.points import light_points, predicted
from optobind.models.inference.joint.pressure import zero_pressure
from optobind.models.inference.joint.reversal import half_differences
from optobind.models.regimes import radicand


@pytest.fixture(scope="module")
def fit() -> JointFit:
    return fit_joint(measured(LIGHTS, 3), LAW, JointOptions())


def pull(fit: JointFit, name: str, truth: float) -> float:
    apart = fit.result.value(name) - truth
    if name == "phi_0":
        apart = math.remainder(apart, math.tau)
    return apart / (fit.result.stderr(name) or math.nan)


def truths() -> dict[str, float]:
    return {**TRUTH, "mix_12": 0.05, "mix_21": 0.05, "common_D": 0.0}


def test_exact_records_give_the_law_back_exactly() -> None:
    found = fit_joint(measured(LIGHTS, None), LAW, JointOptions())
    for name in found.free:
        # kappa and kd_0 are drawn to what is known of them beforehand.
        bound = 0.35 if name in ("kappa", "kd_0") else 0.1
        assert abs(pull(found, name, truths()[name])) < bound, name
    assert found.result.statistics["chi2"] < 0.5


def test_a_noisy_set_is_recovered_within_its_errors(fit: JointFit) -> None:
    pulls = np.array([pull(fit, name, truths()[name]) for name in fit.free])
    errors = np.array([fit.result.stderr(name) for name in fit.free])
    correlation = fit.result.covariance / np.outer(errors, errors)
    assert pulls @ np.linalg.solve(correlation, pulls) < 27.0  # p = 0.1 % of χ² with 8
    assert fit.result.statistics["p_value"] > 1e-3
    assert fit.result.statistics["dof"] == 5 * len(LIGHTS) + 2 - len(fit.free)


@pytest.mark.study
def test_pulls_of_many_sets_are_normal() -> None:
    rows, chi2 = [], []
    for seed in range(60):
        phase = float(np.random.default_rng(seed).uniform(-3.0, 3.0))
        truth = {**TRUTH, "phi_0": phase}
        found = fit_joint(measured(LIGHTS, 1000 + seed, truth=truth), LAW, JointOptions())
        rows.append([pull(found, n, {**truths(), **truth}[n]) for n in found.free])
        chi2.append(found.result.statistics["chi2"] / found.result.statistics["dof"])
    pulls = np.array(rows)
    free = found.free
    for at, name in enumerate(free):
        if name not in ("kappa", "kd_0"):  # of which much is known beforehand
            assert abs(pulls[:, at].mean()) < 0.45, name
            assert 0.7 < pulls[:, at].std() < 1.35, name
    assert np.mean(chi2) == pytest.approx(1.0, abs=0.2)


def test_score_and_information_are_those_of_the_value(fit: JointFit) -> None:
    likelihood = fit.likelihood
    at = fit.values
    at[SHARED.index("phi_0")] += 0.01
    at[SHARED.index("mix_12")] += 0.004
    here = likelihood.evaluate(at)
    for name in ("G", "phi_0", "kd_0", "kappa", "mix_12", "omega_0", "gain_1"):
        j = SHARED.index(name)
        step = 1e-4 * max(abs(at[j]), 1.0)
        ends = []
        for sign in (1.0, -1.0):
            moved = at.copy()
            moved[j] += sign * step
            ends.append(likelihood.evaluate(moved))
        slope = (ends[0].log_likelihood - ends[1].log_likelihood) / (2.0 * step)
        scale = math.sqrt(here.fisher[j, j])
        assert here.score[j] / scale == pytest.approx(slope / scale, abs=0.02), name
        bend = -(ends[0].score[j] - ends[1].score[j]) / (2.0 * step)
        assert here.fisher[j, j] == pytest.approx(bend, rel=0.15), name


def test_intervals_by_profiles_agree_with_the_errors(fit: JointFit) -> None:
    low, high = ob.profile(fit.result, "mix_12", levels=(0.68,)).intervals["0.68"]
    error = fit.result.stderr("mix_12") or math.nan
    assert 0.5 * (high - low) == pytest.approx(error, rel=0.15)


def test_a_simulated_null_set_can_be_drawn(fit: JointFit) -> None:
    drawn = fit.likelihood.simulated(fit.values, np.random.default_rng(1))
    chi2 = -2.0 * drawn.evaluate(fit.values).log_likelihood
    assert 5.0 < chi2 < 70.0
    again = fit.likelihood.evaluate(fit.values).log_likelihood
    assert again == pytest.approx(fit.point.log_likelihood, abs=1e-4)  # the own data stay


def test_without_a_reversal_mixing_is_fixed_and_that_is_said() -> None:
    found = fit_joint(measured(LIGHTS[:1], 4, mixing=(0.0, 0.0)), LAW, JointOptions())
    assert "mix_12" not in found.free
    assert any("cross-talk" in text for text in found.result.warnings)


def test_records_that_are_no_one_pair_are_named() -> None:
    records = measured(LIGHTS, 5)
    turned = replace(records[2].setting, phi=records[2].setting.phi + 0.5)
    records[2] = replace(records[2], setting=turned)
    found = fit_joint(records, LAW, JointOptions())
    assert any("do not agree with one pair" in text for text in found.result.warnings)


def test_drifts_of_the_phase_are_told_from_the_physics() -> None:
    rng = np.random.default_rng(7)
    lights = [LIGHTS[0], LIGHTS[1]] * 4
    drifts = 0.3 * rng.standard_normal(4)
    records = []
    for number, light in enumerate(lights):
        turned = replace(light, phi=light.phi + drifts[number // 2])
        (one,) = measured([turned], 100 + number, tolerances=(1e-5, 0.02))
        records.append(replace(one, setting=light, group=f"block {number // 2}"))
    assert not fit_joint(records, LAW, JointOptions()).result.statistics["p_value"] > 1e-3
    found = fit_joint(records, LAW, JointOptions(phase_drift=0.3))
    assert found.result.statistics["p_value"] > 1e-3
    truth = float(LAW.foresee(TRUTH, [lights[0]]).re_D12[0])
    point = light_points(found)[0]
    assert abs(point.re_D12.value - truth) < 3.0 * point.re_D12.stderr


def test_exceptional_points_are_zeros_of_the_radicand(fit: JointFit) -> None:
    kinds = set()
    for point in light_points(fit):
        kinds.add(point.kind)
        g_r, g_a = point.g_r.value, point.g_a.value
        if point.exceptional is not None:
            for one in point.exceptional:
                assert radicand(one.value, g_r, g_a) == pytest.approx(0.0, abs=1e-6 * g_a**2)
            assert len(point.balances) == 2
        else:
            assert point.gap is not None
            least = radicand(point.centre.value, g_r, g_a)
            assert point.gap.value == pytest.approx(math.sqrt(float(least)))
    assert kinds == {"exceptional points", "avoided crossing"}


def test_at_the_balance_of_an_exceptional_point_the_lines_are_that_far_apart(
    fit: JointFit,
) -> None:
    point = next(p for p in light_points(fit) if p.exceptional is not None)
    s = point.setting
    half = 0.5 * sum(s.powers)
    wanted = 2.0 * math.sqrt(point.g_a.value**2 - point.g_r.value**2)
    for balance, sign in zip(point.balances, (-1.0, 1.0), strict=True):
        powers = half * (1.0 - balance.value), half * (1.0 + balance.value)
        there = ob.PairSetting(s.phi, s.distance, powers)
        values, _ = predicted(fit, [there, s])
        moved = float(values[0, 4] - values[0, 3] - values[1, 4] + values[1, 3])
        here = point.delta_omega.value - 2.0 * point.g_a.value
        assert here + moved == pytest.approx(sign * wanted, abs=300.0)


@pytest.mark.slow
def test_errors_of_exceptional_points_are_those_of_many_sets() -> None:
    found = []
    for seed in range(12):
        one = fit_joint(measured(LIGHTS, 200 + seed), LAW, JointOptions())
        point = light_points(one)[2]
        assert point.exceptional is not None
        truth = LAW.foresee(TRUTH, [LIGHTS[2]])
        g_r, g_a = float(truth.g_r[0]), float(truth.g_a[0])
        upper = 2.0 * g_a + 2.0 * math.sqrt(g_a**2 - g_r**2)
        found.append((point.exceptional[1].value - upper) / point.exceptional[1].stderr)
    assert abs(np.mean(found)) < 1.0
    assert 0.4 < np.std(found) < 1.8


def test_a_belief_that_learns_agrees_with_the_fit(fit: JointFit) -> None:
    belief = Belief.beforehand(
        LAW,
        {**TRUTH, "kd_0": 0.0, "phi_0": 1.0, "G": 1.5e5},
        {"G": 2e4, "kd_0": 0.3, "phi_0": 0.3, "omega_0": 3e3, "balance_0": 0.02},
        Tolerances(90.0, 900.0, 300.0),
    )
    records = measured(LIGHTS, 9, mixing=(0.0, 0.0))
    names = ("g_r", "g_a", "re_D12", "omega_1", "omega_2")
    before = belief.information(LIGHTS[0], np.diag([120.0, 120.0, 1200.0, 100.0, 100.0]) ** 2)
    for one in records:
        rows = [one.result.varying.index(n) for n in names]
        belief = belief.updated(
            one.setting,
            np.array([one.result.value(n) for n in names]),
            one.result.covariance[np.ix_(rows, rows)],
        )
    after = belief.information(LIGHTS[0], np.diag([120.0, 120.0, 1200.0, 100.0, 100.0]) ** 2)
    assert before > 3.0 > after > 0.0
    spread = np.sqrt(np.diag(belief.covariance))
    for name, error in zip(belief.names, spread, strict=True):
        value = belief.values[SHARED.index(name)]
        assert abs(value - TRUTH[name]) < 4.0 * error, name
    mean, jacobian, covariance = belief.predict(LIGHTS[0])
    assert jacobian.shape == (5, 5)
    assert (np.linalg.eigvalsh(covariance) > 0.0).all()
    assert mean[0] == pytest.approx(float(LAW.foresee(TRUTH, [LIGHTS[0]]).g_r[0]), abs=400.0)


def test_heating_at_zero_pressure_is_the_recoil() -> None:
    records = []
    for number, pressure in enumerate((1e-4, 2e-4, 4e-4, 8e-4)):
        (one,) = measured([replace(LIGHTS[0], pressure=pressure)], 20 + number)
        table = dict(one.result.parameters)
        gas = 2e8 * pressure
        table["D11"] = replace(table["D11"], value=table["D11"].value + gas)
        records.append(replace(one, result=replace(one.result, parameters=table)))
    line = next(e for e in zero_pressure(records) if e.name == "D11")
    # What mixing adds to D_11 is a thousandth.
    assert abs(line.at_zero.value - 1.7e5) < 3.0 * line.at_zero.stderr + 2e3
    assert abs(line.slope.value - 2e8) < 3.0 * line.slope.stderr
    assert zero_pressure(records[:1]) == []


def test_what_cannot_be_fitted_together_is_refused() -> None:
    (one,) = measured(LIGHTS[:1], 1)
    volts = replace(one, result=replace(one.result, input={"unit": "V"}))
    with pytest.raises(ob.InputError, match="not calibrated"):
        fit_joint([volts], LAW, JointOptions())
    with pytest.raises(ob.InputError, match="cannot share 'sun'; known: kd, phase"):
        JointOptions(share=("sun",))
    with pytest.raises(ob.InputError, match="needs records"):
        fit_joint([], LAW, JointOptions())
    with pytest.raises(ob.InputError, match="holds no likelihood"):
        fit_joint([one], LAW, JointOptions(summed=True))
    with pytest.raises(ob.InputError, match="phase_drift must lie"):
        JointOptions(phase_drift=-1.0)


def doubted(one: ob.Measured, p_value: float) -> ob.Measured:
    """The same record, far off, with a p-value of its own fit."""
    table = dict(one.result.parameters)
    table["re_D12"] = replace(table["re_D12"], value=table["re_D12"].value + 8e4)
    statistics = {"p_value": p_value}
    return replace(one, result=replace(one.result, parameters=table, statistics=statistics))


def test_a_record_that_its_own_fit_does_not_describe_is_left_out_and_named() -> None:
    records = measured(LIGHTS, 3)
    records.append(replace(doubted(records[0], 1e-9), name="the grown one"))
    found = fit_joint(records, LAW, JointOptions())
    clean = fit_joint(records[:-1], LAW, JointOptions())
    assert found.result.value("G") == clean.result.value("G")
    assert "the grown one" not in [m.name for m in found.measured]
    assert found.result.input["left_out"] == [{"name": "the grown one", "p_value": 1e-9}]
    assert any("left out" in t and "the grown one" in t for t in found.result.warnings)
    assert clean.result.input["left_out"] == []
    forced = fit_joint(records, LAW, JointOptions(keep_doubtful=True))
    assert len(forced.measured) == len(records)
    assert forced.result.input["left_out"] == []
    assert any("used all the same" in t for t in forced.result.warnings)
    # One such record decides: what is left out matters.
    assert forced.result.statistics["chi2"] > found.result.statistics["chi2"] + 100.0


def test_where_all_records_are_doubtful_nothing_is_fitted() -> None:
    records = [doubted(one, 1e-8) for one in measured(LIGHTS[:2], 3)]
    with pytest.raises(ob.InputError, match=r"no record is left.*keep_doubtful"):
        fit_joint(records, LAW, JointOptions())


def test_half_differences_are_those_without_drift() -> None:
    rng, sigma, blocks = np.random.default_rng(4), 0.5, 6
    light, back = LIGHTS[0], LIGHTS[1]
    groups = [block for block in range(blocks) for _ in range(2)]
    up, down = (LAW.foresee(TRUTH, [light], turn) for turn in (1e-4, -1e-4))
    names = ("g_r", "g_a", "re_D12")
    here = LAW.foresee({**TRUTH, "kappa": 0.0}, [light])
    truth = np.array([getattr(here, n)[0] for n in names])
    slope = np.array([(getattr(up, n) - getattr(down, n))[0] / 2e-4 for n in names])
    found, errors = [], []
    for _ in range(400):
        estimates = []
        for turn in sigma * rng.standard_normal(blocks):
            for one in (light, back):
                at = LAW.foresee({**TRUTH, "kappa": 0.0}, [one], turn)
                estimates.append(np.array([getattr(at, n)[0] for n in names]))
        (half,) = half_differences(
            [light, back] * blocks, estimates, [1e-6 * np.eye(3)] * (2 * blocks),
            [3.4e5] * (2 * blocks), groups, [slope] * (2 * blocks), sigma,
        )  # fmt: skip
        found.append(half.values)
        errors.append(half.stderr)
    spread = np.std(found, axis=0)
    assert (abs(np.mean(found, axis=0) - truth) < 3.5 * spread / math.sqrt(400)).all()
    assert np.mean(errors, axis=0) == pytest.approx(spread, rel=0.12)
