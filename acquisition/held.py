"""Values at which parameters of the live fit are held: those that they had when they were held."""

from __future__ import annotations

import threading
from collections.abc import Mapping

__all__ = ["HeldValues"]


class HeldValues:
    """Remembers the latest optimum of each model, and what was held when.

    A value that is held stays through changes of light and of the model: only the user lets it go.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._optimum: dict[str, Mapping[str, float]] = {}
        self._held: dict[str, dict[str, float]] = {}

    def note(self, model: str, optimum: Mapping[str, float]) -> None:
        """Take the parameters of a converged fit, in the unit of the spectrum."""
        with self._lock:
            self._optimum[model] = dict(optimum)

    def choose(self, model: str, vary: Mapping[str, bool]) -> Mapping[str, float]:
        """Return the values of those that are held; one without a fit so far has none."""
        with self._lock:
            before, latest = self._held.get(model, {}), self._optimum.get(model, {})
            held = {}
            for name in (n for n, fitted in vary.items() if not fitted):
                value = before.get(name, latest.get(name))
                if value is not None:
                    held[name] = value
            self._held[model] = held
            return dict(held)
