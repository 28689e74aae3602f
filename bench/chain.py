"""The live chain at 2 channels × 2 MS/s for 20 s: recording, spectra, fits and the window.

The simulated laboratory runs in real time with 2 s of driver buffer, as a card would; the window is
drawn offscreen unless QT_QPA_PLATFORM says otherwise.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from bench.row import Row
from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.session import Session
from optobind.instruments.rig import Rig
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.settings import DetectorSettings, WorldSettings
from optobind.models.array import TrapArray
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer

if TYPE_CHECKING:
    from PyQt6.QtWidgets import QApplication

RATE, SECONDS = 2e6, 20.0


def live_rig() -> Rig:
    """A pair of silica spheres, detectors at 2 MS/s, real-time clock."""
    tweezers = (
        Tweezer((1.275e-6, 0.0, 0.0), 0.28, 0.70e-6, 0.75e-6, 0.4),
        Tweezer((-1.275e-6, 0.0, 0.0), 0.32, 0.70e-6, 0.75e-6, 0.0),
    )
    trap = TrapArray((Sphere(70e-9), Sphere(70e-9)), tweezers, 1064e-9, Gas(1e-6))
    settings = WorldSettings(
        sample_rate=RATE,
        seed=1,
        real_time=True,
        detectors=tuple(DetectorSettings(f"z{j + 1}", j) for j in (0, 1)),
    )
    return build_simulated_rig(trap, settings)


def rows() -> list[Row]:
    """Samples lost, fits per second, frames per second."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from optobind.gui.app import make_application, make_window

    app = make_application()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(live_rig(), run_directory=Path(folder))
        window = make_window(session)
        window.open()
        try:
            return _measure(session, window, app)
        finally:
            window.bridge.stop()
            session.close()
            window.deleteLater()
            app.processEvents()


def paint_counter(app: QApplication) -> dict[Any, int]:
    """Count the paint events of every plot from now on: a tick that draws nothing is no frame."""
    import pyqtgraph as pg
    from PyQt6.QtCore import QEvent, QObject

    class Counter(QObject):
        """Filters nothing, counts."""

        def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:
            """Count a paint event."""
            if event is not None and event.type() == QEvent.Type.Paint and watched in painted:
                painted[watched] += 1
            return False

    views = [w for w in app.allWidgets() if isinstance(w, pg.GraphicsView) and w.isVisible()]
    painted: dict[Any, int] = {view.viewport(): 0 for view in views}
    for viewport in painted:
        viewport.installEventFilter(Counter(viewport))
    return painted


def _measure(session: Session, window: Any, app: QApplication) -> list[Row]:
    def spin(condition: Any) -> None:
        while not condition():
            app.processEvents()
            time.sleep(0.002)

    connected = session.connect()
    spin(connected.done)
    connected.result()
    streaming = session.stream(True)
    spin(streaming.done)
    # Kernels compile and the fit process starts in the background: wait for the first fits.
    deadline = time.monotonic() + 120.0
    spin(
        lambda: (
            time.monotonic() > deadline
            or ((fit := session.fit()) is not None and fit.result is not None)
        )
    )
    cpu, start = time.process_time(), time.monotonic()
    fits, sequence = 0, -1
    skipped = session.status().dropped
    window.bridge.tick_times.clear()
    painted = paint_counter(app)
    run = session.start(MonitorPlan(duration=SECONDS))
    while not run.done():
        app.processEvents()
        time.sleep(0.001)
        fit = session.fit()
        if fit is not None and fit.sequence != sequence:
            sequence = fit.sequence
            fits += fit.result is not None and fit.result.converged
    elapsed = time.monotonic() - start
    outcome = run.result()
    lost = outcome.lost_samples + round(RATE * SECONDS) - outcome.samples
    tick = median(window.bridge.tick_times) * 1e3
    share = (time.process_time() - cpu) / elapsed
    dropped = max(0, session.status().dropped - skipped)
    detail = f"{outcome.samples} samples in {elapsed:.1f} s, {share:.0%} of a core without the fits"
    plots = sorted((count / elapsed for count in painted.values() if count), reverse=True)
    frames = f"plots painted at {', '.join(f'{p:.0f}' for p in plots)} per s; tick {tick:.1f} ms"
    return [
        Row("live chain, samples lost in 20 s", float(lost), 0.0, detail, at_most=True),
        Row("live chain, fits per second", fits / elapsed, 10.0, f"{dropped} blocks skipped"),
        Row("live chain, frames per second", max(plots, default=0.0), 20.0, frames),
    ]
