"""An SLM addressed by spots: holograms computed here, shown on any panel."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from ...models.errors import DeviceError, InputError
from ..capabilities import SlmCapabilities
from ..driver import Driver
from ..hologram.feedback import Hologram, HologramReport, make_hologram
from ..hologram.spots import check_pattern
from ..hologram.synthesis import HologramOptics
from ..protocols import SpotPattern
from .options import SlmOptions
from .panel import Panel, PanelInfo

__all__ = ["HologramSLM"]

_NOTHING = SpotPattern((), (), ())


class HologramSLM(Driver):
    """Base of the SLM drivers.

    After ``connect`` :meth:`read` returns the pattern that the panel holds from an earlier session,
    or a pattern without spots where nothing is known; the panel shows what it showed before.

    Parameters
    ----------
    name : str
        Name of the device in the rig.
    panel : Panel
        Shows images.
    options : SlmOptions
        Optics, look-up table, tolerances.
    pitch : tuple of float, optional
        Pixel pitch, m, where it is known before connecting.
    """

    def __init__(
        self,
        name: str,
        panel: Panel,
        options: SlmOptions,
        pitch: tuple[float, float] | None = None,
    ) -> None:
        super().__init__(name)
        self._panel, self._options, self._pitch = panel, options, pitch
        self._info: PanelInfo | None = None
        self._optics: HologramOptics | None = None
        self._pattern = _NOTHING
        self._hologram: Hologram | None = None
        # What was asked for and found good last, so that showing it computes nothing again.
        self._checked: tuple[SpotPattern, Hologram] | None = None
        if pitch is not None:
            self._field_of_view(pitch)  # refuse options that leave no field

    @property
    def options(self) -> SlmOptions:
        """Optics, look-up table, tolerances."""
        return self._options

    @property
    def capabilities(self) -> SlmCapabilities:
        """Limits; levels and pixels are known from the first ``connect`` on.

        Raises
        ------
        DeviceError
            If the pixel pitch is known to the device only and it was never connected.
        """
        info, pitch = self._info, self._info.pitch if self._info else self._pitch
        if pitch is None:
            raise DeviceError(f"{self.name}: its pixel pitch is not known: connect it, or set it")
        frame_rate = info.frame_rate if info else 0.0
        return SlmCapabilities(
            field_of_view=self._field_of_view(pitch),
            phase_levels=self._optics.lut.distinct if self._optics else 256,
            settling_time=self._options.settling_time + (1.0 / frame_rate if frame_rate else 0.0),
            phase_per_spot=True,
            frame_rate=frame_rate,
            pixels=info.pixels if info else (0, 0),
        )

    @property
    def report(self) -> HologramReport | None:
        """Predicted errors of the hologram that was shown last; None if none was."""
        return self._hologram.report if self._hologram else None

    def predict(self, pattern: SpotPattern) -> Hologram:
        """Compute the hologram of a pattern without showing it.

        Raises
        ------
        InputError
            For a pattern that cannot be shown.
        DeviceError
            Unless connected.
        """
        self._require_link()
        optics = self._optics
        assert optics is not None
        fov = self.capabilities.field_of_view
        check_pattern(pattern, fov, self.name)
        return make_hologram(
            optics,
            pattern,
            dump=self._dump(pattern, fov),
            efficiency=self._options.efficiency,
            settings=self._options.feedback,
        )

    def check_pattern(self, pattern: SpotPattern) -> None:
        """Compute the hologram of a pattern that is to be shown; shows nothing.

        Raises
        ------
        InputError
            For a pattern that :meth:`show` would refuse.
        DeviceError
            Unless connected.
        """
        self._require_link()
        if pattern.positions and self._good(pattern) is None:
            self._checked = (pattern, self._computed(pattern))

    def show(self, pattern: SpotPattern) -> SpotPattern:
        """Show a pattern and return the one that results.

        Returns when the panel has taken the image: the light is as stated
        ``capabilities.settling_time`` later. Showing what is on show sends the same image again.

        Raises
        ------
        InputError
            For spots outside the field, weights that add up to more than 1, or a hologram whose
            predicted errors are worse than allowed; nothing has changed then.
        DeviceError
            If the panel fails.
        """
        self._require_link()
        if self._hologram is None and pattern == self._pattern and pattern.positions:
            return pattern  # held by the panel from an earlier session
        hologram = self._good(pattern) or self._computed(pattern)
        with self._talking():
            self._panel.show_image(hologram.image, _note(hologram))
        self._hologram, self._pattern = hologram, hologram.pattern
        return hologram.pattern

    def read(self) -> SpotPattern:
        """Return the pattern shown last; one without spots if nothing was."""
        self._require_link()
        return self._pattern

    def _open(self) -> str:
        """Open the panel and read the optics' files."""
        info = self._panel.open()
        try:
            self._optics = self._options.optics(info.pixels, info.pitch, info.bits, info.lut)
        except InputError as error:  # a file that is gone, or does not fit this panel
            raise DeviceError(str(error)) from error
        self._checked = None  # of other optics, perhaps
        held = _pattern_of(info.note)
        if held != self._pattern:  # another session's, or lost with the panel
            self._pattern, self._hologram = held, None
        self._info = info
        return info.identity

    def _close(self) -> None:
        self._panel.close()

    def _field_of_view(self, pitch: tuple[float, float]) -> float:
        """Full width of the field, m."""
        options = self._options
        return options.calibration(pitch).field_of_view(options.largest_slope)

    def _dump(self, pattern: SpotPattern, fov: float) -> tuple[float, float, float]:
        """Where light goes that no spot shall have: the corner that is farthest from the spots."""
        if self._options.dump is not None:
            x, y, *rest = (float(value) for value in self._options.dump)
            return x, y, rest[0] if rest else 0.0
        edge = 0.48 * fov
        corners = [(sx * edge, sy * edge, 0.0) for sx in (1.0, -1.0) for sy in (1.0, -1.0)]
        return max(corners, key=lambda c: min(math.dist(c, p) for p in pattern.positions))

    def _good(self, pattern: SpotPattern) -> Hologram | None:
        """Hologram of a pattern that is on show or was checked last."""
        if self._hologram is not None and self._hologram.pattern == pattern:
            return self._hologram
        checked = self._checked
        return checked[1] if checked is not None and checked[0] == pattern else None

    def _computed(self, pattern: SpotPattern) -> Hologram:
        """Hologram of a pattern, unless its predicted errors are too large."""
        hologram = self.predict(pattern)
        self._refuse_bad(hologram.report)
        return hologram

    def _refuse_bad(self, report: HologramReport) -> None:
        """Raise InputError for a hologram that is too far off."""
        options = self._options
        if (
            report.phase_error > options.worst_phase_error
            or report.weight_error > options.worst_weight_error
        ):
            raise InputError(
                f"{self.name} cannot show these spots well enough ({report}; allowed are "
                f"{math.degrees(options.worst_phase_error):.3g}° and "
                f"{100.0 * options.worst_weight_error:.3g} %): set them farther apart"
                + (", or ask for less efficiency" if options.efficiency else "")
            )


def _note(hologram: Hologram) -> dict[str, Any]:
    """What is kept beside the image, as JSON values."""
    return {"pattern": asdict(hologram.pattern), "report": str(hologram.report)}


def _pattern_of(note: dict[str, Any] | None) -> SpotPattern:
    """Pattern of a note; one without spots, which says that nothing is known, if there is none."""
    if not note:
        return _NOTHING
    try:
        kept = note["pattern"]
        return SpotPattern(
            tuple((float(x), float(y), float(z)) for x, y, z in kept["positions"]),
            tuple(float(value) for value in kept["weights"]),
            tuple(float(value) for value in kept["phases"]),
        )
    except (KeyError, TypeError, ValueError):
        return _NOTHING  # written by another program or version: what it shows is not known
