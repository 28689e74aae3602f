"""``optobind fit`` on files of other programs and of our own runs."""

from __future__ import annotations

import json
import math
import re

import numpy as np
import pytest
from numba import njit

from optobind.acquisition.records.opening import open_record
from optobind.analysis.reheating import analyse_reheating
from optobind.analysis.spectrum import analyse_spectrum
from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.models.inference.convention import fit_convention
from optobind.models.inference.digits import measured
from optobind.models.pair import PairConstants

RATE = 1e6
TRUE = PairConstants(
    omega=2 * np.pi * 50e3,
    delta_omega=2 * np.pi * 2e3,
    g_r=2 * np.pi * 400.0,
    g_a=-2 * np.pi * 900.0,
    D11=4e5,
    D22=4e5,
    re_D12=-4e4,
    gamma=(6e3, 6e3),
)
NOISE = 2e-6


@njit(cache=True)
def _walk(step, root, state, normal):
    states = np.empty_like(normal)
    for index in range(len(normal)):
        state = step @ state + root @ normal[index]
        states[index] = state
    return states


def simulate(samples, seed, state=None, constants=TRUE):
    """Positions (n, 2) in quanta with white imprecision."""
    model = constants.to_linear()
    step, added = model.discretise(1.0 / RATE)
    rng = np.random.default_rng(seed)
    if state is None:
        state = rng.multivariate_normal(np.zeros(4), model.steady_state())
    root = np.linalg.cholesky(added + 1e-15 * np.trace(added) * np.eye(4))
    states = _walk(step, root, state, rng.standard_normal((samples, 4)))
    noise = rng.standard_normal((samples, 2)) * np.sqrt(NOISE * RATE / 2.0)
    return states[:, [0, 2]] + noise


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Records in NPZ: a steady pair, releases, and what cannot be fitted."""
    path = tmp_path_factory.mktemp("records")
    steady = simulate(400_000, 1)
    np.savez(path / "pair.npz", samples=steady, sample_rate=RATE, unit="quanta")
    np.savez(path / "swapped.npz", samples=steady[:, ::-1] * [1, -1], sample_rate=RATE, unit="V")
    np.savez(path / "one.npz", samples=steady[:, :1], sample_rate=RATE, unit="V")
    np.savez(path / "short.npz", samples=steady[:300], sample_rate=RATE)
    np.savez(path / "zeros.npz", samples=np.zeros((10000, 2)), sample_rate=RATE)
    np.savez(path / "rateless.npz", samples=steady[:300])
    np.savez(path / "nan.npz", samples=np.full((3000, 2), np.nan), sample_rate=RATE)
    free = PairConstants(**{**TRUE.__dict__, "gamma": (0.0, 0.0)})
    start = np.diag([60.0, 60.0, 60.0, 60.0])
    rng = np.random.default_rng(5)
    releases = np.stack(
        [
            simulate(600, 100 + m, rng.multivariate_normal(np.zeros(4), start), free)
            for m in range(200)
        ]
    )
    np.savez(path / "reheating.npz", samples=releases, sample_rate=RATE, unit="quanta")
    padded = np.concatenate([releases[:, :50][:, ::-1], releases], axis=1)
    np.savez(path / "padded.npz", samples=padded, sample_rate=RATE, unit="quanta", release_index=50)
    np.savez(path / "few.npz", samples=releases[:3], sample_rate=RATE, unit="quanta")
    np.savez(path / "three.npz", samples=releases[:, :, [0, 1, 0]], sample_rate=RATE)
    np.savez(path / "undefined.npz", samples=releases, sample_rate=RATE, release_index=np.nan)
    np.savez(path / "many.npz", samples=np.tile(steady, 2), sample_rate=RATE, unit="quanta")
    (path / "text.csv").write_text("hello\nworld\n", encoding="utf-8")
    (path / "broken.npz").write_bytes((path / "one.npz").read_bytes()[:1000])
    (path / "foreign.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(100))
    (path / "empty.npz").write_bytes(b"")
    return path


def values_of(answer):
    return {name: p["value"] for name, p in answer.json["parameters"].items()}


def test_pair_in_quanta_is_recovered_within_its_errors(optobind, folder):
    answer = optobind("fit", "spectrum", folder / "pair.npz", "--json")
    assert answer.code == 0
    result = answer.json
    assert result["model"] == "pair"
    expected = fit_convention(TRUE, "quanta")
    for name, value in expected.items():
        parameter = result["parameters"][name]
        assert parameter["vary"]
        assert abs(parameter["value"] - value) < 4.0 * parameter["stderr"], name
    assert result["parameters"]["g_r"]["unit"] == "rad/s"


def test_json_of_a_fit_has_the_promised_keys(optobind, folder):
    band = ("--band", "40 kHz", "60,0 kHz")
    answer = optobind("fit", "spectrum", folder / "pair.npz", *band, "--json")
    result = answer.json
    assert {"parameters", "correlations", "statistics", "input"} <= set(result)
    for parameter in result["parameters"].values():
        assert set(parameter) == {"value", "stderr", "unit", "vary"}
    assert answer.out.isascii()
    assert result["input"]["band"][0] >= 40e3
    assert result["input"]["channels"] == [0, 1]
    assert result["input"]["sample_rate"] == RATE


def test_one_channel_is_fitted_alone_by_default(optobind, folder):
    result = optobind("fit", "spectrum", folder / "one.npz", "--json").json
    assert result["model"] == "single"
    assert set(result["parameters"]) == {"omega", "gamma", "D", "noise"}
    assert result["parameters"]["D"]["unit"] == "V^2/s"
    chosen = optobind("fit", "spectrum", folder / "pair.npz", "--channels", 1, "--json").json
    assert chosen["model"] == "single"
    assert chosen["input"]["channels"] == [1]


@pytest.mark.slow
def test_channels_are_taken_in_the_order_given(optobind, folder):
    first = values_of(optobind("fit", "spectrum", folder / "pair.npz", "--json"))
    swapped = optobind("fit", "spectrum", folder / "swapped.npz", "--channels", "1,0", "--json")
    # The second column of that file is particle 1 with its sign reversed.
    values = values_of(swapped)
    assert values["omega_1"] == pytest.approx(first["omega_1"], rel=1e-6)
    for name in ("g_r", "g_a", "re_D12"):
        assert values[name] == pytest.approx(-first[name], rel=1e-2)


@pytest.mark.slow
def test_channels_left_out_unasked_are_warned_of(optobind, folder):
    answer = optobind("fit", "spectrum", folder / "many.npz", "--json")
    assert answer.code == 0
    assert answer.json["input"]["channels"] == [0, 1]
    warning = "4 channels, fitted: 0 (z1), 1 (z2); choose others with --channels"
    assert f"warning: {warning}\n" in answer.err
    assert warning in answer.json["warnings"]
    chosen = optobind("fit", "spectrum", folder / "many.npz", "--channels", "2,3", "--json")
    assert "--channels" not in chosen.err
    assert chosen.json["input"]["channels"] == [2, 3]


@pytest.mark.slow
def test_channels_of_a_reheating_fit_are_chosen(optobind, folder):
    plain = values_of(optobind("fit", "reheating", folder / "reheating.npz", "--json"))
    chosen = optobind("fit", "reheating", folder / "three.npz", "--channels", "2,1", "--json")
    assert chosen.json["input"]["channels"] == [2, 1]
    assert values_of(chosen)["g_r"] == pytest.approx(plain["g_r"], rel=0.05)


def test_results_and_figures_are_stored(optobind, folder, tmp_path):
    out = tmp_path / "new" / "folder"
    answer = optobind("fit", "spectrum", folder / "one.npz", "--out", out, "--json")
    assert answer.code == 0
    assert json.loads((out / "spectrum.json").read_text(encoding="ascii")) == answer.json
    assert (out / "spectrum.png").stat().st_size > 10_000


def test_table_of_a_fit_names_parameters_and_units(optobind, folder):
    answer = optobind("fit", "spectrum", folder / "one.npz")
    assert answer.code == 0
    for word in ("omega", "gamma", "V^2/Hz"):
        assert word in answer.out
    result = optobind("fit", "spectrum", folder / "one.npz", "--json").json
    value, stderr = (result["parameters"]["gamma"][key] / math.tau for key in ("value", "stderr"))
    assert re.search(rf"γ/2π[\s│]+{measured(value, stderr)}[\s│]+Hz", answer.out)
    assert "rad/s" not in answer.out


@pytest.mark.slow
def test_reheating_is_recovered_within_its_errors(optobind, folder):
    answer = optobind("fit", "reheating", folder / "reheating.npz", "--json")
    assert answer.code == 0
    parameters = answer.json["parameters"]
    expected = fit_convention(PairConstants(**{**TRUE.__dict__, "gamma": (0.0, 0.0)}), "quanta")
    for name in ("D11", "D22", "re_D12", "g_r", "g_a", "omega_1", "omega_2"):
        parameter = parameters[name]
        assert abs(parameter["value"] - expected[name]) < 4.0 * parameter["stderr"], name


@pytest.mark.slow
def test_three_estimators_stand_side_by_side(optobind, folder):
    values = optobind("fit", "reheating", folder / "reheating.npz", "--json").json
    estimators = values["estimators"]
    assert list(estimators) == ["exact", "transitions", "curves"]
    assert estimators["exact"]["parameters"] == values["parameters"]
    assert estimators["exact"]["statistics"] == values["statistics"]
    for name in ("D11", "D22", "re_D12"):
        exact, transitions, curves = (e["parameters"][name] for e in estimators.values())
        assert abs(curves["value"] - transitions["value"]) < 4.0 * curves["stderr"], name
        assert abs(exact["value"] - transitions["value"]) < 4.0 * transitions["stderr"], name
        assert transitions["stderr"] < 0.7 * curves["stderr"], name
        assert exact["stderr"] < 0.8 * transitions["stderr"], name
    for estimator in estimators.values():
        assert estimator["statistics"]["agreement_p_value"] > 1e-4
    answer = optobind("fit", "reheating", folder / "reheating.npz")
    for word in ("exact", "curves", "transitions", "agreement_p_value", "±"):
        assert word in answer.out


@pytest.mark.slow
@pytest.mark.parametrize("chosen", ["curves", "transitions"])
def test_the_estimator_whose_numbers_count_is_chosen(optobind, folder, chosen):
    command = ("fit", "reheating", folder / "reheating.npz", "--estimator", chosen, "--json")
    values = optobind(*command).json
    assert next(iter(values["estimators"])) == chosen == values["statistics"]["estimator"]
    assert len(values["estimators"]) == 3


@pytest.mark.slow
def test_release_index_of_file_and_option_agree(optobind, folder):
    plain = values_of(optobind("fit", "reheating", folder / "reheating.npz", "--json"))
    stated = values_of(optobind("fit", "reheating", folder / "padded.npz", "--json"))
    given = optobind("fit", "reheating", folder / "padded.npz", "--release-index", 50, "--json")
    for values in (stated, values_of(given)):
        assert values["D11"] == pytest.approx(plain["D11"], rel=1e-9)


BAD = [
    ("spectrum", "pair.npz", ["--band", 1e5, 6e5], "Nyquist"),
    ("spectrum", "pair.npz", ["--band", 6e5, 7e5], "Nyquist"),
    ("spectrum", "pair.npz", ["--band", 5e4, 4e4], "low < high"),
    ("spectrum", "pair.npz", ["--band", "1,000 Hz", "60 kHz"], "--band is ambiguous"),
    ("spectrum", "pair.npz", ["--band", "40 ms", "60 kHz"], "--band has the unit 'ms'"),
    ("spectrum", "pair.npz", ["--band", -1, 4e4], "Nyquist"),
    ("spectrum", "pair.npz", ["--band", "nan", 4e4], "--band is not a number with a unit"),
    ("spectrum", "pair.npz", ["--band", 50000, 50000.1], "no bin"),
    ("spectrum", "pair.npz", ["--channels", "0,7"], "channel 7 does not exist"),
    ("spectrum", "pair.npz", ["--channels", "0,0"], "once only"),
    ("spectrum", "pair.npz", ["--channels", "x"], "channel 'x' does not exist"),
    ("spectrum", "pair.npz", ["--channels", "0", "--model", "pair"], "needs 2 channels"),
    ("spectrum", "pair.npz", ["--channels", "0,1", "--model", "single"], "needs 1 channel"),
    ("spectrum", "pair.npz", ["--segment", 1_000_000], "too few samples"),
    ("spectrum", "pair.npz", ["--segment", 10**9], "segment of 1000000000 is longer than"),
    ("spectrum", "pair.npz", ["--segment", 400_001], "400000 samples"),
    ("spectrum", "pair.npz", ["--segment", 400_000], "too few averages"),
    ("spectrum", "pair.npz", ["--segment", 0], "at least 8"),
    ("spectrum", "pair.npz", ["--rate", 2e6], "was recorded at 1e+06 Hz, not at 2e+06 Hz"),
    ("spectrum", "one.npz", ["--model", "pair"], "needs 2 channels, 1 is chosen"),
    ("spectrum", "short.npz", ["--segment", 256], "too few averages"),
    ("spectrum", "short.npz", [], "too few averages"),
    ("spectrum", "zeros.npz", [], ""),
    ("spectrum", "nan.npz", [], "finite"),
    ("spectrum", "rateless.npz", [], "sample_rate"),
    ("spectrum", "reheating.npz", [], "holds repetitions"),
    ("spectrum", "text.csv", [], ""),
    ("spectrum", "broken.npz", [], "truncated"),
    ("spectrum", "foreign.h5", [], ""),
    ("spectrum", "empty.npz", [], "empty"),
    ("spectrum", ".", [], "directory"),
    ("reheating", "pair.npz", [], "plain record"),
    ("reheating", "one.npz", [], "plain record"),
    ("reheating", "few.npz", [], "too few repetitions"),
    ("reheating", "three.npz", [], "needs 1 or 2 channels"),
    ("reheating", "reheating.npz", ["--release-index", 600], "0 … 599"),
    ("reheating", "reheating.npz", ["--release-index", -1], "0 … 599"),
    ("reheating", "reheating.npz", ["--release-index", 590], "10 samples after the release"),
    ("reheating", "reheating.npz", ["--release-index", 599], "1 sample after the release"),
    ("reheating", "reheating.npz", ["--channels", "0,2"], "channel 2 does not exist"),
    ("reheating", "reheating.npz", ["--channels", "0", "--delay", "1 us"], "between two channels"),
    ("reheating", "undefined.npz", [], "got nan"),
    ("reheating", "reheating.npz", ["--band", 1e6, 2e6], "Nyquist"),
]


@pytest.mark.parametrize(("kind", "name", "options", "message"), BAD)
def test_bad_data_and_options_end_with_one_line_and_2(
    optobind, folder, kind, name, options, message
):
    answer = optobind("fit", kind, folder / name, *options, "--json")
    assert answer.is_one_line_error(2), answer
    assert message in answer.err


def test_unwritable_directory_is_found_before_the_work(optobind, folder, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    answer = optobind("fit", "spectrum", folder / "pair.npz", "--out", tmp_path / "file" / "x")
    assert answer.is_one_line_error(2)
    assert optobind("fit", "spectrum", folder / "one.npz", "--out", tmp_path / "file").code == 2


def test_info_describes_imported_records(optobind, folder):
    values = optobind("info", folder / "padded.npz", "--json").json
    assert values["sample_rate"] == RATE
    assert values["repetitions"] == 200
    assert values["release_index"] == 50
    assert optobind("info", folder / "text.csv").is_one_line_error(2)


@pytest.fixture(scope="module")
def run_file(tmp_path_factory):
    """A short demo run of the shipped rig, with its truth."""
    from optobind.__main__ import main

    out = tmp_path_factory.mktemp("run")
    settings = [
        "simulation.clock=fast",
        "plan.steps.0.duration=0.5 s",
        "plan.steps.1.repetitions=60",
    ]
    arguments = [part for setting in settings for part in ("--set", setting)]
    assert main(["run", "demo", "--rig", "simulated-pair", "--out", str(out), *arguments]) == 0
    return out / "run.h5"


@pytest.fixture(scope="module")
def spectrum_of_run(run_file):
    return analyse_spectrum(open_record(run_file)).result


@pytest.mark.slow
def test_spectrum_of_a_run_recovers_the_truth_of_the_simulated_rig(spectrum_of_run):
    truth = build_rig(read_rig("simulated-pair", ["simulation.clock=fast"])).world.truth()
    result = spectrum_of_run
    assert result.parameters["D11"].unit == "rad/s"
    for name, value in truth.items():
        stderr = result.stderr(name)
        assert stderr is not None
        assert abs(result.value(name) - value) < 4.5 * stderr, name


@pytest.mark.slow
def test_spectrum_of_a_run_identifies_the_couplings(spectrum_of_run):
    result = spectrum_of_run
    for name in ("g_r", "g_a", "re_D12"):
        stderr = result.stderr(name)
        assert stderr is not None
        assert abs(result.value(name)) > 3.0 * stderr


@pytest.mark.slow
def test_reheating_of_a_run_is_in_quanta_and_agrees_with_the_spectrum(run_file, spectrum_of_run):
    spectrum = spectrum_of_run
    reheating = analyse_reheating(open_record(run_file)).result
    assert reheating.parameters["D11"].unit == "rad/s"
    for name in ("g_a", "omega_1", "omega_2", "D11", "D22"):
        stderr = np.hypot(reheating.stderr(name), spectrum.stderr(name))
        assert abs(reheating.value(name) - spectrum.value(name)) < 4.5 * stderr, name


@pytest.mark.slow
def test_info_of_a_run_counts_what_happened(optobind, run_file):
    values = optobind("info", run_file, "--json").json
    assert values["state"] == "complete"
    assert values["gaps"] == 0
    assert values["events"]["release"] == 60
    assert values["sample_rate"] == 2e6
    assert optobind("info", run_file).code == 0


@pytest.mark.slow
def test_complete_run_needs_no_recovery(optobind, run_file):
    assert optobind("recover", run_file).is_one_line_error(2)


@pytest.mark.slow
def test_run_file_knows_its_releases_and_its_rate(optobind, run_file):
    for arguments in (
        ("fit", "reheating", run_file, "--release-index", 3),
        ("fit", "spectrum", run_file, "--rate", 1e6),
    ):
        assert optobind(*arguments).is_one_line_error(2)


@pytest.mark.slow
def test_truncated_run_is_refused(optobind, run_file, tmp_path):
    path = tmp_path / "cut.h5"
    path.write_bytes(run_file.read_bytes()[:1_000_000])
    for command in (("info",), ("fit", "spectrum"), ("recover",)):
        assert optobind(*command, path).is_one_line_error(2)
