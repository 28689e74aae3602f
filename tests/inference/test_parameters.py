"""The one table of parameters and statistics, and how estimates are written."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
from simulated_releases import DEMO
from simulated_spectra import csd_of, record

from optobind.models.errors import InputError
from optobind.models.inference.digits import as_precise, measured
from optobind.models.inference.matrices import NAMES, model_pair, model_single
from optobind.models.inference.parameters import PARAMETERS, STATISTICS, symbol_of, unit_of
from optobind.models.inference.reheating.estimate import estimate_reheating
from optobind.models.inference.reheating.fits import reheating_estimators
from optobind.models.inference.reheating.moments import reheating_model
from optobind.models.inference.report import fit_report
from optobind.models.inference.spectral.fits import fit_single

HZ = 2 * np.pi
SINGLE = {"omega": HZ * 60e3, "gamma": HZ * 300, "D": 2e4, "noise": 1e-5}


@pytest.fixture(scope="module")
def single():
    y = record(model_single(SINGLE), 1 << 16, 5e5, np.random.default_rng(1))
    return fit_single(csd_of(y, 5e5, 4096), band=(50e3, 70e3))


@pytest.fixture(scope="module")
def releases():
    return reheating_estimators(estimate_reheating(DEMO.simulate(200, 3), DEMO.sample_rate))


def test_every_parameter_of_every_model_stands_in_the_table():
    assert {name for names in NAMES.values() for name in names} == set(PARAMETERS)
    for name, parameter in PARAMETERS.items():
        assert parameter.name == name
    assert len({p.symbol for p in PARAMETERS.values()}) == len(PARAMETERS)


@pytest.mark.parametrize(
    ("name", "quanta", "metre"),
    [
        ("omega_1", "rad/s", "rad/s"),
        ("g_a", "rad/s", "rad/s"),
        ("re_D12", "rad/s", "m^2/s"),
        ("noise_2", "1/Hz", "m^2/Hz"),
        ("n1_0", "quanta", "m^2"),
        ("im_C0", "quanta", "m^2"),
        ("a_helper", "", ""),
    ],
)
def test_units_follow_from_the_kind(name, quanta, metre):
    assert unit_of(name, "quanta") == quanta
    assert unit_of(name, "m") == metre
    with pytest.raises(InputError, match="known: quanta, m, V"):
        unit_of(name, "mm")


def test_every_statistic_has_one_name_with_one_meaning(single, releases):
    for result in (single, *releases.values()):
        assert set(result.statistics) <= set(STATISTICS)
        assert {"chi2", "dof", "reduced_chi2", "p_value", "bins"} <= set(result.statistics)
        assert result.statistics["reduced_chi2"] == pytest.approx(
            result.statistics["chi2"] / result.statistics["dof"]
        )


def test_releases_and_spectra_are_fits_of_one_linear_model():
    values = {n: v for n, v in DEMO.truth.items() if n in NAMES["pair"]}
    one, two = reheating_model(DEMO.truth), model_pair(values)
    for name in ("drift", "noise", "output", "imprecision"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))


@pytest.mark.parametrize(
    ("value", "stderr", "text", "alone"),
    [
        (75.31234, 0.0239, "75.312 ± 0.024", "75.312"),
        (1.0, 0.0996, "1.00 ± 0.10", "1.00"),
        (-50588.4, 230.0, "−50590 ± 230", "−50590"),
        (-2.26e-6, 5.6e-8, "(−2.260 ± 0.056)·10⁻⁶", "−2.260·10⁻⁶"),
        (3e-9, 0.5, "0.00 ± 0.50", "0.00"),
        (0.0, 0.02, "0.000 ± 0.020", "0.000"),
        (12.0, None, "12", "12"),
        (float("nan"), 1.0, "–", "–"),
    ],
)
def test_value_and_error_end_at_the_same_digit(value, stderr, text, alone):
    assert measured(value, stderr) == text
    assert as_precise(value, stderr) == alone


def test_the_report_has_values_errors_units_and_goodness(single, releases):
    text = fit_report(single)
    p = single.parameters["gamma"]
    assert f"γ/2π  {measured(p.value / math.tau, p.stderr / math.tau)}" in re.sub(
        " {2,}", "  ", text
    )
    assert "rad/s" not in text
    for part in (symbol_of("omega"), "Hz", "χ² =", "p = ", "correlations"):
        assert part in text
    text = fit_report(releases["transitions"], correlations=False)
    assert text.startswith("reheating fit by transitions")
    assert "(fixed)" in text
    assert "correlations" not in text


def test_results_show_themselves_in_one_line(single, releases):
    for thing in (single, *releases.values()):
        assert len(repr(thing)) < 160
        assert "\n" not in repr(thing)
    assert "omega = " in repr(single)
