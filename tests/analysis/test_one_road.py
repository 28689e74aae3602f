"""The notebook, the command line and joined files give the same calibrated numbers."""

import json
import shutil
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

import optobind as ob
from optobind.__main__ import main
from optobind.acquisition.csd import CsdEstimator
from optobind.acquisition.live_fit import FitSettings, FitTask, fit_spectrum
from optobind.acquisition.live_segment import SegmentChoice
from optobind.acquisition.recorder import Recorder
from optobind.acquisition.records.opening import open_record
from optobind.acquisition.runfile_format import Manifest
from optobind.models.blocks import Block
from optobind.models.errors import InputError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibrated run of the simulated pair: spectra, then releases."""
    folder = tmp_path_factory.mktemp("run")
    settings = ["plan.steps.0.duration=0.5 s", "plan.steps.1.repetitions=60"]
    settings += ["simulation.clock=fast"]
    arguments = [x for setting in settings for x in ("--set", setting)]
    code = main(["run", "demo", "--rig", "simulated-pair", "--out", str(folder), *arguments])
    assert code == 0
    return folder / "run.h5"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["spectrum", "reheating"])
def test_a_notebook_answers_what_the_command_line_answers(run, kind, capsys):
    capsys.readouterr()
    assert main(["fit", kind, str(run), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    analyse = ob.analyse_spectrum if kind == "spectrum" else ob.analyse_reheating
    result = analyse(ob.open_record(run)).result
    assert answer["parameters"]["D11"]["value"] == result.value("D11")
    assert answer["parameters"]["D11"]["unit"] == "rad/s"
    assert 1e4 < result.value("D11") < 1e7


def test_a_live_fit_answers_what_the_analysis_of_the_same_samples_answers(run):
    record = open_record(run)
    analysis = ob.analyse_spectrum(record)
    rate, scale = record.sample_rate, record.scale
    estimator = CsdEstimator(2, analysis.csd.segment, rate, scale=scale, unit="m")
    for block in record.steady_blocks((0, 1)):
        estimator.add(block)
    fitted = fit_spectrum(FitTask(estimator.estimate(), FitSettings(), record.masses_of((0, 1))))
    assert fitted.result is not None, fitted.error
    for name, parameter in analysis.result.parameters.items():
        assert fitted.result.value(name) == pytest.approx(parameter.value, rel=1e-12), name
        assert fitted.result.parameters[name].unit == parameter.unit


def test_a_live_display_chooses_the_segment_that_the_analysis_chooses(run, tmp_path):
    """Of the same samples: of longer ones the width of the line is known better."""
    record = open_record(run)
    counts = record.source.counts(0, 1 << 18, (0, 1))  # as many as the display looks at
    choice = SegmentChoice(record.sample_rate, None)
    choice.add(Block(0, counts, np.asarray(record.stored_scale)))
    volts = counts * record.stored_scale
    np.savez(tmp_path / "probe.npz", samples=volts, sample_rate=record.sample_rate)
    analysis = ob.analyse_spectrum(open_record(tmp_path / "probe.npz"))
    assert choice.take() == analysis.csd.segment


def test_a_spectrum_estimated_by_hand_is_in_the_unit_of_the_record(run):
    """Of samples in metres nobody says that they are volts."""
    record = open_record(run)
    start, stop = record.steady()[0]
    samples = record.read(start, stop, (0,))
    csd = ob.estimate_csd(samples, record.sample_rate, 8192, unit=record.unit)
    assert csd.unit == "m"
    variance = csd.matrix[2:, 0, 0].real.sum() * csd.bin_width
    assert variance == pytest.approx(samples.var(), rel=0.05)
    assert 1e-11 < np.sqrt(variance) < 1e-8  # tens of picometres, not volts
    with pytest.raises(TypeError, match="unit"):
        ob.estimate_csd(samples, record.sample_rate, 8192)


def test_a_run_file_is_opened_with_calibration_polarity_and_masses(run):
    record = open_record(run)
    assert (record.kind, record.unit, record.stored_unit) == ("run", "m", "V")
    np.testing.assert_allclose(record.scale, record.stored_scale / 1e9)
    assert record.usual == (0, 1)
    assert all(mass is not None and 1e-19 < mass < 1e-17 for mass in record.masses)


def test_blocks_of_any_length_give_the_same_samples(run):
    record = open_record(run)
    whole = np.concatenate([b.samples for b in record.steady_blocks((1,))])
    parts = np.concatenate([b.samples for b in record.steady_blocks((1,), rows=777)])
    np.testing.assert_array_equal(whole, parts)
    assert len(whole) == sum(stop - start for start, stop in record.steady())


def test_releases_come_in_batches_of_the_chosen_columns(run):
    record = open_record(run)
    ranges = record.releases()
    batches = list(record.released_batches((1, 0), ranges))
    assert sum(len(batch) for batch in batches) == len(ranges) == 60
    start, stop = ranges[7]
    np.testing.assert_array_equal(batches[0][7], record.read(start, stop, (1, 0)))


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with another seed."""
    folder = tmp_path_factory.mktemp("other")
    settings = ["plan.steps.0.duration=0.5 s", "plan.steps.1.repetitions=60"]
    settings += ["simulation.clock=fast", "simulation.seed=77"]
    arguments = [x for setting in settings for x in ("--set", setting)]
    assert main(["run", "demo", "--rig", "simulated-pair", "--out", str(folder), *arguments]) == 0
    return folder / "run.h5"


