"""Any SLM that is a screen: a frameless window of grey levels on it, byte for byte.

The window belongs to a process of its own, because it must outlive this program: when it closes,
the particles are lost. ``connect`` finds that process again and learns from it what it shows; a
first ``connect`` starts it, and the window appears with the first ``show``. It stays over
``disconnect``, crash and exit, until :meth:`DisplaySLM.close_window`, or until its process is ended
by hand.

The screen must be a screen of its own (extended desktop, not mirrored) at its native resolution,
without scaling, night light or colour profile, and must not be put to sleep by the system.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .display_panel import DisplayPanel
from .options import SlmOptions, pair_of, pixels_of
from .spot_slm import HologramSLM

__all__ = ["DisplaySLM"]


class DisplaySLM(HologramSLM):
    """An SLM that is a screen.

    Parameters
    ----------
    name : str
        Name of the device in the rig.
    screen : int or str
        Index as the system counts (0 is the first), or name, such as ``HDMI-1``.
    pitch : float or two floats
        Pixel pitch, m.
    pixels : two ints, optional
        (columns, rows); the whole screen without it.
    timeout, start_timeout, keep, verify, folder
        See :class:`DisplayPanel`.
    **optics
        See :class:`~.options.SlmOptions`: ``wavelength`` and ``focal_length`` at least.

    Raises
    ------
    InputError
        For a value outside its range.
    """

    def __init__(
        self,
        name: str,
        *,
        screen: int | str = 1,
        pitch: float | Sequence[float],
        pixels: Sequence[int] | None = None,
        timeout: float = 5.0,
        start_timeout: float = 30.0,
        keep: bool = True,
        verify: bool = True,
        folder: str | Path | None = None,
        **optics: Any,
    ) -> None:
        steps = pair_of("pitch", pitch)
        panel = DisplayPanel(
            screen,
            steps,
            None if pixels is None else pixels_of(pixels),
            timeout=timeout,
            start_timeout=start_timeout,
            keep=keep,
            verify=verify,
            folder=folder,
        )
        super().__init__(name, panel, SlmOptions(**optics), steps)
        self._display = panel

    def grab(self) -> NDArray[np.uint8]:
        """Read the screen back: red, green and blue of the SLM's pixels, (rows, columns, 3)."""
        with self._talking():
            return self._display.grab()

    def close_window(self) -> None:
        """Close the window: the light that it shapes is lost, and the particles with it.

        Only for whoever asked the user.
        """
        with self._talking():
            self._display.quit()
        self.disconnect()
