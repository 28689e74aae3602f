"""What a live pair fit should find at the present light, from first principles."""

from __future__ import annotations

import threading
from collections.abc import Mapping

from ..instruments.rig import Rig
from ..models.array import TrapArray
from ..models.errors import OptobindError
from ..models.inference.convention import fit_convention
from ..models.light import TweezerState

__all__ = ["LightPrediction"]

# With feedback on these are not those of light and gas alone.
_OF_FEEDBACK = ("gamma_1", "gamma_2", "D11", "D22")


class LightPrediction:
    """Predicts the parameters of a pair fit; works in a thread, once for each light.

    Parameters
    ----------
    rig : Rig
        Its ``trap`` holds the particles and tweezers as configured.
    """

    def __init__(self, rig: Rig) -> None:
        self._trap = _pair_of(rig)
        self._lock = threading.Lock()
        self._wanted: TweezerState | None = None
        self._known: tuple[TweezerState | None, Mapping[str, float] | None] | None = None
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
        if self._trap is None:
            return None
        with self._lock:
            if self._known is not None and self._known[0] == light:
                values = self._known[1]
            else:
                values = None
                self._ask(light)
        if values is None or not feedback:
            return values
        return {name: v for name, v in values.items() if name not in _OF_FEEDBACK}

    def _ask(self, light: TweezerState | None) -> None:
        self._wanted = light
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="prediction", daemon=True)
            self._thread.start()

    def _work(self) -> None:
        assert self._trap is not None
        while True:
            light = self._wanted
            values = _predict(self._trap, light)
            with self._lock:
                self._known = (light, values)
                if self._wanted == light:
                    self._thread = None
                    return


def _pair_of(rig: Rig) -> TrapArray | None:
    """Trap of a pair whose two lines the first two signals show, in this order."""
    seen = tuple(d.particle for d in rig.channels("out_of_loop"))
    if rig.trap is None or len(rig.trap.spheres) != 2 or seen[:2] != (0, 1):
        return None
    return rig.trap


def _predict(trap: TrapArray, light: TweezerState | None) -> Mapping[str, float] | None:
    """Couplings at the equilibrium; None where this light holds no pair."""
    try:
        lit = trap if light is None else trap.with_light(light)
        return fit_convention(lit.pair_constants().constants, "m")
    except OptobindError:
        return None
