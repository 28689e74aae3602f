"""The four knobs of a pair of tweezers: requested, read back, and the ghost of a drag."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ...acquisition.prediction import NOTICEABLE_GROWTH
from ...models.errors import InputError
from ...models.light import TweezerState
from .units import (
    ANGLE,
    LENGTH,
    POWER,
    RATIO,
    Dimension,
    format_quantity,
    format_si,
    parse_quantity,
)

if TYPE_CHECKING:
    from ...acquisition.snapshots import LightPreview, LightSnapshot, SessionStatus
    from ...instruments.protocols import LightCapabilities

__all__ = ["KNOBS", "Knob", "KnobName", "LightModel", "python_line"]

KnobName = Literal["phi", "separation", "balance", "total_power"]


_MOST_UNDONE = 50


@dataclass(frozen=True)
class Knob:
    """One knob: names, dimension, range (SI), smallest useful step (SI), and its unit on screen."""

    name: KnobName
    title: str
    tip: str
    dimension: Dimension
    low: float
    high: float
    step: float
    unit: str

    @property
    def slider_high(self) -> float:
        """Upper end of the slider; a distance beyond it is typed.

        On a slider up to the 50 µm of a device, a pixel would be half a micrometre.
        """
        return min(self.high, 8.0 * self.low) if self.name == "separation" else self.high

    def text(self, value: float | None) -> str:
        """Write a value in the knob's unit."""
        if value is None:
            return "–"
        if self.name == "total_power":
            return format_quantity(value, self.dimension, unit=self.unit)
        sign = "+" if self.name == "balance" else ""
        number = value / self.dimension.factors[self.unit]
        return f"{number:{sign}.3f} {self.unit}".rstrip().replace("-", "−")

    def parse(self, text: str) -> float:
        """Read a value; a bare number is in the knob's unit.

        Raises
        ------
        InputError
            For a foreign unit or a value out of range.
        """
        return parse_quantity(
            text,
            self.dimension,
            default_unit=self.unit,
            low=self.low,
            high=self.high,
            name=self.title,
        )


KNOBS: tuple[Knob, ...] = (
    Knob("phi", "φ", "set phase φ₁ − φ₂ of the tweezers", ANGLE, -math.pi, math.pi, 0.02, "rad"),
    Knob("separation", "distance", "distance of the foci", LENGTH, 1e-6, 2e-5, 1e-8, "µm"),
    Knob("balance", "balance", "(P₂ − P₁)/(P₁ + P₂)", RATIO, -0.5, 0.5, 0.005, ""),
    Knob("total_power", "power", "P₁ + P₂", POWER, 1e-3, 1.0, 2e-3, "mW"),
)


def wrap_phase(phase: float) -> float:
    """Map to −π … π."""
    return math.remainder(phase, 2.0 * math.pi)


def knob_value(state: TweezerState | None, name: KnobName) -> float | None:
    """Value of a knob in a state of the light; None without a pair."""
    if state is None or len(state.sites) < 2:
        return None
    if name == "phi":
        return wrap_phase(state.relative_phase)
    if name == "separation":
        return state.separation
    if name == "balance":
        return state.balance
    return state.sites[0].power + state.sites[1].power


def python_line(values: Mapping[KnobName, float]) -> str:
    """Line of Python that repeats a command."""
    words = ", ".join(f"{name}={value:.6g}" for name, value in values.items())
    return f"session.set_light(session.light().requested.with_pair({words}))"


