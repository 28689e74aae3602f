"""The display SLM on an X server with two screens, its pixels read from the server's memory."""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("PyQt6")

from optobind.instruments.slm.display import DisplaySLM

from .panels import OPTICS, PATTERN, PITCH

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="X is not on Windows"),
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb"),
]


def screen_pixels(path: Path) -> np.ndarray:
    """Pixels of an Xvfb frame buffer (an XWD file of 32 bits a pixel), (rows, columns, 3)."""
    data = path.read_bytes()
    header = struct.unpack(">25I", data[:100])
    size, columns, rows, stride, colours = (header[k] for k in (0, 4, 5, 12, 19))
    lines = np.frombuffer(data, np.uint8, rows * stride, size + 12 * colours)
    return lines.reshape(rows, stride)[:, : 4 * columns].reshape(rows, columns, 4)[..., :3].copy()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An X server of 1280 × 1024 and 1920 × 1200; yields the files of its two screens."""
    command = ["Xvfb", "-displayfd", "1", "-nolisten", "tcp", "-fbdir", str(tmp_path)]
    sizes = ["-screen", "0", "1280x1024x24", "-screen", "1", "1920x1200x24"]
    process = subprocess.Popen(
        [*command, *sizes], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        number = process.stdout.readline().strip()
        monkeypatch.setenv("DISPLAY", f":{number}")
        monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        yield [tmp_path / "Xvfb_screen0", tmp_path / "Xvfb_screen1"]
    finally:
        process.terminate()
        process.wait(60.0)
        process.stdout.close()


@pytest.mark.parametrize(("screen", "pixels"), [(1, None), (0, (1000, 700))])
def test_the_hologram_is_on_its_screen_byte_for_byte_and_nothing_else_changes(
    server, tmp_path, screen, pixels
):
    slm = DisplaySLM(
        "slm", screen=screen, pixels=pixels, pitch=PITCH, folder=tmp_path / "records", **OPTICS
    )
    before = [screen_pixels(path) for path in server]
    slm.connect()
    try:
        time.sleep(0.3)
        assert all(np.array_equal(screen_pixels(p), b) for p, b in zip(server, before, strict=True))
        for weights in ((0.55, 0.45), (0.3, 0.7)):
            slm.show(type(PATTERN)(PATTERN.positions, weights, PATTERN.phases))
            grey = np.repeat(slm._hologram.image[..., None], 3, axis=2)
            wanted = np.zeros_like(screen_pixels(server[screen]))  # black around
            top, left = ((s - i) // 2 for s, i in zip(wanted.shape, grey.shape[:2], strict=False))
            wanted[top : top + grey.shape[0], left : left + grey.shape[1]] = grey
            until = time.monotonic() + 60.0  # a busy X server draws late
            while not np.array_equal(screen_pixels(server[screen]), wanted):
                assert time.monotonic() < until
                time.sleep(0.01)
            other = 1 - screen
            assert np.array_equal(screen_pixels(server[other]), before[other])
    finally:
        slm.close_window()
