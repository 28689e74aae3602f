"""Likelihoods of real records in a global fit: in the parameters and the unit of their results."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from simulated_rig import Table

import optobind as ob
from optobind.models.inference.exact.fits import fit_exact, samples_of
from optobind.models.inference.joint.parts import LikelihoodPart, part_of

LIGHT = ob.PairSetting(-0.15, 2.53e-6, (0.2, 0.19))


def released(turn: float, seed: int, count: int = 12) -> ob.Measured:
    """Releases with all faults, fitted by the exact likelihood."""
    table = Table(samples=300)
    light = ob.PairSetting(LIGHT.phi + turn, LIGHT.distance, LIGHT.powers)
    samples = table.releases(light, 0.0, count, np.random.default_rng(seed))
    start, free = table.values(light, 0.0)[0], {"noise_12": None, "delay_12": None}
    result = fit_exact(samples_of(samples), table.sample_rate, "pair", start, detection=free)
    return ob.Measured(light, result, f"turned by {turn:.2f}", raw=True)


def steady(folder: Path) -> ob.Measured:
    """A run whose record is in metres, its result in quanta."""
    settings = ["tweezers.0.phase=0.8 rad", "simulation.seed=3"]
    record = ob.simulate("simulated-pair", ob.MonitorPlan(0.1), out=folder, settings=settings)
    (one,) = ob.measured_pieces(record)
    return one


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["released", "steady"])
def test_a_likelihood_has_the_maximum_and_the_errors_of_its_result(
    kind: str, tmp_path: Path
) -> None:
    one = released(0.0, 1) if kind == "released" else steady(tmp_path)
    part = part_of(one, summed=True)
    assert isinstance(part, LikelihoodPart)
    result = one.result
    assert part.start == pytest.approx([result.value(n) for n in part.names], rel=1e-9)
    top = part.terms(part.start)
    assert top is not None
    errors = np.array([result.stderr(n) or math.nan for n in part.names])
    assert top.log_likelihood == pytest.approx(0.0, abs=1e-9)
    assert abs(top.score * errors).max() < 0.02
    places = [result.varying.index(n) for n in part.names]
    expected = result.covariance[np.ix_(places, places)] / np.outer(errors, errors)
    found = np.linalg.inv(top.fisher * np.outer(errors, errors))
    assert found == pytest.approx(expected, abs=0.05)
    # The score is that of the value, away from the maximum, in the unit of the result.
    away = part.start + 0.5 * errors * np.where(np.arange(len(errors)) % 2, 1.0, -1.0)
    here = part.terms(away)
    assert here is not None
    for name in ("re_D12", "g_a", "D11", "omega_1"):
        at = part.names.index(name)
        step = np.zeros(len(errors))
        step[at] = 1e-2 * errors[at]
        ends = [part.terms(away + s * step) for s in (1.0, -1.0)]
        assert ends[0] is not None
        assert ends[1] is not None
        slope = (ends[0].log_likelihood - ends[1].log_likelihood) / 2e-2
        assert here.score[at] * errors[at] == pytest.approx(slope, abs=0.02), name


@pytest.mark.study
def test_summed_likelihoods_agree_with_their_results() -> None:
    records = [released(0.0, 1), released(math.pi, 2)]
    law = Table().law
    plain, summed = (ob.fit_global(records, law=law, summed=s) for s in (False, True))
    assert summed.result.input["summed_likelihoods"]
    for name in ("g_r", "g_a", "re_D12"):
        one, two = (getattr(a.points[0], name) for a in (plain, summed))
        assert one.stderr == pytest.approx(two.stderr, rel=0.1), name
        assert abs(one.value - two.value) < 0.15 * one.stderr, name
    assert abs(plain.result.statistics["chi2"] - summed.result.statistics["chi2"]) < 1.0
