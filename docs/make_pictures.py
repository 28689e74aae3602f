"""Redraw docs/images: fits of a demo run, and the window where PyQt6 is installed.

Takes about two minutes on two cores.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib import util
from pathlib import Path

from optobind.cli.analysis import analyse_reheating, analyse_spectrum
from optobind.cli.comparison import compare, predictions
from optobind.cli.demo import run_demo, truth_of
from optobind.cli.plots import (
    comparison_figure,
    reheating_figure,
    save_figure,
    spectrum_figure,
)
from optobind.cli.records import open_record
from optobind.config.build import build_rig
from optobind.config.load import load_rig

HERE = Path(__file__).resolve().parent


def draw_fits(images: Path, seed: int) -> None:
    """Run the demo and draw its three figures."""
    with tempfile.TemporaryDirectory() as folder:
        report = run_demo(Path(folder) / "demo", seed)
        record = open_record(report.with_name("run.h5"))
        spectrum, reheating = analyse_spectrum(record), analyse_reheating(record)
    rig = build_rig(load_rig("simulated-pair", ["simulation.clock=fast"]))
    assert rig.trap is not None
    fits = {"spectrum": spectrum.result, "reheating": reheating.result}
    compared = compare(fits, truth_of(rig), predictions(rig.trap))
    save_figure(spectrum_figure(spectrum.csd, spectrum.result), images / "spectrum.png")
    save_figure(reheating_figure(reheating.estimate, reheating.result), images / "reheating.png")
    save_figure(comparison_figure(compared), images / "comparison.png")


def main() -> None:
    """Redraw everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "images")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    draw_fits(options.out, options.seed)
    if util.find_spec("PyQt6") is None:
        print("PyQt6 is not installed: the picture of the window stays as it is")
        return
    window = options.out / "window.png"
    command = [sys.executable, str(HERE / "make_screenshots.py"), "--out", str(window)]
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
