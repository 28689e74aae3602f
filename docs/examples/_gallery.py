"""What the examples share: the looks of figures, an option for the folder, small PNG files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from optobind.analysis.figures.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PINK,
    SKY,
    VERMILLION,
    new_figure,
    panel_letter,
    save_figure,
    style,
)

__all__ = [
    "BLACK",
    "BLUE",
    "GREEN",
    "GREY",
    "ORANGE",
    "PINK",
    "SKY",
    "VERMILLION",
    "build",
    "new_figure",
    "panel_letter",
    "style",
]

_GALLERY = Path(__file__).resolve().parents[1] / "images" / "gallery"
_COLORS = 255  # of the palette; drawn lines and colour maps need no more


def build(draw: Callable[[], Figure], script: str) -> None:
    """Draw the figure of a script into ``--out``, named after the script.

    Parameters
    ----------
    draw : callable
        Makes the figure.
    script : str
        Its ``__file__``.
    """
    about = (sys.modules["__main__"].__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--out", type=Path, default=_GALLERY, help="folder of the picture")
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    path = save_figure(draw(), out / f"{Path(script).stem}.png")
    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(_COLORS, kmeans=3, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    print(path)
