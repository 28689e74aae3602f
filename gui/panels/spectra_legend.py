"""The line above the spectra: names of the curves in their colours, averages, how old they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...acquisition.snapshots import SpectrumSnapshot
from ..plain import in_html
from ..theme import Theme
from ..viewmodels.spectra_units import resolution_bandwidth
from ..viewmodels.units import FREQUENCY, format_quantity

__all__ = ["LegendState", "legend_html"]


@dataclass(frozen=True)
class LegendState:
    """What is drawn besides the spectra.

    Attributes
    ----------
    fit : str
        "fit", "old fit", or empty for none.
    references : sequence of str
        Names.
    warning : str
        Why the picture stands still.
    before : str
        What has changed since: "light" or "stretch"; empty for nothing.
    ghost : str
        When the spectrum of the past was taken; empty for none.
    held : int
        Of how many spectra largest and smallest densities are held; 0 for none.
    """

    fit: str = ""
    references: Sequence[str] = ()
    warning: str = ""
    before: str = ""
    ghost: str = ""
    held: int = 0


def legend_html(
    snapshot: SpectrumSnapshot, state: LegendState, theme: Theme, most_channels: int
) -> str:
    """Write the legend as HTML; names of channels are plain text."""
    parts = []
    for index, name in enumerate(snapshot.channels[:most_channels]):
        number = index + 1
        parts.append(
            _colored(theme.channel(index), f"━ S<sub>{number}{number}</sub> {in_html(name)}")
        )
    if len(snapshot.channels) > 1:
        parts.append(_colored(theme.cross, "━ |S<sub>12</sub>|"))
    if state.fit:
        parts.append(_colored(theme.fit if state.fit == "fit" else theme.muted, f"╌ {state.fit}"))
    for index, name in enumerate(state.references):
        parts.append(_colored(theme.references[index], f"┄ {in_html(name)}"))
    if state.ghost:
        parts.append(_colored(theme.color("rec"), f"╌ at {in_html(state.ghost)}"))
    if state.held:
        parts.append(_colored(theme.muted, f"┄ extremes of {state.held} spectra"))
    csd = snapshot.csd
    averages = csd.effective_averages or csd.averages
    bin_text = format_quantity(csd.bin_width, FREQUENCY, digits=3)
    width = format_quantity(resolution_bandwidth(csd), FREQUENCY, digits=3)
    parts.append(_colored(theme.muted, f"{averages:.0f} averages · bin {bin_text} · RBW {width}"))
    if state.before:
        parts.append(_colored(theme.muted, f"of the {state.before} before"))
    elif state.warning:
        parts.append(_colored(theme.color("warning"), in_html(state.warning)))
    return " &nbsp; ".join(parts)


def _colored(color: str, html: str) -> str:
    return f"<span style='color:{color}'>{html}</span>"
