"""Make docs/images/window.png: the window on the simulated pair, streaming, then reheating.

Run without a display: ``QT_QPA_PLATFORM=offscreen python docs/make_screenshots.py``, or under
``xvfb-run``. Takes about a minute on two cores.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)

IMAGES = Path(__file__).resolve().parent / "images"


def wait(seconds: float, until=lambda: False) -> None:
    """Let the window live for a while, or until something holds."""
    from PyQt6.QtTest import QTest

    end = time.monotonic() + seconds
    while time.monotonic() < end and not until():
        QTest.qWait(50)


def picture(window, path: Path) -> None:
    """Save the window."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not window.grab().save(str(path)):
        sys.exit(f"cannot write {path}")
    print(f"{path}: {path.stat().st_size // 1024} KiB")


def start(session, panel, kind: str, **texts: str) -> None:
    """Start a run as a user would, and wait until it runs."""
    panel.kind.setCurrentText(kind)
    for key, text in texts.items():
        panel.edits[key].setText(text)
    wait(3.0, panel.start_button.isEnabled)
    panel.start()
    wait(5.0, lambda: session.status().state == "running")


def main() -> None:
    """Open the window, let it measure, take the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rig", default="simulated-pair")
    parser.add_argument("--set", action="append", default=[], help="change the rig: path=value")
    parser.add_argument("--repetitions", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=40.0, help="of reheating at most")
    parser.add_argument("--theme", default="dark", choices=("dark", "light"))
    parser.add_argument("--size", default="1600x1000")
    parser.add_argument("--out", type=Path, default=IMAGES / "window.png")
    options = parser.parse_args()
    out = options.out.resolve()
    # As fast as possible, not in real time: a busy machine then loses no samples.
    clock = ["simulation.clock=fast"] if options.rig.startswith("simulated") else []

    from PyQt6.QtCore import QSettings

    from optobind.acquisition.session import Session
    from optobind.config.build import build_rig
    from optobind.config.load import read_rig
    from optobind.gui.app import make_application
    from optobind.gui.theme import theme_named
    from optobind.gui.window import MainWindow

    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # the picture shows the run's path: keep it short
        app = make_application()
        session = Session(
            build_rig(read_rig(options.rig, [*clock, *options.set])), run_directory=Path("runs")
        )
        settings = QSettings(str(Path(folder) / "settings.ini"), QSettings.Format.IniFormat)
        window = MainWindow(session, settings, theme_named(options.theme))
        window.resize(*(int(n) for n in options.size.split("x")))
        window.open()
        connected = session.connect()
        wait(30.0, connected.done)
        session.stream(True)
        wait(30.0, lambda: (fit := session.fit()) is not None and fit.result is not None)
        window.spectra.set_band((20e3, 100e3))
        window.spectra.zoom_default()
        window.spectra.pulls_button.setChecked(True)
        wait(12.0)
        session.stream(False)
        panel = window.panels["run"]
        start(session, panel, "reheating", repetitions=str(options.repetitions))
        wait(options.seconds, lambda: session.status().state == "idle")
        session.abort()
        wait(10.0, lambda: session.status().state == "idle")
        start(session, panel, "monitor", duration="")
        wait(12.0)
        picture(window, out)
        session.abort()
        wait(10.0, lambda: session.status().state == "idle")
        window.closer.done = True
        window.close()
        session.close()
        app.processEvents()
        os.chdir(IMAGES)


if __name__ == "__main__":
    main()
