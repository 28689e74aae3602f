"""Schema of ``[devices.slm]`` for real devices: the panel and how it sits in its optics."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from .fields import (
    Delay,
    Duration,
    Efficiency,
    FocalLength,
    Length,
    Ordinal,
    Phase,
    PhaseTolerance,
    Pitch,
    Pixels,
    Position,
    Share,
    Text,
    Timeout,
    Wavelength,
)
from .hardware import HardwareTable

__all__ = ["DisplaySlmTable", "SlmTable", "SlmsuiteTable"]

Place = Annotated[list[Position], Field(min_length=3, max_length=3)]
PitchPair = Annotated[list[Pitch], Field(min_length=2, max_length=2)]


class SlmTable(HardwareTable):
    """Optics and calibration, the same for every panel; the wavelength is that of the rig.

    ``matrix`` holds metres per (rad per pixel); files are named relative to the rig file.
    """

    focal_length: FocalLength
    pitch: Pitch | PitchPair | None = None
    rotation: Phase | None = None
    flip_x: bool | None = None
    flip_y: bool | None = None
    matrix: list[list[Position]] | None = None
    offset: Place | None = None
    front_distance: Length | None = None
    fill_factor: Share | None = None
    optical_axis: Annotated[list[float], Field(min_length=2, max_length=2)] | None = None
    beam_waist: Length | None = None
    pupil_radius: Length | None = None
    beam: Text | None = None
    lut: Text | None = None
    lut_wavelength: Wavelength | None = None
    two_pi_level: float | None = None
    phase_sign: Literal[1, -1] | None = None
    wavefront: Text | None = None
    wavefront_level: float | None = None
    wavefront_sign: Literal[1, -1] | None = None
    zernike: dict[str, Phase] | None = None
    zernike_radius: Length | None = None
    largest_slope: PhaseTolerance | None = None
    dump: Annotated[list[Position], Field(min_length=2, max_length=3)] | None = None
    efficiency: Efficiency | None = None
    phase_tolerance: PhaseTolerance | None = None
    weight_tolerance: Share | None = None
    worst_phase_error: PhaseTolerance | None = None
    worst_weight_error: Share | None = None
    settling_time: Delay | None = None
    timeout: Timeout | None = None
    start_timeout: Duration | None = None

    def options(self) -> dict[str, Any]:
        """Options of the driver, in SI."""
        options = super().options()
        if "zernike" in options:  # keys of TOML are text, Noll's indices are numbers
            terms = options["zernike"].items()
            options["zernike"] = {int(k) if k.isdecimal() else k: v for k, v in terms}
        return options


class DisplaySlmTable(SlmTable):
    """An SLM that is a screen, by index or name."""

    driver: Literal["display"]
    pitch: Pitch | PitchPair
    screen: Ordinal | Text = 1
    pixels: Annotated[list[Pixels], Field(min_length=2, max_length=2)] | None = None
    keep: bool | None = None
    verify: bool | None = None


class SlmsuiteTable(SlmTable):
    """A vendor's SLM through slmsuite; ``settings`` go to its class as they stand."""

    driver: Literal["slmsuite"]
    model: Text
    settings: dict[str, Any] | None = None
