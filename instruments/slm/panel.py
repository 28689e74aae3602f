"""What an SLM must be able to do for :class:`~.spot_slm.HologramSLM`: show an image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from ..hologram.lut import PhaseLut
from ..hologram.synthesis import Image

__all__ = ["Panel", "PanelInfo"]


@dataclass(frozen=True)
class PanelInfo:
    """What an open panel says of itself.

    Attributes
    ----------
    identity : str
        For people.
    pixels : tuple of int
        (columns, rows).
    pitch : tuple of float
        Pixel pitch along x and y, m.
    bits : int
        Bits of a grey level.
    frame_rate : float
        Most images per second, Hz; 0 if not known.
    lut : PhaseLut or None
        Phase of each grey level as the device states it.
    note : dict
        What was noted with the image that the panel holds from an earlier session; empty if it
        holds none or cannot say.
    """

    identity: str
    pixels: tuple[int, int]
    pitch: tuple[float, float]
    bits: int = 8
    frame_rate: float = 0.0
    lut: PhaseLut | None = None
    note: dict[str, Any] | None = None


class Panel(Protocol):
    """A device that shows images of grey levels; every call ends within its timeout."""

    def open(self) -> PanelInfo:
        """Open the device, show nothing."""
        ...

    def show_image(self, image: Image, note: dict[str, Any]) -> None:
        """Show an image, shape (rows, columns), and keep the note with it where that is possible.

        Raises
        ------
        LinkError
            If the device is gone or does not answer in time.
        DeviceError
            If it refuses.
        """
        ...

    def close(self) -> None:
        """Close the link; what is shown stays. Never raises."""
        ...
