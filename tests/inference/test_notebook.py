"""Results in a notebook: tables, lmfit's, pandas' and xarray's forms hold the same numbers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from simulated_spectra import record as simulated

import optobind as ob
from optobind.models.errors import InputError
from optobind.models.inference.matrices import model_single
from optobind.models.inference.result import FitResult, FittedParameter

RATE = 500e3


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    gamma = 2 * np.pi * 1.5e3
    model = model_single({"omega": 2 * np.pi * 60e3, "gamma": gamma, "D": gamma, "noise": 1e-6})
    x = simulated(model, 1 << 16, RATE, np.random.default_rng(5))
    path = tmp_path_factory.mktemp("notebook") / "a.npz"
    np.savez(path, samples=x, sample_rate=RATE, unit="V", channels=["left"])
    return ob.open_record(path)


@pytest.fixture(scope="module")
def analysis(stored):
    return ob.analyse_spectrum(stored)


def test_the_table_of_a_notebook_shows_every_parameter_with_its_unit(analysis):
    text = analysis._repr_html_()
    assert text == analysis.result._repr_html_()
    for name in analysis.result.parameters:
        assert f"<td>{name}</td>" in text
    assert "<td>ω/2π</td>" in text or "ω" in text
    assert "±" in text
    assert "p = " in text


def test_texts_in_the_table_cannot_become_markup():
    parameters = {"D": FittedParameter(1.0, 0.1, "V^2/s")}
    result = FitResult("single", parameters, ("D",), np.eye(1), {}, {}, False, ("a < b & <i>",))
    text = result._repr_html_()
    assert "<li>a &lt; b &amp; &lt;i&gt;</li>" in text
    assert "NOT CONVERGED" in text


def test_plot_draws_the_measured_spectrum_and_the_fit(analysis):
    axes = analysis.plot()
    lines = axes[0].get_lines()
    assert len(lines) >= 2
    assert all(len(line.get_xdata()) > 10 for line in lines[:2])


def test_lmfit_and_pandas_hold_the_numbers_of_the_result(analysis):
    pytest.importorskip("pandas")
    result, frame = analysis.result, analysis.result.to_pandas()
    assert list(frame.index) == list(result.parameters)
    for name, parameter in result.parameters.items():
        assert result.params[name].value == parameter.value
        assert result.params[name].stderr == parameter.stderr
        assert frame.loc[name, "value"] == parameter.value
        assert frame.loc[name, "unit"] == parameter.unit
        assert frame.loc[name, "vary"] == parameter.vary


def test_intervals_lie_about_the_estimate_as_lmfit_orders_them(analysis):
    result = analysis.result
    found = result.conf_interval(["D"])["D"]
    levels = [level for level, _ in found]
    limits = np.array([limit for _, limit in found])
    assert levels == pytest.approx([0.9545, 0.6827, 0.0, 0.6827, 0.9545], abs=1e-4)
    steps = (limits - result.value("D")) / result.stderr("D")
    np.testing.assert_allclose(steps, [-2, -1, 0, 1, 2], atol=0.25)


def test_uncertain_numbers_keep_their_correlations(analysis):
    pytest.importorskip("uncertainties")
    result = analysis.result
    found = result.uvalues()
    ratio = found["D"] / found["gamma"]
    value = result.value("D") / result.value("gamma")
    rows = [result.varying.index(name) for name in ("D", "gamma")]
    gradient = value * np.array([1 / result.value("D"), -1 / result.value("gamma")])
    variance = gradient @ result.covariance[np.ix_(rows, rows)] @ gradient
    assert ratio.nominal_value == pytest.approx(value)
    assert ratio.std_dev == pytest.approx(np.sqrt(variance), rel=1e-6)


def test_fixed_parameters_are_uncertain_numbers_without_a_warning():
    pytest.importorskip("uncertainties")
    parameters = {
        "D": FittedParameter(1.0, 0.1, "V^2/s"),
        "gamma": FittedParameter(2.0, None, "rad/s", vary=False),
    }
    result = FitResult("single", parameters, ("D",), 0.01 * np.eye(1), {}, {}, True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = result.uvalues()
    assert list(found) == ["D", "gamma"]
    assert (found["gamma"].nominal_value, found["gamma"].std_dev) == (2.0, 0.0)


def test_samples_come_with_time_unit_and_name(stored):
    pytest.importorskip("pandas")
    pytest.importorskip("xarray")
    wanted = stored.read(100, 110)[:, 0]
    frame, data = stored.to_pandas(100, 110), stored.to_xarray(100, 110)
    np.testing.assert_array_equal(frame["left"], wanted)
    np.testing.assert_array_equal(data["left"], wanted)
    np.testing.assert_allclose(frame.index, np.arange(100, 110) / RATE, rtol=1e-12)
    np.testing.assert_allclose(data["time"], np.arange(100, 110) / RATE, rtol=1e-12)
    assert data["left"].attrs["units"] == "V"
    assert data["time"].attrs["units"] == "s"
    assert len(stored.to_pandas()) == 1 << 16
    with pytest.raises(InputError, match="do not lie within one stretch"):
        stored.to_pandas(-5, 10)
