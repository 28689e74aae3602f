"""Redraw docs/images/window: ten screens of the window, at 1920 × 1080 and at 1366 × 768.

Each size gets an X server of its own (Xvfb) on which ``window_tour.py`` works with mouse and keys.
Exit code 1 where something is cut, overlaps or leaves its window. Takes some minutes a size.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

HERE = Path(__file__).resolve().parent
IMAGES = HERE / "images" / "window"
SIZES = ("1920x1080", "1366x768")
_SECONDS = 1500.0
_COLOURS = 96


@contextmanager
def screen(size: str) -> Iterator[str]:
    """An X server with one screen of a size; gives its display.

    Raises
    ------
    SystemExit
        Without Xvfb.
    """
    if shutil.which("Xvfb") is None:
        sys.exit("no Xvfb here: install it, for example with apt-get install xvfb")
    command = ["Xvfb", "-displayfd", "1", "-nolisten", "tcp", "-screen", "0", f"{size}x24"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert server.stdout is not None
    try:
        yield f":{server.stdout.readline().strip()}"
    finally:
        server.terminate()
        server.wait(60.0)
        server.stdout.close()


def tour(display: str, out: Path, *, theme: str, scale: str) -> dict[str, list[str]]:
    """Take the pictures of a display; return the faults by screen.

    Raises
    ------
    RuntimeError
        If a screen could not be reached; what was there then is in ``stuck.png``.
    """
    environment = {
        **os.environ,
        "DISPLAY": display,
        "QT_QPA_PLATFORM": "xcb",
        "QT_SCALE_FACTOR": scale,
    }
    environment.pop("WAYLAND_DISPLAY", None)
    command = [sys.executable, str(HERE / "window_tour.py"), "--out", str(out), "--theme", theme]
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{done.stderr[-2000:]}\nsee {out / 'stuck.png'}")
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


def shrink(path: Path) -> None:
    """Have a picture use few colours: a quarter of the bytes."""
    from PIL import Image

    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


def take(size: str, out: Path) -> dict[str, list[str]]:
    """Take all pictures of a size into a folder; return the faults by screen."""
    with screen(size) as display, TemporaryDirectory() as scratch:
        raw = Path(scratch)
        found = tour(display, raw, theme="dark", scale="1")
        found |= tour(display, raw, theme="light", scale="1.5")
        for path in sorted(raw.glob("*.png")):
            shrink(path)
            shutil.move(str(path), out / path.name)
    return found


def main() -> int:
    """Take the pictures, say what is wrong on them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", action="append", choices=SIZES, default=[])
    parser.add_argument("--out", type=Path, default=IMAGES)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    wrong = {size: take(size, options.out) for size in options.size or SIZES}
    print(json.dumps(wrong, ensure_ascii=False, indent=1))
    return int(any(wrong.values()))


if __name__ == "__main__":
    sys.exit(main())
