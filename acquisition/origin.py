"""Where a run comes from: note, operator, seed, place in a sweep; kept in its first event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from ..models.light import Site, TweezerState

__all__ = ["NO_ORIGIN", "RunOrigin", "light_from_dict", "light_to_dict"]


@dataclass(frozen=True)
class RunOrigin:
    """What a run file says of itself beside plan and rig.

    Attributes
    ----------
    note : str
        In the words of whoever started it.
    operator : str
        Who that was.
    program : mapping
        The state of the program, such as the commit of its source.
    seed : int or None
        With which a simulated world begins anew; None to let it go on as it is.
    requested : TweezerState or None
        Light that was asked for; what devices make of it is an event of its own.
    sweep : mapping
        Identity of the sweep, number of the point and its set-points; empty outside sweeps.
    """

    note: str = ""
    operator: str = ""
    program: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None
    requested: TweezerState | None = None
    sweep: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON values for the event ``run_start``; what is empty is left out."""
        values = {
            "note": self.note,
            "operator": self.operator,
            "program": dict(self.program),
            "seed": self.seed,
            "requested": None if self.requested is None else light_to_dict(self.requested),
            "sweep": dict(self.sweep),
        }
        return {name: value for name, value in values.items() if value not in (None, "", {})}


NO_ORIGIN = RunOrigin()
"""Of a run of which nothing is known."""


def light_to_dict(light: TweezerState) -> list[dict[str, Any]]:
    """Return the sites as JSON values, SI."""
    return [asdict(site) for site in light.sites]


def light_from_dict(sites: list[dict[str, Any]]) -> TweezerState:
    """Return the light that :func:`light_to_dict` wrote.

    Raises
    ------
    KeyError, TypeError, ValueError
        If these are no sites.
    """
    return TweezerState(
        tuple(
            Site(
                tuple(float(x) for x in site["position"]),  # type: ignore[arg-type]
                float(site["power"]),
                float(site["phase"]),
                float(site["detuning"]),
            )
            for site in sites
        )
    )
