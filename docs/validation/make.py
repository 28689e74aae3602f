"""Measure what the fits are worth and write docs/validation.md with its picture.

``python docs/validation/make.py`` takes about half an hour on one core; sets that are done are kept
in the work folder, and more of them go on there. ``--sets 6 --draws 20`` tries the road in minutes.
"""

from __future__ import annotations

import argparse
import csv
import math
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peers import PEERS, estimates
from sets import bound, drawn_line, line_set, line_truth, pair_set, release_set

import optobind as ob
from optobind.analysis.batch.run import run_batch
from optobind.analysis.batch.studies import study_tasks
from optobind.analysis.planning import pair_values
from optobind.models.inference.digits import measured
from optobind.models.inference.planning.forecast import exact_error
from optobind.models.inference.spectral.windows import information_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
RATE, SEGMENT = 2.5e5, 2048
LINE, PAIR = ("omega", "gamma", "D", "noise"), ("omega_1", "g_r", "g_a", "D11", "re_D12", "noise_1")
# Lines: widths in bins, peak over floor, segments, window.
LINES = [
    (0.3, 100.0, 64, "hann"), (1.0, 30.0, 64, "hann"), (3.0, 30.0, 64, "hann"),
    (10.0, 30.0, 64, "hann"), (30.0, 30.0, 64, "hann"), (3.0, 30.0, 8, "hann"),
    (3.0, 1.0, 64, "hann"), (30.0, 0.5, 64, "hann"), (3.0, 1000.0, 64, "hann"),
    (1.0, 30.0, 64, "boxcar"), (10.0, 30.0, 64, "boxcar"),
]  # fmt: skip
# Lines of the picture, whatever their width.
DRAWN = ((30.0, 64, "hann"), (100.0, 64, "hann"))
# Pairs: g_r, g_a, difference of the lines, peak over floor; Hz.
PAIRS = {
    "reciprocal": (200.0, 0.0, 400.0, 100.0),
    "non-reciprocal": (200.0, 60.0, 400.0, 100.0),
    "unidirectional": (150.0, 150.0, 400.0, 100.0),
    "antireciprocal": (0.0, 60.0, 400.0, 100.0),
    "2 % beside an exceptional point": (0.0, 120.0, 244.8, 100.0),
    "broken": (0.0, 120.0, 100.0, 100.0),
    "noise as high as the peaks": (200.0, 60.0, 400.0, 1.0),
}
RELEASES, RELEASED = 82, ("re_D12", "D11", "g_a")


class Study:
    """Rows of many sets of one kind."""

    def __init__(self, rows: list[dict[str, str]], failed: int) -> None:
        self._rows, self.failed = rows, failed

    def column(self, name: str, estimator: str, what: str) -> NDArray[np.float64]:
        """Values of a column, nan where a set has none."""
        key = f"{name}/{estimator}/{what}"
        return np.array([float(row.get(key) or "nan") for row in self._rows])

    def pulls(self, name: str, estimator: str, truth: float) -> NDArray[np.float64]:
        """(value − truth)/error of the sets that give them."""
        value, error = (self.column(name, estimator, w) for w in ("value", "error"))
        with np.errstate(invalid="ignore", divide="ignore"):
            pulls = (value - truth) / error
        return pulls[np.isfinite(pulls)]


def study(
    work: Path, name: str, make: Callable[..., Any], sets: int, arguments: Mapping[str, Any],
    jobs: int,
) -> Study:  # fmt: skip
    """Carry out the sets that are missing and read their table."""
    table = work / f"{name}.csv"
    outcome = run_batch(study_tasks(make, sets, 20, arguments), table, jobs=jobs)
    print(f"{name}: {outcome.counts['ok']} of {sets} sets", flush=True)
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["status"] == "ok"]
    return Study(rows, sets - outcome.counts["ok"])


def share(inside: NDArray[np.bool_]) -> str:
    """Share in per cent with its standard error."""
    if not len(inside):
        return "–"
    p, n = float(inside.mean()), len(inside)
    return f"{100 * p:.1f} ± {100 * math.sqrt(max(p * (1 - p), 0.25 / n) / n):.1f}"


def normal(pulls: NDArray[np.float64]) -> str:
    """Mean and width of pulls; those beyond ±10 count as 10."""
    pulls = np.clip(pulls, -10.0, 10.0)
    return f"{pulls.mean():+.2f} / {pulls.std():.2f}" if len(pulls) else "–"


