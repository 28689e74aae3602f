"""The live chain at 2 channels × 2 MS/s for 20 s: recording, spectra, fits and the window.

The simulated laboratory runs in real time with 2 s of driver buffer, as a card would; the window is
drawn offscreen unless QT_QPA_PLATFORM says otherwise.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
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


def live_rig(sample_rate: float = RATE) -> Rig:
    """A pair of silica spheres, two detectors, real-time clock."""
    tweezers = (
        Tweezer((1.275e-6, 0.0, 0.0), 0.28, 0.70e-6, 0.75e-6, 0.4),
        Tweezer((-1.275e-6, 0.0, 0.0), 0.32, 0.70e-6, 0.75e-6, 0.0),
    )
    trap = TrapArray((Sphere(70e-9), Sphere(70e-9)), tweezers, 1064e-9, Gas(1e-6))
    settings = WorldSettings(
        sample_rate=sample_rate,
        seed=1,
        real_time=True,
        detectors=tuple(DetectorSettings(f"z{j + 1}", j) for j in (0, 1)),
    )
    return build_simulated_rig(trap, settings)


def rows() -> list[Row]:
    """Samples lost, fits per second, frames per second."""
    seen = watched(live_rig(), SECONDS)
    detail = f"{seen.samples} samples in {seen.elapsed:.1f} s, {seen.share:.0%} of a core"
    return [
        Row(
            "live chain, samples lost in 20 s", float(seen.lost), 0.0,
            f"{detail} without the fits", at_most=True,
        ),
        Row("live chain, fits per second", seen.fits, 10.0, f"{seen.skipped} blocks skipped"),
        Row("live chain, frames per second", seen.frames, 20.0, seen.painting),
    ]  # fmt: skip


@dataclass(frozen=True)
class Chain:
    """What was seen of a run with recording, spectra, fits and the window.

    Attributes
    ----------
    samples, lost : int
        Recorded, and not recorded, of each channel.
    elapsed : float
        Of the run, s.
    share : float
        CPU time of this process over that.
    fits, frames : float
        Converged fits and paints of the fastest plot, 1/s.
    skipped : int
        Blocks that the live display left out.
    painting : str
        Rates of all plots, and the tick.
    memory : tuple of (float, float)
        s since the start and resident MB of the window's process, now and then.
    """

    samples: int
    lost: int
    elapsed: float
    share: float
    fits: float
    frames: float
    skipped: int
    painting: str
    memory: tuple[tuple[float, float], ...]


def watched(rig: Rig, seconds: float, every: float = 10.0) -> Chain:
    """Record a rig for so long with the window open; look at the memory every so many seconds."""
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    from optobind.gui.app import make_application, make_window

    app = make_application()
    with tempfile.TemporaryDirectory() as folder:
        session = Session(rig, run_directory=Path(folder))
        window = make_window(session)
        window.open()
        try:
            return _measure(session, window, app, seconds, every)
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


def _measure(
    session: Session, window: Any, app: QApplication, seconds: float, every: float
) -> Chain:
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
    memory: list[tuple[float, float]] = []
    run = session.start(MonitorPlan(duration=seconds))
    while not run.done():
        app.processEvents()
        time.sleep(0.001)
        fit = session.fit()
        if fit is not None and fit.sequence != sequence:
            sequence = fit.sequence
            fits += fit.result is not None and fit.result.converged
        if time.monotonic() - start >= every * len(memory):
            memory.append((time.monotonic() - start, resident()))
    elapsed = time.monotonic() - start
    outcome = run.result()
    assert session.rig.digitizer is not None
    planned = round(session.rig.digitizer.info.sample_rate * seconds)
    tick = median(window.bridge.tick_times) * 1e3
    plots = sorted((count / elapsed for count in painted.values() if count), reverse=True)
    rates = ", ".join(f"{p:.0f}" for p in plots)
    return Chain(
        samples=outcome.samples,
        lost=outcome.lost_samples + max(0, planned - outcome.samples),
        elapsed=elapsed,
        share=(time.process_time() - cpu) / elapsed,
        fits=fits / elapsed,
        frames=max(plots, default=0.0),
        skipped=max(0, session.status().dropped - skipped),
        painting=f"plots painted at {rates} per s; tick {tick:.1f} ms",
        memory=tuple(memory),
    )


def resident() -> float:
    """Memory of this process, MB."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return float(line.split()[1]) / 1024.0
    return 0.0
