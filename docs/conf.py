"""Settings of the documentation's site: ``make docs`` builds it without a network."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from reference_pages import write_reference  # noqa: E402

import optobind  # noqa: E402

project = "optobind"
author = "the optobind developers"
version = release = optobind.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["_build", "examples", "validation/*", "**/.ipynb_checkpoints"]
source_suffix = {".md": "myst-nb", ".rst": "restructuredtext"}
html_theme = "furo"
html_title = f"optobind {version}"
html_static_path: list[str] = []
html_copy_source = False

myst_heading_anchors = 3
nb_execution_mode = "force" if os.environ.get("OPTOBIND_DOCS_RUN", "1") == "1" else "off"
nb_execution_timeout = 900
nb_execution_raise_on_error = True
nb_execution_in_temp = True
nb_merge_streams = True

autodoc_typehints = "none"  # docstrings say types, shapes and units
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
write_reference(HERE / "reference")


def _plain_bars(*arguments: Any) -> None:
    """Keep |x| in docstrings what it is: bars, no substitution."""
    lines = arguments[-1]
    lines[:] = [line if ">>>" in line else line.replace("|", r"\|") for line in lines]


def setup(app: Any) -> None:
    """Register what docstrings go through after numpydoc."""
    app.connect("autodoc-process-docstring", _plain_bars, priority=900)