def error_of_median(values: NDArray[np.float64]) -> float:
    """Standard error of a median, by the quartiles: some estimators run away at times."""
    low, high = np.percentile(values, (25.0, 75.0))
    return float(1.2533 * 0.7413 * (high - low) / math.sqrt(len(values)))


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table of Markdown."""
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return "\n".join(lines) + "\n"


def lines_section(work: Path, sets: int, jobs: int) -> tuple[str, dict[str, list[float]]]:
    """One line: bias, pulls and efficiency over widths, noise, averages and windows."""
    rows, biases = [], {name: [] for name in ("optobind", *PEERS)}
    for bins, ratio, segments, window in LINES:
        truth = line_truth(bins, ratio, SEGMENT, RATE, 60e3)
        samples = segments * SEGMENT // (2 if window == "hann" else 1)
        least = bound(truth, samples, RATE)
        key = f"line-{bins:g}-{ratio:g}-{segments}-{window}"
        setup = {"truth": truth, "samples": samples, "sample_rate": RATE, "segment": SEGMENT,
                 "window": window}  # fmt: skip
        found = study(work, key, line_set, sets, setup, jobs)
        for estimator in ("optobind", *PEERS):
            value = found.column("D", estimator, "value")
            value = value[np.isfinite(value)]
            relative = value / truth["D"] - 1.0
            ours = estimator == "optobind"
            roots = (
                found.column("D", estimator, "root")
                if ours
                else -found.pulls("D", estimator, truth["D"])
            )
            efficiency = (least["D"] / value.std()) ** 2 if ours else math.nan
            rows.append(
                [
                    f"{bins:g}, {ratio:g}, {segments}, {window}" if ours else "",
                    estimator,
                    f"{100 * np.median(relative):+.1f} ± {100 * error_of_median(relative):.1f}",
                    normal(roots),
                    share(np.abs(roots) < 1.0),
                    share(np.abs(roots) < 1.96),
                    f"{efficiency:.2f}" if ours else "",
                ]
            )
            if (ratio, segments, window) in DRAWN:
                biases[estimator].append(100.0 * float(np.median(relative)))
    head = ["width in bins, peak/floor, segments, window", "estimator", "median of D less truth, %",
            "pulls of D, mean / width", "within 68 %", "within 95 %", "efficiency"]  # fmt: skip
    return table(head, rows), biases


def pair_truth(g_r: float, g_a: float, apart: float, ratio: float) -> dict[str, float]:
    """A pair of lines at 60 kHz, 300 Hz wide."""
    turn, gamma, diffusion = 2.0 * math.pi, 2.0 * math.pi * 300.0, 18850.0
    noise = 4.0 * diffusion / gamma**2 / ratio
    return {
        "omega_1": turn * 60e3, "omega_2": turn * (60e3 + apart), "gamma_1": gamma,
        "gamma_2": gamma, "g_r": turn * g_r, "g_a": turn * g_a, "D11": diffusion,
        "D22": diffusion, "re_D12": 0.2 * diffusion, "noise_1": noise, "noise_2": noise,
    }  # fmt: skip


def pairs_section(work: Path, sets: int, jobs: int) -> str:
    """Pairs in every regime: Wald pulls, signed roots, coverage, efficiency."""
    rows = []
    for number, (regime, setting) in enumerate(PAIRS.items()):
        truth, samples = pair_truth(*setting), 1 << 17
        least = bound(truth, samples, 5e5)
        setup = {"truth": truth, "samples": samples, "sample_rate": 5e5, "segment": 4096,
                 "names": PAIR}  # fmt: skip
        found = study(work, f"pair-{number}", pair_set, sets, setup, jobs)
        for name in PAIR:
            roots = found.column(name, "optobind", "root")
            roots = roots[np.isfinite(roots)]
            scatter = found.column(name, "optobind", "value").std()
            rows.append(
                [
                    regime if name == PAIR[0] else "",
                    f"`{name}`",
                    normal(found.pulls(name, "optobind", truth[name])),
                    normal(-roots),
                    share(np.abs(roots) < 1.0),
                    share(np.abs(roots) < 1.96),
                    f"{(least[name] / scatter) ** 2:.2f}",
                ]
            )
    head = ["regime", "parameter", "pulls (value ± error)", "signed roots", "within 68 %",
            "within 95 %", "efficiency"]  # fmt: skip
    return table(head, rows)


def releases_section(work: Path, sets: int, jobs: int) -> str:
    """The three estimators of releases on the shipped rig."""
    truth, _ = pair_values(ob.load_trap("simulated-pair"), 0.3, None)
    setup = {"truth": truth, "repetitions": RELEASES, "samples": 2000, "sample_rate": 2e6,
             "names": RELEASED}  # fmt: skip
    found = study(work, "releases", release_set, sets, setup, jobs)
    rows = []
    for name in RELEASED:
        least = exact_error(truth, name, 1e-3, 2e6) / math.sqrt(RELEASES)
        for estimator in ("exact", "transitions", "curves"):
            value, error = (found.column(name, estimator, w) for w in ("value", "error"))
            pulls = found.pulls(name, estimator, truth[name])
            needed = RELEASES * (5.0 * value.std() / abs(truth[name])) ** 2
            rows.append(
                [
                    f"`{name}`" if estimator == "exact" else "",
                    estimator,
                    f"{value.std() / least:.2f}",
                    f"{float(np.median(error)) / least:.2f}",
                    normal(pulls),
                    share(np.abs(pulls) < 1.0),
                    share(np.abs(pulls) < 1.96),
                    f"{needed:.0f}" if name == "re_D12" else "",
                ]
            )
    head = ["parameter", "estimator", "scatter over bound", "stated error over bound", "pulls",
            "within 68 %", "within 95 %", "releases for 5σ"]  # fmt: skip
    return table(head, rows)


def calibration_section(work: Path, draws: int, jobs: int) -> str:
    """Coverage over lines drawn at random."""
    found = study(
        work, "calibration", drawn_line, draws, {"samples": 1 << 16, "sample_rate": RATE}, jobs
    )
    rows = []
    for name in LINE:
        roots = found.column(name, "optobind", "root")
        roots = roots[np.isfinite(roots)]
        rows.append(
            [f"`{name}`", f"{len(roots)}", normal(-roots), share(np.abs(roots) < 1.0),
             share(np.abs(roots) < 1.96)]
        )  # fmt: skip
    return table(["parameter", "draws", "signed roots", "within 68.3 %", "within 95 %"], rows)


def real_section() -> str:
    """The record of a nanosphere that the tests carry."""
    with ob.open_record(ROOT / "tests" / "data" / "levitated_nanosphere_lecroy.raw") as record:
        analysis = ob.analyse_spectrum(record, model="single")
    result, csd = analysis.result, analysis.csd
    found = {"optobind": {n: (result.value(n), result.stderr(n)) for n in LINE}}
    found |= estimates(csd, ob.choose_band(csd), information_of(csd).independent)
    turn = 2.0 * math.pi
    rows = [
        [name, *(measured(e[n][0] / turn, e[n][1] / turn) for n in ("omega", "gamma")),
         measured(*e["D"])]
        for name, e in found.items()
    ]  # fmt: skip
    unit = f"D, {record.unit}²/s"
    return table(["estimator", "ω/2π, Hz", "γ/2π, Hz", unit], rows)


def picture(biases: Mapping[str, list[float]], path: Path) -> None:
    """Bias of D over the width of the line, for all estimators."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.0, 3.4), layout="constrained")
    axes = figure.add_subplot()
    widths = [line[0] for line in LINES if line[1:] in DRAWN]
    colours = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
    marks = ("o-", "s--", "^:", "D-.")
    for (name, bias), colour, mark in zip(biases.items(), colours, marks, strict=True):
        axes.plot(widths, bias, mark, color=colour, label=name)
    axes.axhline(0.0, color="0.6", linewidth=0.8)
    axes.set(xscale="log", yscale="symlog", xlabel="width of the line in bins",
             ylabel="median of D less truth, %")  # fmt: skip
    axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    """Carry out the studies and write the document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=200, help="of each point")
    parser.add_argument("--draws", type=int, default=3000, help="of the calibration")
    parser.add_argument("--jobs", type=int, default=1, help="processes; 0 works in this one")
    parser.add_argument("--work", type=Path, help="folder of tables; another call goes on there")
    parser.add_argument("--out", type=Path, default=HERE.parent, help="folder of the document")
    options = parser.parse_args()
    work = options.work or Path(tempfile.mkdtemp(prefix="validation-"))
    work.mkdir(parents=True, exist_ok=True)
    lines, biases = lines_section(work, options.sets, options.jobs)
    text = (HERE / "frame.md").read_text(encoding="utf-8").format(
        sets=options.sets,
        mean=f"{1.0 / math.sqrt(options.sets):.2f}",
        width=f"{1.0 / math.sqrt(2.0 * options.sets):.3f}",
        lines=lines,
        pairs=pairs_section(work, options.sets, options.jobs),
        releases=releases_section(work, max(options.sets // 2, 2), options.jobs),
        calibration=calibration_section(work, options.draws, options.jobs),
        real=real_section(),
        count=RELEASES,
        version=ob.__version__,
    )  # fmt: skip
    picture(biases, options.out / "images" / "validation.png")
    (options.out / "validation.md").write_text(text, encoding="utf-8")
    print(options.out / "validation.md")


if __name__ == "__main__":
    main()
