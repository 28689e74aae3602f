"""The demonstration: its files, its numbers, and how it fails."""

import contextlib
import io
import json
import math
import runpy
from pathlib import Path

import pytest

from optobind.acquisition.runfile import RunFile
from optobind.cli.demo import run_demo, truth_of
from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.models.errors import FileError, InputError

SHORT = ("steps.0.duration=0.25 s", "steps.1.repetitions=60")
FLAT = {
    "omega_1", "omega_2", "gamma_1", "gamma_2", "g_r", "g_a", "D11", "D22", "re_D12", "noise_1",
    "noise_2",
}  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    directory = tmp_path_factory.mktemp("demo") / "out"
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        report = run_demo(directory, 3, plan_settings=SHORT)
    return directory, report, out.getvalue(), err.getvalue()


def test_the_directory_holds_run_results_and_report(finished):
    directory, report = finished[:2]
    assert report == directory / "report.html"
    assert {p.name for p in directory.iterdir()} == {"run.h5", "results.json", "report.html"}


def test_the_outcome_is_printed_and_the_progress_goes_to_stderr(finished):
    _, report, out, err = finished
    for part in ("truth", "predicted", "spectrum", "reheating", "Re D₁₂", "σ"):
        assert part in out
    assert out.splitlines()[-1] == f"report: {report}"
    assert "the measurement" in err


def test_results_are_strict_json_with_truth_and_predictions(finished):
    text = (finished[0] / "results.json").read_text(encoding="ascii")
    results = json.loads(text, parse_constant=pytest.fail)
    assert set(results) == {"truth", "predicted", "record", "spectrum", "reheating"}
    assert results["record"]["gaps"] == results["record"]["lost_samples"] == 0
    assert results["record"]["releases"]["usable"] == results["record"]["releases"]["planned"]
    assert set(results["truth"]) == {*FLAT, "reheating"}
    assert set(results["truth"]["reheating"]) == FLAT
    assert set(results["predicted"]) == {"exact", "far_field"}
    assert set(results["predicted"]["exact"]) == FLAT - {"noise_1", "noise_2"}
    for fit in ("spectrum", "reheating"):
        assert {"parameters", "correlations", "statistics", "input"} <= set(results[fit])
        assert results[fit]["converged"] is True


def test_results_are_also_in_the_run_file(finished):
    with RunFile.open(finished[0] / "run.h5") as run:
        stored, info = run.results(), run.info()
    assert stored == json.loads((finished[0] / "results.json").read_text(encoding="ascii"))
    assert info["state"] == "complete"
    assert info["seed"] == 3
    assert info["gaps"] == 0
    assert info["events"]["release"] == 60


def test_the_short_demo_already_finds_the_couplings(finished):
    results = json.loads((finished[0] / "results.json").read_text(encoding="ascii"))
    for name in ("g_r", "g_a"):
        fitted = results["spectrum"]["parameters"][name]
        assert abs(fitted["value"]) > 3.0 * fitted["stderr"]
        assert abs(fitted["value"] - results["truth"][name]) < 4.5 * fitted["stderr"]


def test_errors_of_quanta_hold_the_error_of_their_scale(finished):
    fit = json.loads((finished[0] / "results.json").read_text(encoding="ascii"))["reheating"]
    first, second = (fit["parameters"][name] for name in ("omega_1", "omega_2"))
    shared = fit["correlations"]["omega_1"]["omega_2"]
    spread = first["stderr"] ** 2 + second["stderr"] ** 2
    spread += 2.0 * shared * first["stderr"] * second["stderr"]
    relative = math.sqrt(spread) / (first["value"] + second["value"])
    for name in ("noise_1", "noise_2"):
        noise = fit["parameters"][name]
        assert noise["stderr"] / noise["value"] > 0.95 * relative


def test_the_report_tells_the_whole_story_and_loads_nothing(finished):
    text = finished[1].read_text(encoding="utf-8")
    for part in ("Set-up", "Predicted couplings", "Spectra", "Reheating", "Run", "Versions"):
        assert f"<h2>{part}</h2>" in text
    assert text.count("data:image/svg+xml;base64,") == 3
    assert "https://" not in text
    assert "likelihood ratio against Re D₁₂ = 0" in text


def test_an_earlier_run_is_not_overwritten(finished):
    with pytest.raises(FileError, match="exists already"):
        run_demo(finished[0], 3, plan_settings=SHORT)


def test_an_unusable_directory_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(FileError, match="cannot be made"):
        run_demo(tmp_path / "file" / "out", 1)


def test_a_bad_seed_is_refused(tmp_path):
    with pytest.raises(InputError, match="seed"):
        run_demo(tmp_path / "out", -1)


def test_truth_with_and_without_feedback():
    rig = build_rig(read_rig("simulated-pair", ["simulation.clock=fast"]))
    truth = truth_of(rig)
    free = truth["reheating"]
    assert truth["gamma_1"] > 100.0 * free["gamma_1"]
    assert truth["g_r"] == pytest.approx(free["g_r"], rel=0.01)
    assert rig.world.gate_closed
    predicted = rig.trap.pair_constants().constants
    # The light is set in steps of the modulators, so it is nearly what was configured.
    assert free["omega_1"] == pytest.approx(predicted.line_frequencies[0], rel=2e-3)


@pytest.mark.slow
def test_the_notebook_example_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    example = Path(__file__).parents[2] / "docs" / "examples" / "quickstart.py"
    runpy.run_path(str(example))
    assert "predicted" in capsys.readouterr().out
    assert list(tmp_path.glob("runs/*/spectrum.png"))


@pytest.mark.slow
def test_a_second_run_elsewhere_is_the_same_to_the_last_digit(finished, tmp_path):
    run_demo(tmp_path / "again", 3, plan_settings=SHORT)
    first, second = (json.loads((d / "results.json").read_text(encoding="ascii"))
                     for d in (finished[0], tmp_path / "again"))  # fmt: skip
    assert first["truth"] == second["truth"]
    assert first["spectrum"]["parameters"] == second["spectrum"]["parameters"]


@pytest.mark.slow
def test_couplings_and_correlated_recoil_are_found_within_honest_errors(tmp_path):
    pulls = {"spectrum": [], "reheating": []}
    for seed in range(10):
        directory = tmp_path / str(seed)
        run_demo(directory, seed, plan_settings=("steps.1.repetitions=300",))
        results = json.loads((directory / "results.json").read_text(encoding="ascii"))
        for name in ("g_r", "g_a", "re_D12"):
            fitted = results["spectrum"]["parameters"][name]
            assert abs(fitted["value"]) >= 3.0 * fitted["stderr"]
        for source, found in pulls.items():
            truth = results["truth"] if source == "spectrum" else results["truth"]["reheating"]
            for name in ("omega_1", "omega_2", "g_r", "g_a", "D11", "D22", "re_D12"):
                fitted = results[source]["parameters"][name]
                found.append((fitted["value"] - truth[name]) / fitted["stderr"])
    for found in pulls.values():
        # 70 pulls, some of them correlated.
        assert math.sqrt(sum(p * p for p in found) / len(found)) < 1.45
        assert max(map(abs, found)) < 4.5
