"""View-models know no toolkit."""

import subprocess
import sys

import pytest

from optobind.gui import check
from optobind.models.errors import InputError


def test_importing_every_view_model_loads_no_toolkit():
    code = (
        "import importlib, pkgutil, sys\n"
        "import optobind.gui.viewmodels as package\n"
        "import optobind.gui.check\n"
        "for entry in pkgutil.iter_modules(package.__path__):\n"
        "    importlib.import_module(f'{package.__name__}.{entry.name}')\n"
        "toolkits = ('PyQt6', 'pyqtgraph', 'superqt')\n"
        "loaded = [m for m in sys.modules if m.split('.')[0] in toolkits]\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_a_missing_toolkit_names_the_remedy(monkeypatch):
    monkeypatch.setattr(check.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"PyQt6 and pyqtgraph; install with: pip install"):
        check.require_display()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="displays are asked for on Linux")
def test_no_display_is_an_input_error_unless_a_platform_is_chosen(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(InputError, match="no display"):
        check.require_display()
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    check.require_display()
