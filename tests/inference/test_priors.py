"""What is known beforehand: it enters likelihood, score, information and the provenance."""

from __future__ import annotations

import numpy as np
import pytest
from simulated_spectra import csd_of, record

from optobind.models.errors import InputError
from optobind.models.inference.exact.releases import fit_releases_exact
from optobind.models.inference.matrices import model_single
from optobind.models.inference.priors import checked_priors
from optobind.models.inference.spectral.fits import fit_single
from optobind.models.inference.spectral.problem import prepared

HZ = 2 * np.pi
RATE = 5e3
LINE = {"omega": HZ * 1e3, "gamma": HZ * 25.0, "D": 2e4, "noise": 2e-2}


@pytest.fixture(scope="module")
def csd():
    z = record(model_single(LINE), 20_000, RATE, np.random.default_rng(4))
    return csd_of(z, RATE, 1000)


def test_score_and_information_of_a_spectrum_hold_the_prior(csd):
    prior = {"gamma": (HZ * 20.0, HZ * 2.0)}
    problem, _ = prepared("single", csd, (700.0, 1300.0), 1.0, prior)
    plain, _ = prepared("single", csd, (700.0, 1300.0), 1.0)
    values = np.array(list(LINE.values()))
    score, fisher = problem.evaluate(values).normal_equations()
    step = 1e-4 * values[1]
    ends = [problem.evaluate(values + s * np.eye(4)[1]).log_likelihood for s in (step, -step)]
    assert score[1] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-4)
    own = plain.evaluate(values).normal_equations()[1]
    assert fisher[1, 1] - own[1, 1] == pytest.approx((HZ * 2.0) ** -2, rel=1e-9)
    np.testing.assert_array_equal(np.delete(fisher - own, 1, axis=0), 0.0)


def test_a_prior_pulls_a_fit_and_shrinks_its_error_as_two_measurements_would(csd):
    free = fit_single(csd, band=(700.0, 1300.0))
    error = free.stderr("gamma")
    known = (free.value("gamma") + error, error)
    found = fit_single(csd, band=(700.0, 1300.0), priors={"gamma": known})
    assert found.stderr("gamma") == pytest.approx(error / np.sqrt(2.0), rel=0.1)
    half = 0.5 * (free.value("gamma") + known[0])
    assert found.value("gamma") == pytest.approx(half, abs=0.2 * error)
    assert found.input["priors"] == {"gamma": list(known)}
    assert "priors" not in free.input


def test_damping_of_which_something_is_known_is_no_longer_fixed_at_none():
    rng, line = np.random.default_rng(3), {**LINE, "omega": HZ * 1.1e3, "gamma": HZ * 0.5}
    # Pieces of a steady record are releases of its own occupation.
    z = record(model_single(line), 12_000, RATE, rng).reshape(40, 300, 1)
    start = {**line, "gamma": 0.0, "n_0": line["D"] / line["gamma"]}
    free = fit_releases_exact(z, RATE, start=start)
    assert not free.parameters["gamma"].vary
    prior = {"gamma": (line["gamma"], 0.05 * line["gamma"])}
    found = fit_releases_exact(z, RATE, start=start, priors=prior)
    assert found.parameters["gamma"].vary
    assert found.value("gamma") == pytest.approx(line["gamma"], rel=0.05)
    assert found.stderr("gamma") == pytest.approx(prior["gamma"][1], rel=0.05)
    assert found.input["priors"] == {"gamma": list(prior["gamma"])}


@pytest.mark.parametrize("pair", [("width", (1.0, 0.1)), ("gamma", (1.0, 0.0)), ("D", (np.nan, 1))])
def test_what_is_no_prior_is_refused(pair):
    with pytest.raises(InputError, match="positive error, got " + pair[0]):
        checked_priors(dict([pair]), ("omega", "gamma", "D", "noise"))