class LightModel:
    """State of the light panel."""

    def __init__(self) -> None:
        self.requested: TweezerState | None = None
        self.applied: TweezerState | None = None
        self.phase_error = 0.0
        self.held_by: str | None = None
        self.recorded = False
        self.available = True
        self.supported: dict[KnobName, bool] = {k.name: True for k in KNOBS}
        self.ghosts: dict[KnobName, float] = {}
        self.sent: dict[KnobName, float] = {}  # set, and not answered yet
        self.past: list[TweezerState] = []  # what undo goes back to, newest last
        self.knobs: dict[KnobName, Knob] = {k.name: k for k in KNOBS}

    def update(self, light: LightSnapshot, status: SessionStatus | None) -> None:
        """Take the newest light and the name of the run that holds the knobs."""
        self.requested = light.requested
        self.applied = None if light.applied is None else light.applied.state
        self.phase_error = 0.0 if light.applied is None else light.applied.phase_error
        self.held_by = None if status is None else status.held_by
        self.recorded = status is not None and status.mode == "RECORD"
        if self.held_by is not None:
            self.ghosts.clear()

    def limit(self, capabilities: LightCapabilities | None) -> None:
        """Take over the ranges of the device; None stands for a rig without light control."""
        self.available = capabilities is not None
        if capabilities is None:
            return
        low, high = capabilities.power_range
        d_low, d_high = capabilities.separation_range
        self.knobs["total_power"] = _ranged(self.knobs["total_power"], 2.0 * low, 2.0 * high)
        self.knobs["separation"] = _ranged(self.knobs["separation"], d_low, d_high)
        self.supported = {
            "phi": capabilities.phase,
            "separation": capabilities.position,
            "balance": capabilities.power,
            "total_power": capabilities.power,
        }

    @property
    def base(self) -> TweezerState | None:
        """State that a command changes: the requested one, else the one read back."""
        return self.requested if self.requested is not None else self.applied

    def requested_value(self, name: KnobName) -> float | None:
        """Value last asked for, also while the answer is on its way."""
        return self.sent.get(name, knob_value(self.base, name))

    def applied_value(self, name: KnobName) -> float | None:
        """Value read back from the devices."""
        return knob_value(self.applied, name)

    def enabled(self, name: KnobName) -> bool:
        """Whether the user may turn a knob now."""
        ready = self.available and self.held_by is None and self.supported[name]
        ready = ready and not self.recorded
        return ready and self.requested_value(name) is not None

    def differs(self, name: KnobName) -> bool:
        """Whether the value read back is visibly off the requested one."""
        want, have = self.requested_value(name), self.applied_value(name)
        if want is None or have is None:
            return False
        gap = abs(wrap_phase(want - have)) if name == "phi" else abs(want - have)
        return gap > max(self.knobs[name].step, self.phase_error if name == "phi" else 0.0)

    def drag(self, name: KnobName, value: float) -> None:
        """Move the ghost."""
        knob = self.knobs[name]
        self.ghosts[name] = min(max(value, knob.low), knob.high)

    def cancel(self, name: KnobName) -> None:
        """Drop the ghost."""
        self.ghosts.pop(name, None)

    def commit(self, name: KnobName, value: float) -> TweezerState:
        """Return the state to set for a new value of a knob, and drop its ghost.

        Raises
        ------
        InputError
            If the knobs are held by a run, or there is no pair of tweezers.
        """
        return self.commit_all({name: value})

    def commit_all(self, values: Mapping[KnobName, float]) -> TweezerState:
        """Return the state to set for new values of several knobs; errors as :meth:`commit`."""
        for name in values:
            self.cancel(name)
        names = " and ".join(values)
        if self.held_by is not None:
            raise InputError(f"{names} is held by {self.held_by}; stop the run to turn it")
        base = self.base
        if base is None or len(base.sites) < 2:
            raise InputError(f"{names} needs a pair of tweezers; connect the devices first")
        self.remember()
        self.sent.update(values)
        return base.with_pair(**self.sent)

    def remember(self) -> None:
        """Keep the light of before a command for undo; commands under way count as one."""
        if self.base is not None and not self.sent and self.past[-1:] != [self.base]:
            self.past = [*self.past, self.base][-_MOST_UNDONE:]

    def answered(self) -> None:
        """No command is under way any more: what holds is what the session says."""
        self.sent.clear()

    def ghost_state(self) -> TweezerState | None:
        """Light that a release of the ghost would set; None without one."""
        base = self.base
        if not self.ghosts or base is None or len(base.sites) < 2:
            return None
        return base.with_pair(**{**self.sent, **self.ghosts})

    def note(self) -> tuple[str, str]:
        """Line under the knobs, with its severity ("info" or "warning")."""
        if self.recorded:
            if self.base is None:
                return "The record does not tell its light.", "info"
            return "RECORD, read only: the light at the end of the stretch, as read back.", "info"
        if not self.available:
            return "This rig has no light control.", "info"
        if self.held_by is not None:
            return f"held by {self.held_by}", "info"
        if self.base is None:
            return "Connect the devices to read the light.", "info"
        if len(self.base.sites) < 2:
            return "One tweezer: there is no pair to set.", "info"
        return (
            "φ is set at the foci; at the particles, which settle behind them, it differs.",
            "info",
        )


def _ranged(knob: Knob, low: float, high: float) -> Knob:
    """Return the knob with a range and a step of 1/200 of it at most; a fixed value keeps its."""
    step = min(knob.step, (high - low) / 200.0) if high > low else knob.step
    return Knob(knob.name, knob.title, knob.tip, knob.dimension, low, high, step, knob.unit)


def preview_text(preview: LightPreview | None) -> tuple[str, str]:
    """What a light is expected to do before it is set, with its severity."""
    if preview is None:
        return "computing what this light would do …", "info"
    if not preview.trapped:
        return "at this light the particles would be LOST: nothing holds them", "error"
    parts = []
    for name, symbol in (("g_r", "gᵣ"), ("g_a", "gₐ"), ("re_D12", "Re D₁₂")):
        if name in preview.pair:
            parts.append(f"{symbol} {format_si(preview.pair[name] / (2.0 * math.pi), 'Hz', 3)}")
    growth = preview.growth or 0.0
    if growth > NOTICEABLE_GROWTH:
        parts.append(f"UNSTABLE without feedback: amplitudes grow at {growth:.3g} /s")
        return "trapped · " + " · ".join(parts), "warning"
    return "trapped · " + " · ".join([*parts, "stable"]), "info"


def growth_text(status: SessionStatus | None) -> str:
    """Warn of an unstable model; empty when stable or unknown."""
    if status is None:
        return ""
    if status.growth_rate is not None and status.growth_rate > 0.0:
        return f"UNSTABLE: amplitudes grow at {status.growth_rate:.3g} /s at this light"
    growth = status.open_loop_growth
    if growth is None or growth <= NOTICEABLE_GROWTH:
        return ""
    grow = f"amplitudes grow at {growth:.3g} /s by the rig's model"
    if status.feedback is not True:
        return f"UNSTABLE without feedback: {grow}"
    # That feedback holds it is known of the simulated world only, and of all its particles.
    if status.growth_rate is None or status.lost:
        return f"While feedback is off {grow}"
    return f"Held by feedback: during a release {grow}"
