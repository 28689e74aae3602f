"""A panel that keeps what it is shown and fails on cue."""

from __future__ import annotations

from typing import Any

import numpy as np

from optobind.instruments.links.base import LinkError
from optobind.instruments.protocols import SpotPattern
from optobind.instruments.slm.options import SlmOptions
from optobind.instruments.slm.panel import PanelInfo
from optobind.instruments.slm.spot_slm import HologramSLM
from optobind.models.errors import DeviceError

WAVELENGTH, FOCAL_LENGTH, PITCH = 1064e-9, 3e-3, 8e-6
OPTICS = {"wavelength": WAVELENGTH, "focal_length": FOCAL_LENGTH}
PATTERN = SpotPattern(((3e-6, 1e-6, 0.0), (-2e-6, 0.0, 5e-7)), (0.55, 0.45), (0.4, 0.0))


class KeepingPanel:
    def __init__(self, pixels=(240, 180), bits=8, note=None) -> None:
        self.pixels, self.bits, self.note = pixels, bits, note
        self.images: list[np.ndarray] = []
        self.failure: Exception | None = None
        self.opened = self.closed = 0

    def open(self) -> PanelInfo:
        self.opened += 1
        if self.failure is not None:
            raise self.failure
        return PanelInfo(
            "keeping panel", self.pixels, (PITCH, PITCH), self.bits, 60.0, None, self.note
        )

    def show_image(self, image: np.ndarray, note: dict[str, Any]) -> None:
        if self.failure is not None:
            raise self.failure
        self.images.append(image.copy())
        self.note = note

    def close(self) -> None:
        self.closed += 1


def make_slm(panel: KeepingPanel | None = None, **options: Any) -> HologramSLM:
    panel = panel or KeepingPanel()
    return HologramSLM("slm", panel, SlmOptions(**{**OPTICS, **options}), (PITCH, PITCH))


def broken_link() -> LinkError:
    return LinkError("the cable is out")


def refusal() -> DeviceError:
    return DeviceError("the panel says no")
