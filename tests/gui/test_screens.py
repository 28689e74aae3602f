"""Ten screens of the real window on an X server, reached by mouse and keys: nothing is cut."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "make_screenshots.py"
SCREENS = 10

pytestmark = [
    pytest.mark.study,  # ten minutes a size: make studies
    pytest.mark.realtime,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(sys.platform == "win32", reason="X is not on Windows"),
    pytest.mark.skipif(shutil.which("Xvfb") is None, reason="needs Xvfb"),
]


@pytest.mark.parametrize("size", ["1920x1080", "1366x768"])
def test_nothing_is_cut_on_any_of_ten_screens(size, tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "QT_QPA_PLATFORM"}
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--size", size, "--out", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=1700,
        check=False,
    )
    assert done.stdout, done.stderr
    assert json.loads(done.stdout) == {size: {}}
    pictures = sorted(path.name[:2] for path in tmp_path.glob("*.png"))
    assert pictures == [f"{number:02}" for number in range(1, SCREENS + 1)]
