"""Vendors' SLMs through slmsuite: Holoeye, Meadowlark, Hamamatsu, Santec, Texas Instruments.

slmsuite (MIT) is imported when the device is connected. Its classes blank the SLM when they are
made; here they are made with their output cut off, so that ``connect`` sends no image. What a
vendor's own library does when it starts is beyond reach: Hamamatsu may reboot into USB mode, Santec
may rewrite its phase table, Meadowlark loads a voltage table, and Holoeye opens a blank window.
Connect such a device before particles are trapped. The library is not closed by ``disconnect``,
which would blank some of them; the window of a Holoeye ends with this program, so for light that
outlives it use the driver ``display``, or slmsuite's server and ``model="remote"``.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from ...models.errors import DeviceError, InputError, OptobindError
from ...models.ranges import require_range
from ..hologram.lut import PhaseLut
from ..hologram.synthesis import Image
from ..links.base import LinkError
from .options import SlmOptions, pair_of
from .panel import PanelInfo
from .spot_slm import HologramSLM
from .worker import Worker

__all__ = ["MODELS", "SlmsuitePanel", "SlmsuiteSLM"]

# Model → module and class of slmsuite 0.5, and what to install for it.
MODELS: dict[str, tuple[str, str, str]] = {
    "holoeye": ("holoeye", "Holoeye", "HOLOEYE SLM Display SDK 4.0 for Python"),
    "meadowlark": ("meadowlark", "Meadowlark", "Meadowlark Blink SDK (Windows)"),
    "hamamatsu": ("hamamatsu", "Hamamatsu", "Hamamatsu LCOS-SLM DLLs (Windows)"),
    "santec": ("santec", "Santec", "Santec SLM DLLs (SLMFunc.dll, FTD3XX.dll; Windows)"),
    "texasinstruments": ("texasinstruments", "PLM", "pyglet, and hidapi for USB set-up"),
    "remote": ("remote", "RemoteSLM", "a slmsuite server that is running"),
    "simulated": ("simulated", "SimulatedSLM", "nothing"),
}


class SlmsuitePanel:
    """An SLM of slmsuite.

    Parameters
    ----------
    model : str
        One of :data:`MODELS`.
    wavelength : float
        m; vendors choose their phase table by it.
    settings : mapping
        Further arguments of slmsuite's class (``slm_number``, ``sdk_path``, ``preselect``, …).
    pitch : tuple of float, optional
        Pixel pitch, m, instead of the one that the class states.
    timeout : float
        Longest wait for an image to be taken, s.
    start_timeout : float
        Longest wait for the vendor's library to start, s.
    """

    def __init__(
        self,
        model: str,
        wavelength: float,
        settings: Mapping[str, Any],
        pitch: tuple[float, float] | None = None,
        *,
        timeout: float = 5.0,
        start_timeout: float = 120.0,
    ) -> None:
        if model not in MODELS:
            raise InputError(f"unknown slmsuite model {model!r}; known: {', '.join(MODELS)}")
        self._model, self._settings, self._pitch = model, dict(settings), pitch
        self._settings.setdefault("wav_um", 1e6 * wavelength)
        self._timeout = require_range("timeout", timeout, 0.01, 60.0, "s")
        self._start_timeout = require_range("start_timeout", start_timeout, 0.1, 600.0, "s")
        self._worker: Worker | None = None
        self._slm: Any = None
        self._note: dict[str, Any] | None = None

    def open(self) -> PanelInfo:
        """Make slmsuite's object, or go on with the one made before; sends no image.

        Raises
        ------
        DeviceError
            If slmsuite or the vendor's library is missing or fails; names the remedy.
        LinkError
            If it hangs.
        """
        if self._slm is None:
            worker = self._worker = Worker(f"slmsuite {self._model}")
            try:
                self._slm = worker.call(self._make, self._start_timeout)
            except OptobindError:
                worker.stop()
                raise
        return self._describe(self._slm)

    def show_image(self, image: Image, note: dict[str, Any]) -> None:
        """Send an image of grey levels, as they are."""
        slm, worker = self._slm, self._worker
        if slm is None or worker is None:
            raise LinkError(f"slmsuite {self._model} is not open: connect again")
        self._note = None  # until it has been taken, what is shown is not known
        try:
            # The type of the SLM; its own conversion and correction are not used for integers.
            grey = np.ascontiguousarray(image, dtype=slm.dtype)
            worker.call(lambda: slm.set_phase(grey, settle=False), self._timeout)
        except OptobindError:
            raise
        except Exception as error:  # vendors raise whatever they like
            raise LinkError(f"slmsuite {self._model} refused an image: {_text(error)}") from error
        self._note = note

    def close(self) -> None:
        """Keep the vendor's library open: closing it would blank some SLMs."""

    def shut_down(self) -> None:
        """Close the vendor's library; some SLMs go dark then."""
        slm, worker = self._slm, self._worker
        self._slm = self._worker = self._note = None
        if slm is None or worker is None:
            return
        try:
            worker.call(slm.close, self._timeout)
        except OptobindError:
            raise
        except Exception as error:  # vendors raise whatever they like
            raise DeviceError(f"slmsuite {self._model} did not close: {_text(error)}") from error
        finally:
            worker.stop()

    def _make(self) -> Any:
        """Import slmsuite and make the object with its output cut off."""
        module, name, needs = MODELS[self._model]
        try:
            kind = getattr(import_module(f"slmsuite.hardware.slms.{module}"), name)
        except ImportError as error:
            if (error.name or "").partition(".")[0] == "slmsuite" and "." not in (error.name or ""):
                raise DeviceError(
                    "slmsuite is not installed: install it with pip install optobind[slm]"
                ) from None
            raise DeviceError(
                f"slmsuite's {name} cannot be imported here ({_text(error)}); it needs: {needs}"
            ) from error
        except Exception as error:  # modules of vendors load DLLs as they are imported
            raise DeviceError(
                f"slmsuite's {name} cannot be loaded here ({_text(error)}); it needs: {needs}"
            ) from error
        try:
            return _silent(kind, self._settings)
        except TypeError as error:
            raise DeviceError(f"slmsuite's {name}: {_text(error)}; check its settings") from error
        except Exception as error:  # vendors raise whatever they like
            raise DeviceError(
                f"slmsuite's {name} cannot be opened ({_text(error)}); it needs: {needs}, the SLM "
                "switched on, and no other program that uses it"
            ) from error

    def _describe(self, slm: Any) -> PanelInfo:
        """What slmsuite's object says of the SLM."""
        try:
            rows, columns = (int(n) for n in slm.shape)
            bits, scaling = int(slm.bitdepth), float(slm.phase_scaling)
            pitch = self._pitch
            if pitch is None:
                pitch = float(slm.pitch_um[0]) * 1e-6, float(slm.pitch_um[1]) * 1e-6
            response = slm.gamma
        except (AttributeError, TypeError, ValueError, IndexError) as error:
            raise DeviceError(
                f"slmsuite {self._model} does not describe its SLM: {_text(error)}; this driver is "
                "written for slmsuite 0.5"
            ) from error
        if response is not None:  # in turns, one value a level
            lut = PhaseLut(2.0 * np.pi * np.asarray(response, dtype=float))
        else:
            lut = PhaseLut.linear(scaling * 2**bits, bits=bits)
        name = getattr(slm, "name", "")
        identity = f"slmsuite {self._model} {name!r} {columns} × {rows}, {bits} bits"
        return PanelInfo(identity, (columns, rows), pitch, bits, lut=lut, note=self._note)


