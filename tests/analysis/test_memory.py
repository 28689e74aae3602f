"""Memory does not grow with the length of a run: peaks of processes of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from optobind.__main__ import main

from .tiled import tile_run

MB = 1 << 20
GB = 10**9
PEAK = 800 * MB
"""No command may need more, whatever it reads."""

_PROBE = """
import json, resource, sys
from optobind.__main__ import main
from optobind.acquisition import runfile_checks
# A long file is a view of a short one, which no other run file may be.
runfile_checks.check_plain = lambda *_: None
code = main(sys.argv[1:])
if sys.platform == "linux":
    # ru_maxrss begins with what the process of the tests held when it made this one.
    with open("/proc/self/status") as status:
        peak = next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))
else:
    unit = 1 if sys.platform == "darwin" else 1024
    peak = unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
sys.stderr.write(f"\\npeak {peak}\\n")
sys.exit(code)
"""

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="peaks are counted by POSIX")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibrated run of the simulated pair: a monitor step, then releases of a millisecond."""
    folder = tmp_path_factory.mktemp("run")
    settings = ["plan.steps.0.duration=2 s", "plan.steps.1.repetitions=400"]
    settings += ["plan.steps.1.release_time=1 ms", "plan.steps.1.cool_time=1 ms"]
    settings += ["simulation.clock=fast", "plan.steps.1.timing=software"]  # without a seam
    arguments = [x for setting in settings for x in ("--set", setting)]
    assert main(["run", "demo", "--rig", "simulated-pair", "--out", str(folder), *arguments]) == 0
    return folder / "run.h5"


def peak_of(*arguments: str | Path) -> tuple[int, dict]:
    """Peak of memory (bytes) of a command in a process of its own, and its answer."""
    command = [sys.executable, "-c", _PROBE, *map(str, arguments), "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, encoding="utf-8", env=os.environ, timeout=1700
    )
    assert done.returncode == 0, done.stderr
    return int(done.stderr.rsplit("peak ", 1)[1]), json.loads(done.stdout)


@pytest.mark.parametrize("gap", [pytest.param(0, marks=pytest.mark.slow), 100])
def test_what_is_known_of_a_run_takes_no_more_room_for_a_quarter_million_events(
    run: Path, tmp_path: Path, gap: int
) -> None:
    """Decoded at once, 64 000 releases with 256 000 events take hundreds of megabytes."""
    peaks = []
    for size in (13 * MB, 1 * GB):
        samples = tile_run(run, tmp_path / "long.h5", size, "reheating", gap=gap)
        peak, info = peak_of("info", tmp_path / "long.h5")
        peaks.append(peak)
        assert info["samples"] == samples
        assert info["releases"]["usable"] == samples // 4000
        assert info["events"]["release"] == samples // 4000
        assert (info["gaps"] > 0) == (gap > 0)
    assert info["events"]["release"] > 60_000
    assert peaks[1] < peaks[0] + 80 * MB


@pytest.mark.slow
def test_spectra_of_a_long_record_need_no_more_memory_than_those_of_a_short_one(
    run: Path, tmp_path: Path
) -> None:
    peaks = []
    for size in (32 * MB, 256 * MB):
        tile_run(run, tmp_path / "long.h5", size, "monitor")
        peaks.append(peak_of("fit", "spectrum", tmp_path / "long.h5", "--segment", "16384")[0])
    assert peaks[1] < peaks[0] + 60 * MB


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["spectrum", "reheating"])
def test_a_fit_needs_as_much_memory_for_long_runs_as_for_short_ones(
    run: Path, tmp_path: Path, kind: str
) -> None:
    step = "monitor" if kind == "spectrum" else "reheating"
    peaks, fits = [], []
    for size in (100 * MB, 2 * GB):
        tile_run(run, tmp_path / "long.h5", size, step)
        peak, answer = peak_of("fit", kind, tmp_path / "long.h5")
        peaks.append(peak)
        fits.append(answer["parameters"]["D11"])
    assert peaks[1] < 1.25 * peaks[0]
    assert peaks[1] < PEAK
    # The same samples again and again count once.
    assert fits[1]["value"] == pytest.approx(fits[0]["value"], rel=0.02)
    assert fits[1]["stderr"] == pytest.approx(fits[0]["stderr"], rel=0.1)


@pytest.mark.slow
@pytest.mark.skipif(
    "OPTOBIND_20GB" not in os.environ, reason="takes half an hour: set OPTOBIND_20GB=1 to run it"
)
@pytest.mark.parametrize("kind", ["spectrum", "reheating"])
def test_a_run_of_20_gigabytes_is_fitted_in_bounded_memory(
    run: Path, tmp_path: Path, kind: str
) -> None:
    step = "monitor" if kind == "spectrum" else "reheating"
    path = tmp_path / "long.h5"
    try:
        samples = tile_run(run, path, 20 * GB, step)
        assert samples >= 5_000_000_000
        peak, answer = peak_of("fit", kind, path)
    finally:
        path.unlink(missing_ok=True)
    assert peak < PEAK
    assert answer["parameters"]["D11"]["stderr"] > 0.0
    if kind == "reheating":
        assert answer["statistics"]["repetitions"] == samples // 4000
