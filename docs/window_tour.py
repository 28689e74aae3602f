"""Ten screens of the window, reached with mouse and keys; each is pictured and looked at.

Run by ``make_screenshots.py`` on an X server that is as large as the screen. Prints the faults of
structure by screen as JSON on its last line.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
sys.path.insert(0, str(Path(__file__).resolve().parent))

from PyQt6.QtCore import QPoint, QPointF, QSettings, Qt
from window_hands import RIGHT, Hands, wait

from optobind.acquisition.plans import MonitorPlan, ReheatingPlan, SequencePlan
from optobind.acquisition.session import Session
from optobind.cli.window import window_services
from optobind.cli.window_runs import run_services
from optobind.config.build import build_rig
from optobind.config.load import read_rig
from optobind.gui.app import make_application
from optobind.gui.records import OPEN
from optobind.gui.structure import faults_of
from optobind.gui.theme import theme_named
from optobind.gui.window import MainWindow
from optobind.models.errors import DeviceError

# In real time and not too many samples: what is left of the computer is for the fits.
SETTINGS = ["simulation.clock=real-time", "devices.digitizer.sample_rate=250 kHz"]
KEY = Qt.Key
CONTROL = Qt.KeyboardModifier.ControlModifier


class Tour:
    """A laboratory, its window, and hands on it.

    Parameters
    ----------
    folder : Path
        Of the runs.
    out : Path
        Of the pictures.
    theme : str
        "dark" or "light".
    """

    def __init__(self, folder: Path, out: Path, theme: str) -> None:
        self.app = make_application()
        self.out, self.faults = out, {}
        os.chdir(folder)  # pictures show the paths of runs: short ones
        self.session = Session(
            build_rig(read_rig("simulated-pair", SETTINGS)), run_directory=Path("runs")
        )
        settings = QSettings(str(folder / "settings.ini"), QSettings.Format.IniFormat)
        services = window_services(run_services(self.session))
        self.window = MainWindow(self.session, settings, theme_named(theme), services)
        screen = self.window.screen().availableGeometry()
        self.tag = str(round(screen.width() * self.window.screen().devicePixelRatio()))
        self.window.setGeometry(screen)
        self.window.open()
        self.hands = Hands(self.window)
        wait(1.0)
        self.window.activateWindow()  # there is no window manager that would
        wait(10.0, self.window.isActiveWindow, "the focus")

    def panel(self, name: str) -> Any:
        """A panel by its name."""
        return self.window.panels[name]

    def front(self, name: str) -> None:
        """Bring a dock to the front."""
        self.hands.raise_tab(self.window.docks[name])
        wait(0.5)

    def state(self) -> str:
        """What the session does."""
        return str(self.session.status().state)

    def look(self, number: int, name: str, window: Any = None) -> None:
        """Take the picture of the screen, and look for what is cut or overlaps."""
        window = window or self.window
        wait(0.4)
        screen = window.screen()
        path = self.out / f"{number:02}-{name}-{self.tag}.png"
        if not screen.grabWindow(0).save(str(path)):
            sys.exit(f"cannot write {path}")
        # What is being laid out anew at this moment lies over its neighbour for a moment.
        looks = [set(faults_of(window))]
        for _ in range(2):
            wait(0.25)
            looks.append(set(faults_of(window)))
        self.faults[f"{number} {name}"] = sorted(set.intersection(*looks))

    def close(self) -> None:
        """Close the windows and the session."""
        for window in (*OPEN, self.window):
            window.closer.done = True
            window.close()
        self.session.close()
        self.app.processEvents()


# -- the screens ----------------------------------------------------------------------------------


def fitted(tour: Tour) -> bool:
    """Whether there is a fit of what is measured now."""
    fit = tour.session.fit()
    return fit is not None and fit.result is not None and tour.window.bridge.standing.holds


def align(tour: Tour) -> None:
    """Connect and stream; look at traces, lines, and rms."""
    hands = tour.hands
    hands.click(tour.panel("rig").connect_button)
    wait(60.0, lambda: tour.panel("rig").stream_button.isEnabled(), "connecting")
    hands.key(KEY.Key_F5)
    wait(60.0, lambda: tour.session.spectrum() is not None, "a spectrum")
    wait(60.0, lambda: fitted(tour), "a fit")
    hands.click(tour.window.spectra.tools.peaks)
    hands.click(tour.panel("traces").triggering)
    wait(4.0)
    tour.look(1, "align")
    hands.click(tour.window.spectra.tools.peaks)
    hands.click(tour.panel("traces").triggering)


def line_place(tour: Tour) -> QPoint:
    """Where the higher line is on the screen, in the plot of the densities."""
    plot = tour.window.spectra.plots.top
    values = tour.session.fit().result.parameters
    place = math.log10(values["omega_1"].value / math.tau)
    _, (low, high) = plot.box.viewRange()
    return plot.mapFromScene(plot.box.mapViewToScene(QPointF(place, 0.5 * (low + high))))


def fit_spectrum(tour: Tour) -> None:
    """Click a line, F fits it; show how far the spectra are off."""
    hands, spectra = tour.hands, tour.window.spectra
    hands.click(spectra.plots.top.viewport(), line_place(tour))
    wait(5.0, lambda: spectra.model.peak is not None, "a picked line")
    hands.key(KEY.Key_F)
    wait(5.0, lambda: spectra.model.band is not None, "a band")
    hands.key(KEY.Key_A)
    hands.click(spectra.pulls_button)
    wait(60.0, lambda: fitted(tour), "a fit")
    wait(6.0)
    tour.look(2, "spectrum-fit")


def drag_phi(tour: Tour) -> None:
    """Drag φ, keep the button down, and take it back with Esc: nothing is sent."""
    hands, slider = tour.hands, tour.panel("light").rows["phi"].slider
    before = tour.session.light().requested
    y = slider.height() // 2
    start = QPoint(round(slider.position(before.relative_phase)), y)
    end = QPoint(round(slider.position(1.3)), y)
    hands.press(slider, start)
    hands.move(slider, start, end)
    wait(10.0, lambda: tour.panel("light").ghost_text()[0] != "", "a prediction")
    wait(2.0)
    tour.look(3, "phi-drag")
    hands.key(KEY.Key_Escape)
    hands.release(slider, end)
    wait(1.0)
    if tour.session.light().requested != before:
        tour.faults["3 phi-drag"].append("Esc did not take the drag back")


def reheating(tour: Tour) -> None:
    """A run of releases, of which one is left out with its reason."""
    hands, run, panel = tour.hands, tour.panel("run"), tour.panel("reheating")
    hands.key(KEY.Key_3, CONTROL)
    wait(1.0)
    hands.choose(run.kind, "reheating")
    hands.type_into(run.edits["repetitions"], "5000")
    hands.key(KEY.Key_F9)
    wait(120.0, lambda: tour.session.reheating() and panel.done >= 60, "releases")
    hands.key(KEY.Key_F7)
    wait(20.0, lambda: tour.state() == "paused", "a pause")
    wait(2.0)
    exclude_one(tour)
    wait(20.0, lambda: bool(panel.by_hand), "an exclusion")
    wait(60.0, lambda: refitted(tour), "a fit without it")
    wait(1.0)
    tour.look(4, "reheating-exclusion")
    hands.key(KEY.Key_F8)
    wait(60.0, lambda: tour.state() == "idle", "the end of the run")


def refitted(tour: Tour) -> bool:
    """Whether the fit of the releases is of those that are used."""
    now = tour.session.reheating()
    if now is None or now.estimate is None or now.result is None:
        return False
    return bool(now.result.input.get("repetitions") == now.estimate.repetitions)


def exclude_one(tour: Tour) -> None:
    """Click the newest repetition with the right button where it is highest."""
    panel = tour.panel("reheating")
    curve = panel.shown_singles[-1].curves[0]
    box = panel.top.box
    (_, right), (_, high) = box.viewRange()
    inside = [
        k for k in range(len(curve.y)) if curve.y[k] < 0.9 * high and 1e6 * curve.x[k] < right
    ]
    k = max(inside, key=lambda i: curve.y[i])
    scene = box.mapViewToScene(QPointF(1e6 * curve.x[k], curve.y[k]))
    tour.hands.answer("hit by a flash")
    tour.hands.click(panel.top.viewport(), panel.top.mapFromScene(scene), RIGHT)


def fault(tour: Tour) -> None:
    """The link of the digitizer breaks while a run is recorded."""
    hands, run, digitizer = tour.hands, tour.panel("run"), tour.session.rig.digitizer
    hands.key(KEY.Key_1, CONTROL)
    wait(1.0)
    hands.choose(run.kind, "monitor")
    hands.type_into(run.edits["duration"], "60 s")
    hands.key(KEY.Key_F9)
    wait(60.0, lambda: tour.state() == "running", "a run")
    wait(3.0)
    whole = digitizer.read_into

    def broken(buffer: Any) -> Any:
        raise DeviceError("digitizer: no answer for 2 s; look at its cable, then connect again")

    digitizer.read_into = broken
    wait(60.0, lambda: tour.state() in ("idle", "failed"), "the end of the run")
    wait(3.0)
    tour.look(5, "fault")
    digitizer.read_into = whole


def queue_and_sweep(tour: Tour) -> None:
    """A queue with a sweep in it; the sweep on the phase diagram while it goes on."""
    hands, queue = tour.hands, tour.panel("queue")
    hands.key(KEY.Key_3, CONTROL)
    wait(1.0)
    tour.front("queue")
    for kind in ("sweep", "reheating", "monitor"):
        hands.choose_menu(queue.tools.add, kind)
        wait(1.0)
    pick(tour, 0)
    fill_sweep(tour)
    hands.see(queue.start_button)
    wait(3.0)
    tour.look(8, "queue")
    hands.click(queue.start_button)
    sweep = tour.panel("sweep")
    wait(120.0, lambda: sweep.work is not None and len(sweep.work.rows) >= 4, "four points")
    tour.front("phases")
    wait(60.0, lambda: tour.panel("phases").map is not None, "a map")
    wait(3.0)
    tour.look(6, "sweep-phase-diagram")
    tour.front("queue")
    hands.click(queue.finish_button)
    hands.key(KEY.Key_F8)
    wait(120.0, lambda: tour.state() == "idle" and not queue.runner.active, "the end of the queue")


def pick(tour: Tour, row: int) -> None:
    """Click an entry of the queue."""
    entries = tour.panel("queue").list
    rect = entries.visualItemRect(entries.item(row))
    tour.hands.click(entries.viewport(), rect.center())
    wait(0.5)


def fill_sweep(tour: Tour) -> None:
    """φ from 0.2 to 0.9 rad in 8 points, half a second each."""
    form = tour.panel("queue").editor.form
    texts = {"start": "0.2 rad", "stop": "0.9 rad", "points": "8", "duration": "0.5 s"}
    for name, text in texts.items():
        path = next((p for p in form.edits if p[-1] == name), None)
        if path is not None:
            tour.hands.type_into(form.edits[path], text)
            wait(0.3)


def record_both(tour: Tour) -> None:
    """A run with a steady part and releases, to be looked at."""
    steps = (MonitorPlan(3.0), ReheatingPlan(80, cool_time=1e-3, release_time=1e-3))
    run = tour.session.start(SequencePlan(steps))
    wait(180.0, run.done, "the end of a run")


def replay(tour: Tour) -> None:
    """Open the run of releases from the list of runs, and fit its releases."""
    hands, runs = tour.hands, tour.panel("runs")
    record_both(tour)
    tour.front("runs")
    wait(60.0, lambda: bool(runs.model.lines), "a list of runs")
    hands.click(runs.filter)
    for letter in "sequence":
        hands.key(letter)
    wait(1.0)
    rect = runs.list.visualItemRect(runs.list.item(0))
    hands.click(runs.list.viewport(), rect.center())
    hands.double_click(runs.list.viewport(), rect.center())
    wait(60.0, lambda: bool(OPEN), "a window of the record")
    window = next(iter(OPEN))
    window.setGeometry(window.screen().availableGeometry())
    own = Hands(window)
    window.activateWindow()
    wait(5.0, window.isActiveWindow)
    panel, session = window.panels["record"], window.session
    wait(90.0, lambda: session.working is None and session.fit() is not None, "a fit")
    own.click(panel.releases)
    wait(300.0, lambda: session.reheating() and session.reheating().result, "a fit of releases")
    wait(3.0)
    tour.look(7, "offline-replay", window)
    window.closer.done = True
    window.close()
    wait(1.0)
    tour.window.activateWindow()
    wait(2.0, tour.window.isActiveWindow)


def calibration(tour: Tour) -> None:
    """Densities in quanta, cursors about the lines: variance and occupation of a band."""
    hands, spectra = tour.hands, tour.window.spectra
    hands.click(spectra.pulls_button)
    if not tour.session.status().streaming:
        hands.key(KEY.Key_F5)
    wait(90.0, lambda: fitted(tour), "a fit")
    hands.choose(spectra.tools.unit, "quanta²/Hz")
    hands.key(KEY.Key_C)
    wait(1.0)
    for edit, text in zip(spectra.cursor_row.edits, ("40 kHz", "70 kHz"), strict=True):
        hands.type_into(edit, text)
    wait(5.0)
    tour.look(9, "calibration")
    hands.key(KEY.Key_C)


def light_theme(tour: Tour) -> None:
    """Stream with light colours; at 150 % there is less room."""
    hands = tour.hands
    tour.front("rig")  # in a low window docks lie behind one another
    hands.click(tour.panel("rig").connect_button)
    wait(60.0, lambda: tour.panel("rig").stream_button.isEnabled(), "connecting")
    hands.key(KEY.Key_F5)
    wait(90.0, lambda: fitted(tour), "a fit")
    wait(8.0)
    tour.front("light")
    tour.look(10, "light-150")


SCREENS: tuple[Callable[[Tour], None], ...] = (
    align,
    fit_spectrum,
    drag_phi,
    reheating,
    replay,
    queue_and_sweep,
    calibration,
    fault,
)


def main() -> None:
    """Go through the screens; exit code 1 where one cannot be reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    parser.add_argument("--only", nargs="*", default=[], help="names of screens, in order")
    options = parser.parse_args()
    out = options.out.resolve()
    screens = (light_theme,) if options.theme == "light" else SCREENS
    if options.only:
        screens = tuple(s for s in screens if s.__name__ in options.only)
    with tempfile.TemporaryDirectory() as folder:
        tour = Tour(Path(folder), out, options.theme)
        try:
            for screen in screens:
                screen(tour)
        finally:
            if sys.exc_info()[0] is not None:
                tour.window.screen().grabWindow(0).save(str(out / "stuck.png"))
            tour.close()
            os.chdir(out)
    print(json.dumps({name: found for name, found in tour.faults.items() if found}))


if __name__ == "__main__":
    main()