class SlmsuiteSLM(HologramSLM):
    """An SLM driven by its vendor's library through slmsuite 0.5.

    Parameters
    ----------
    name : str
        Name of the device in the rig.
    model : str
        One of :data:`MODELS`.
    settings : mapping, optional
        Further arguments of slmsuite's class (``slm_number``, ``sdk_path``, ``preselect``, …).
    pitch : float or two floats, optional
        Pixel pitch, m, instead of the one that the class states.
    timeout, start_timeout : float
        Longest wait for an image to be taken, and for the vendor's library to start, s.
    **optics
        See :class:`~.options.SlmOptions`: ``wavelength`` and ``focal_length`` at least.

    Raises
    ------
    InputError
        For an unknown model or a value outside its range.
    """

    def __init__(
        self,
        name: str,
        *,
        model: str,
        settings: Mapping[str, Any] | None = None,
        pitch: float | Sequence[float] | None = None,
        timeout: float = 5.0,
        start_timeout: float = 120.0,
        **optics: Any,
    ) -> None:
        options = SlmOptions(**optics)
        steps = None if pitch is None else pair_of("pitch", pitch)
        panel = SlmsuitePanel(
            model,
            options.wavelength,
            settings or {},
            steps,
            timeout=timeout,
            start_timeout=start_timeout,
        )
        super().__init__(name, panel, options, steps)
        self._vendor = panel

    def shut_down(self) -> None:
        """Close the vendor's library; some SLMs go dark then, and the particles are lost.

        Only for whoever asked the user.
        """
        self._vendor.shut_down()
        self.disconnect()


def _silent(kind: Any, settings: Mapping[str, Any]) -> Any:
    """Make an object of slmsuite whose constructor's blanking does not reach the SLM."""

    class Silent(kind):  # type: ignore[misc]
        """Sends nothing to the SLM until it is made."""

        _may_write = False

        # slmsuite inspects the signature: wraps keeps the vendor's.
        @functools.wraps(kind._set_phase_hw)  # noqa: SLF001 (the one place where all images pass)
        def _set_phase_hw(self, *arguments: Any, **keywords: Any) -> Any:
            if self._may_write:
                return super()._set_phase_hw(*arguments, **keywords)
            return None

        def __del__(self) -> None:
            """Leave the SLM as it is: slmsuite would close it, and some go dark then."""

    Silent.__name__ = Silent.__qualname__ = kind.__name__
    made = Silent(**settings)
    made._may_write = True  # noqa: SLF001
    return made


def _text(error: BaseException) -> str:
    """One line of what was raised."""
    return " ".join(str(error).split())[:300] or type(error).__name__
