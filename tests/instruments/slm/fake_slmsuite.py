"""What the driver uses of slmsuite 0.5, as that package has it, for machines without it.

The real package was read and run beside this (its SimulatedSLM, and the signatures of all vendors'
classes): constructors blank the SLM through ``set_phase(None)``, integers are passed on as they are
if their type and size fit, and the last step of every image is ``_set_phase_hw(display)``.
"""

from __future__ import annotations

import inspect
import sys
import threading
import time
from types import ModuleType

import numpy as np
import pytest


class SLM:
    """The base class, shortened."""

    hung = threading.Event()  # while it is clear, images take for ever
    hung.set()

    def __init__(
        self, resolution, bitdepth=8, name="", wav_um=1, wav_design_um=None, pitch_um=(8, 8),
        settle_time_s=0.3,
    ) -> None:  # fmt: skip
        width, height = resolution
        self.shape, self.bitdepth, self.name = (height, width), bitdepth, name or "SLM"
        self.dtype = np.uint8 if bitdepth <= 8 else np.uint16
        self.bitresolution = 2**bitdepth
        self.pitch_um = np.array(pitch_um, dtype=float)
        self.wav_um = wav_um
        self.wav_design_um = wav_um if wav_design_um is None else wav_design_um
        self.gamma = None
        self.display = np.zeros(self.shape, self.dtype)
        self.sent: list[np.ndarray] = []
        self.closed = False
        inspect.signature(self._set_phase_hw)

    @property
    def phase_scaling(self):
        return self.wav_um / self.wav_design_um

    def set_phase(self, phase, phase_correct=None, settle=None, execute=None, block=None):
        if phase is None:
            self.display = np.full(self.shape, self.bitresolution - 1, self.dtype)
        else:
            if not np.issubdtype(phase.dtype, np.integer):
                raise AssertionError("the driver is to send grey levels")
            if phase.dtype != self.dtype:
                raise TypeError(f"Unexpected integer type {phase.dtype}. Expected {self.dtype}.")
            if np.any(phase >= self.bitresolution) or phase.shape != self.shape:
                raise TypeError("Integer data must be within the bitdepth")
            self.display = phase.copy()
        self._set_phase_hw(self.display)
        if settle:
            time.sleep(0.3)
        return self.display

    def _set_phase_hw(self, display):
        self.hung.wait(120.0)
        self.sent.append(display.copy())

    def close(self):
        self.closed = True

    def __del__(self):
        self.close()


class Meadowlark(SLM):
    """Blanks itself when it is made, as all do."""

    def __init__(self, slm_number=1, sdk_path=None, lut_path=None, wav_um=1, pitch_um=None, **kw):
        if sdk_path == "missing":
            raise ValueError(f"Could not find SDK within path '{sdk_path}'")
        if sdk_path == "hangs":
            time.sleep(2.0)
        super().__init__((240, 180), 8, f"serial {slm_number}", wav_um, pitch_um=(9.2, 9.2), **kw)
        self.set_phase(None)


class Holoeye(SLM):
    def __init__(self, preselect=None, wav_um=1, verbose=None, **kw):
        raise ImportError("SDK HEDS not installed. Install to use Holoeye SLMs.")


class PLM(SLM):
    """Sixteen uneven levels."""

    def __init__(self, model_name, display_number=None, **kw):
        super().__init__((240, 180), 4, model_name, **kw)
        self.gamma = np.linspace(0.0, 0.94, 16) ** 1.2
        self.set_phase(None)


def install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the package where imports find it."""
    for name in ("slmsuite", "slmsuite.hardware", "slmsuite.hardware.slms"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    for name, kind in (("meadowlark", Meadowlark), ("holoeye", Holoeye), ("texasinstruments", PLM)):
        module = ModuleType(f"slmsuite.hardware.slms.{name}")
        setattr(module, kind.__name__, kind)
        monkeypatch.setitem(sys.modules, module.__name__, module)