@pytest.mark.slow
def test_a_run_whose_copy_is_given_beside_it_counts_once(run, tmp_path):
    with pytest.raises(InputError, match="named twice"):
        open_record([run, run])
    copy = shutil.copy(run, tmp_path / "copy.h5")
    once, twice = (ob.analyse_spectrum(open_record(paths)).result for paths in (run, [run, copy]))
    assert twice.stderr("D11") == pytest.approx(once.stderr("D11"), rel=0.05)
    assert any("repeat" in text or "cop" in text for text in twice.warnings)


@pytest.mark.slow
def test_two_runs_of_one_rig_follow_one_another(run, other):
    one, two = open_record(run), open_record([other, run])
    assert len(two.releases()) == 2 * len(one.releases())
    assert two.longest() == one.longest()
    last = two.releases()[-1]
    np.testing.assert_array_equal(two.read(*last), one.read(*one.releases()[-1]))
    single = ob.analyse_spectrum(one).result.parameters["D11"]
    double = ob.analyse_spectrum(two).result.parameters["D11"]
    assert double.value == pytest.approx(single.value, abs=3.0 * single.stderr)
    assert double.stderr == pytest.approx(single.stderr / np.sqrt(2.0), rel=0.05)


def test_runs_of_different_rigs_are_not_joined(run, tmp_path):
    counts = np.zeros((100, 1), np.int16)
    with Recorder(tmp_path / "other.h5", Manifest(1e6, ("a",), (1.0,))) as recorder:
        recorder.write(Block(0, counts, np.ones(1)))
    with pytest.raises(InputError, match=r"cannot be joined: their sample rates differ"):
        open_record([run, tmp_path / "other.h5"])


def test_imported_files_of_one_length_stand_side_by_side(tmp_path):
    rng = np.random.default_rng(2)
    samples = rng.normal(size=(50, 2))
    for column in (0, 1):
        path = tmp_path / f"C{column + 1}.npz"
        np.savez(path, samples=samples[:, [column]], sample_rate=1e6)
    record = open_record([tmp_path / "C1.npz", tmp_path / "C2.npz"])
    assert record.names == ("C1:z1", "C2:z1")
    np.testing.assert_array_equal(record.samples, samples)
    np.savez(tmp_path / "C3.npz", samples=samples[:40], sample_rate=1e6)
    with pytest.raises(InputError, match="their lengths differ"):
        open_record([tmp_path / "C1.npz", tmp_path / "C3.npz"])


def test_reading_the_events_of_a_run_says_how_far_it_is(run, monkeypatch, tmp_path):
    """Some records are read at a time, so that the share rises through the whole."""
    monkeypatch.setattr("optobind.acquisition.runfile._EVENT_ROWS", 16)
    seen: list[float] = []
    ob.open_record(run, progress=seen.append)
    assert len(seen) > 10
    assert seen == sorted(seen)
    assert (seen[0] < 0.1, seen[-1]) == (True, 1.0)
    both: list[float] = []
    again = shutil.copy(run, tmp_path / "again.h5")
    ob.open_record([run, again], progress=both.append)
    assert both == [share / 2 for share in seen] + [0.5 + share / 2 for share in seen]


@pytest.mark.parametrize("command", [["info"], ["fit", "spectrum"], ["fit", "reheating"]])
def test_reading_events_shows_a_bar_and_obeys_ctrl_c(run, command, monkeypatch, capsys):
    """Ctrl-C comes with the second piece of the events; it ends the command in one line."""
    shown: list[str] = []

    @contextmanager
    def bar(description):
        shares = iter([0.0])

        def progress(share):
            shown.append(description)
            if next(shares, None) is None:
                raise KeyboardInterrupt

        yield progress

    monkeypatch.setattr("optobind.acquisition.runfile._EVENT_ROWS", 16)
    monkeypatch.setattr("optobind.cli.files.progress_bar", bar)
    monkeypatch.setattr("optobind.cli.fit.progress_bar", bar)
    assert main([*command, str(run)]) == 130
    assert shown == ["reading events"] * 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.strip().splitlines()) <= 1
