"""Two runs side by side: what was set differently, and how far the fitted values are apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...models.inference.parameters import symbol_of
from .fit import shown
from .units import value_with_error

__all__ = ["ComparedRow", "ComparisonView", "comparison_view"]

_FAR = 3.0
_MOST_SETTINGS = 200


@dataclass(frozen=True)
class ComparedRow:
    """A parameter: symbol, value of one and of the other run, distance in σ, whether it is far."""

    symbol: str
    one: str
    other: str
    deviation: str
    far: bool


@dataclass(frozen=True)
class ComparisonView:
    """Rows of values, and rows (setting, one, other) of what was set differently."""

    rows: tuple[ComparedRow, ...]
    settings: tuple[tuple[str, str, str], ...]
    verdict: str


def comparison_view(found: Mapping[str, Any]) -> ComparisonView:
    """Turn the JSON of ``optobind compare`` into rows.

    Parameters
    ----------
    found : mapping
        ``values`` by parameter and ``settings`` by key path.
    """
    rows = tuple(_row(name, entry) for name, entry in found["values"].items())
    settings = tuple(
        (key, _text(pair[0]), _text(pair[1]))
        for key, pair in list(found["settings"].items())[:_MOST_SETTINGS]
    )
    far = [row.symbol for row in rows if row.far]
    if not rows:
        verdict = "no parameter could be compared: both runs must be fitted by one model"
    elif far:
        verdict = f"more than {_FAR:g} σ apart: {', '.join(far)}"
    else:
        verdict = f"all {len(rows)} parameters agree within {_FAR:g} σ"
    return ComparisonView(rows, settings, verdict)


def _row(name: str, entry: Mapping[str, Any]) -> ComparedRow:
    texts = []
    for key in ("a", "b"):
        value, stderr = entry[key]
        number, unit = shown(float(value), str(entry["unit"]))
        error = None if stderr is None else shown(float(stderr), str(entry["unit"]))[0]
        text, prefixed = value_with_error(number, error, unit)
        texts.append(f"{text} {prefixed}".rstrip())
    deviation = entry.get("deviation")
    pull = "–" if deviation is None else f"{deviation:+.1f} σ".replace("-", "−")
    far = deviation is not None and abs(deviation) > _FAR
    return ComparedRow(symbol_of(name), texts[0], texts[1], pull, far)


def _text(value: Any) -> str:
    text = "–" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
