"""Opens the window on a made-up session at a size and a scale; prints its faults as JSON."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

os.environ.pop("QT_QPA_PLATFORM_PLUGIN_PATH", None)
sys.path.insert(0, str(Path(__file__).parent))

from fake_queue import fill
from fake_session import FakeSession
from PyQt6.QtCore import QSettings

from optobind.gui import layout
from optobind.gui.app import make_application
from optobind.gui.structure import faults_of
from optobind.gui.window import MainWindow


def main(screen: str, scale: str) -> dict[str, list[str]]:
    """Faults by preset; an offscreen platform has a screen of its own, so the size is given."""
    width, height = (int(int(n) / float(scale)) for n in screen.split("x"))
    app = make_application()
    session = FakeSession()
    with tempfile.TemporaryDirectory() as folder:
        settings = QSettings(str(Path(folder) / "settings.ini"), QSettings.Format.IniFormat)
        window = MainWindow(session, settings)
        window.resize(width, height)
        window.open()
        window.bridge.stop()
        fill(window)
        found = {name: look(app, session, window, name) for name in layout.PRESETS}
        if (window.width(), window.height()) != (width, height):
            found["size"] = [f"{window.width()} x {window.height()}, not {width} x {height}"]
        window.closer.done = True
        window.close()
    return {name: faults for name, faults in found.items() if faults}


def look(app, session, window, preset: str) -> list[str]:
    """Faults of a preset with every tab of it in front once."""
    window.use_preset(preset)
    session.publish(reheating=40)
    session.predicted = {n: p.value for n, p in session.fit().result.parameters.items()}
    session.say("warning", "digitizer: overflow; 2048 samples lost; close other programs " * 3)
    found: set[str] = set()
    for dock in [d for d in window.docks.values() if not d.isHidden()]:
        dock.raise_()
        for _ in range(2):
            now = window.bridge.clock() + 1.0
            window.bridge.clock = lambda value=now: value
            window.bridge.tick()
            app.processEvents()
        found |= {f for f in faults_of(window) if "leaves the screen" not in f}
    return sorted(found)


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], sys.argv[2]), ensure_ascii=False))
