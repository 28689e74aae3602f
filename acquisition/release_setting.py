"""The light of a release: what a plan added to φ and made of the power, against what was set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..models.errors import InputError

__all__ = ["AS_SET", "Setting", "require_one_setting"]


@dataclass(frozen=True, order=True)
class Setting:
    """Light of a release; one fit must not mix several of them.

    Attributes
    ----------
    phase : float
        What was added to φ as it was set, rad.
    power : float
        Power of the stepped traps as a share of what was set.
    trap : str
        Which traps that are: "all", "1" or "2"; "all" where the power is as set.
    phase_rate : float
        Turns of φ a second, Hz; 0 where it rests.

    Examples
    --------
    >>> Setting(0.0, 0.8).words()
    'φ, power × 0.8'
    """

    phase: float = 0.0
    power: float = 1.0
    trap: str = "all"
    phase_rate: float = 0.0

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Setting:
        """Light that a RELEASE event tells of."""
        power = float(payload.get("power", 1.0))
        trap = "all" if power == 1.0 else str(payload.get("trap", "all"))
        turns = float(payload.get("phase_rate", 0.0))
        return cls(float(payload.get("phase", 0.0)), power, trap, turns)

    def payload(self) -> dict[str, Any]:
        """What a RELEASE event tells of it: what is as set is left out."""
        told = {
            name: getattr(self, name)
            for name in ("phase", "power", "phase_rate")
            if getattr(self, name) != getattr(AS_SET, name)
        }
        return {**told, "trap": self.trap} if "power" in told else told

    def words(self) -> str:
        """Say it in words, φ first."""
        turned = "φ + π" if self.phase else "φ"
        if self.phase_rate:
            turned += f" turning {self.phase_rate:g} times a second"
        if self.power == 1.0:
            return turned
        of = "" if self.trap == "all" else f" of trap {self.trap}"
        return f"{turned}, power{of} × {self.power:g}"


AS_SET = Setting()
"""The light as it was set."""


def require_one_setting(settings: Sequence[Setting], what: str) -> None:
    """Refuse releases in different light, which one fit must not mix.

    Parameters
    ----------
    settings : sequence of Setting
        Light that occurs, each once.
    what : str
        Where, for the message.

    Raises
    ------
    InputError
        Says which light occurs and how to choose.
    """
    if len(settings) < 2:
        return
    how = []
    if len({one.phase for one in settings}) > 1:
        how.append("--phase as-set or --phase reversed (record.at_phase)")
    if shares := sorted({one.power for one in settings} - {settings[0].power}):
        powers = " or ".join(f"--power {share:g}" for share in sorted({settings[0].power, *shares}))
        how.append(f"{powers} (record.at_power)")
    if not how:
        how.append("record.at_power(…, trap=…)")
    found = "; ".join(one.words() for one in settings)
    raise InputError(
        f"{what} holds releases in different light ({found}), which one fit must not mix: choose "
        f"with {' and '.join(how)}"
    )
