"""Redraw docs/images: fits of a demo run, the gallery, and the window where PyQt6 is installed.

Takes about a quarter of an hour on two cores. ``--only forces`` draws one picture: the name of an
example, ``fits`` or ``window``.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from importlib import util
from pathlib import Path

from optobind.acquisition.records.opening import open_record
from optobind.analysis.comparison import compare, predictions
from optobind.analysis.figures import (
    comparison_figure,
    reheating_figure,
    save_figure,
    spectrum_figure,
)
from optobind.analysis.reheating import analyse_reheating
from optobind.analysis.spectrum import analyse_spectrum
from optobind.cli.demo import run_demo, truth_of
from optobind.config.build import build_rig
from optobind.config.load import read_rig

HERE = Path(__file__).resolve().parent


def draw_fits(images: Path, seed: int) -> None:
    """Run the demo and draw its three figures."""
    with tempfile.TemporaryDirectory() as folder:
        report = run_demo(Path(folder) / "demo", seed)
        record = open_record(report.with_name("run.h5"))
        spectrum, reheating = analyse_spectrum(record), analyse_reheating(record)
    rig = build_rig(read_rig("simulated-pair", ["simulation.clock=fast"]))
    assert rig.trap is not None
    fits = {"spectrum": spectrum.result, "reheating": reheating.result}
    compared = compare(fits, truth_of(rig), predictions(rig.trap))
    save_figure(spectrum_figure(spectrum.csd, spectrum.result), images / "spectrum.png")
    save_figure(reheating_figure(reheating.estimate, reheating.result), images / "reheating.png")
    save_figure(comparison_figure(compared), images / "comparison.png")


def examples() -> dict[str, Path]:
    """Scripts of the gallery by name; the quickstart draws no picture of it."""
    found = sorted((HERE / "examples").glob("[a-z]*.py"))
    return {path.stem: path for path in found if path.stem != "quickstart"}


def draw_example(script: Path, folder: Path) -> None:
    """Run an example, as a reader would."""
    subprocess.run([sys.executable, str(script), "--out", str(folder)], check=True)


def draw_window(folder: Path) -> None:
    """Take pictures of the window, if there can be one."""
    if util.find_spec("PyQt6") is None or shutil.which("Xvfb") is None:
        print("PyQt6 or Xvfb is not installed: the pictures of the window stay as they are")
        return
    command = [sys.executable, str(HERE / "make_screenshots.py"), "--out", str(folder)]
    subprocess.run(command, check=True)


def main() -> None:
    """Redraw everything, or one picture."""
    gallery = examples()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=HERE / "images")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=["fits", *gallery, "window"], metavar="NAME")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    if options.only in (None, "fits"):
        draw_fits(options.out, options.seed)
    for name, script in gallery.items():
        if options.only in (None, name):
            draw_example(script, options.out / "gallery")
    if options.only in (None, "window"):
        draw_window(options.out / "window")


if __name__ == "__main__":
    main()
