"""An update of the waterfall: a spectrum of 8192 bins kept, a row made, the picture painted."""

from __future__ import annotations

import os
from dataclasses import replace
from statistics import median

import numpy as np

from bench.row import Row, cpu_seconds
from optobind.acquisition.snapshots import SpectrumSnapshot
from optobind.models.spectra import CsdEstimate

BINS, RATE, COLUMNS, FRAMES = 8192, 2e6, 1000, 20
BUDGET = 8e-3  # s of an update at 10 Hz


def spectrum() -> SpectrumSnapshot:
    """Spectra of two channels: noise of a few averages."""
    rng = np.random.default_rng(1)
    root = rng.normal(size=(BINS + 1, 2, 8)) + 1j * rng.normal(size=(BINS + 1, 2, 8))
    matrix = root @ root.conj().swapaxes(1, 2)
    f = np.arange(BINS + 1) * 0.5 * RATE / BINS
    csd = CsdEstimate(f, matrix, 8, np.hanning(2 * BINS), BINS, RATE, "m", 8.0, 0, 2 * BINS)
    return SpectrumSnapshot(1, csd, ("z1", "z2"))


def rows() -> list[Row]:
    """CPU time of an update over its budget."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from optobind.gui.app import make_application
    from optobind.gui.panels.waterfall_plot import WaterfallPlot, colours
    from optobind.gui.theme import DARK
    from optobind.gui.viewmodels.waterfall import WaterfallModel
    from optobind.gui.viewmodels.waterfall_store import WaterfallStore

    app = make_application()
    newest, store, plot = spectrum(), WaterfallStore(), WaterfallPlot()
    model = WaterfallModel(store)
    plot.image.setLookupTable(colours(DARK, cyclic=False))
    plot.resize(COLUMNS, 400)
    plot.box.setRange(xRange=(4.0, 5.7), yRange=(-60.0, 0.0), padding=0.0)
    plot.show()
    now = 1000.0

    def update() -> None:
        nonlocal now
        for _ in range(FRAMES):
            now += 0.1
            store.add(replace(newest, sequence=round(10 * now)), now, now)
            model.look(*plot.x_range, COLUMNS)
            while model.update() or model.pending:
                pass
            plot.show_picture(model.shades())
            plot.place(plot.x_range, model.extent(now))
            plot.grab()

    for _ in range(30):  # the ring is full
        update()
    own = median(cpu_seconds(update) for _ in range(9)) / FRAMES
    app.processEvents()
    detail = f"{own * 1e3:.2g} ms of CPU an update: kept, coloured, painted at {COLUMNS} columns"
    return [Row("waterfall, share of its 8 ms", own / BUDGET, 1.0, detail, at_most=True)]
