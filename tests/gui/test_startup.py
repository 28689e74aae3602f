"""What the window may not wait for before its first picture."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from optobind.config.build import build_rig
from optobind.config.load import read_rig
build_rig(read_rig("simulated-pair", []))
import optobind.acquisition.session, optobind.gui.app
slow = ("lmfit", "pint", "h5py", "matplotlib", "scipy.stats", "scipy.optimize", "scipy.signal")
print([name for name in slow if name in sys.modules])
"""


def test_the_window_opens_without_the_libraries_of_fits_files_and_units():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "[]"
