"""What theory expects at the present light: couplings, and growth where nothing cools."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from ..instruments.rig import Rig
from ..models.array import TrapArray
from ..models.errors import OptobindError
from ..models.inference.convention import fit_convention
from ..models.light import TweezerState
from .snapshots import LightPreview

__all__ = ["NOTICEABLE_GROWTH", "LightPrediction", "expected_pair", "open_loop_growth"]

NOTICEABLE_GROWTH = 1.0  # 1/s; near exceptional points rounding alone makes less than that

# With feedback on these are not those of light and gas alone.
_OF_FEEDBACK = ("gamma_1", "gamma_2", "D11", "D22")


@dataclass(frozen=True)
class _Expected:
    """What was worked out for one light; None where it is not known."""

    light: TweezerState | None
    pair: Mapping[str, float] | None
    growth: float | None


class LightPrediction:
    """Predicts pair fit and stability; works in a thread, once for each light.

    Parameters
    ----------
    rig : Rig
        Its ``trap`` holds the particles and tweezers as configured.
    """

    def __init__(self, rig: Rig) -> None:
        self._trap, self._is_pair = rig.trap, _shows_pair(rig)
        self._lock = threading.Lock()
        self._wanted: TweezerState | None = None
        self._known: _Expected | None = None
        self._thread: threading.Thread | None = None

    def at(self, light: TweezerState | None, feedback: bool) -> Mapping[str, float] | None:
        """Return the prediction if it is known by now; asks for it otherwise. Never waits.

        Parameters
        ----------
        light : TweezerState or None
            Light as read back; None stands for the light as configured.
        feedback : bool
            Whether feedback acts: it damps and adds noise, so that γ_j and D_jj are left out.

        Returns
        -------
        mapping or None
            rad/s by parameter name, in the convention of a fit of a calibrated record.
        """
        expected = self._expected(light) if self._is_pair else None
        if expected is None or expected.pair is None or not feedback:
            return None if expected is None else expected.pair
        return {name: v for name, v in expected.pair.items() if name not in _OF_FEEDBACK}

    def growth(self, light: TweezerState | None) -> float | None:
        """Return what :func:`open_loop_growth` finds, if it is known by now. Never waits."""
        expected = self._expected(light)
        return None if expected is None else expected.growth

    def preview(self, light: TweezerState) -> LightPreview | None:
        """Return what is expected of a light if it is known by now; asks otherwise. Never waits."""
        expected = self._expected(light)
        if expected is None:
            return None
        return LightPreview(expected.growth is not None, expected.growth, expected.pair or {})

    def _expected(self, light: TweezerState | None) -> _Expected | None:
        if self._trap is None:
            return None
        with self._lock:
            if self._known is not None and self._known.light == light:
                return self._known
            self._ask(light)
        return None

    def _ask(self, light: TweezerState | None) -> None:
        self._wanted = light
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="prediction", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        assert self._trap is not None
        while True:
            light = self._wanted
            pair = expected_pair(self._trap, light) if self._is_pair else None
            expected = _Expected(light, pair, open_loop_growth(self._trap, light))
            with self._lock:
                self._known = expected
                if self._wanted == light:
                    self._thread = None
                    return


def open_loop_growth(trap: TrapArray, light: TweezerState | None) -> float | None:
    """Largest growth rate of the axial motion under light and gas alone, without feedback.

    Parameters
    ----------
    trap : TrapArray
        Particles and tweezers as configured.
    light : TweezerState or None
        Light as read back; None stands for the light as configured.

    Returns
    -------
    float or None
        Of amplitudes, 1/s, negative when stable; None where this light holds no particles.
    """
    try:
        return _lit(trap, light).linearize().growth_rate
    except OptobindError:
        return None


def _shows_pair(rig: Rig) -> bool:
    """Whether the first two signals show the two lines of a pair, in this order."""
    seen = tuple(d.particle for d in rig.channels("out_of_loop"))
    return rig.trap is not None and len(rig.trap.spheres) == 2 and seen[:2] == (0, 1)


def expected_pair(trap: TrapArray, light: TweezerState | None) -> Mapping[str, float] | None:
    """Couplings at the equilibrium as a fit would find them, rad/s by name.

    None where this light holds no pair.
    """
    try:
        return fit_convention(_lit(trap, light).pair_constants().constants, "m")
    except OptobindError:
        return None


def _lit(trap: TrapArray, light: TweezerState | None) -> TrapArray:
    return trap if light is None else trap.with_light(light)
