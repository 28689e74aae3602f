"""Set-up tables of a report: the rig as its file states it, and what follows from it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ...models.array import TrapArray
from .html import columns, definition, table

__all__ = ["coupling_tables", "setup_tables"]

_LISTS = ("particles", "tweezers", "detectors")


def setup_tables(document: Mapping[str, Any], trap: TrapArray | None) -> str:
    """Write the rig's document, which carries its units, as tables.

    Parameters
    ----------
    document : mapping
        A rig as in its TOML file.
    trap : TrapArray or None
        For what follows from it: masses, equilibrium, frequencies, gas damping.
    """
    plain = [(k, v) for k, v in document.items() if not isinstance(v, Mapping | list)]
    parts = [definition([(key.replace("_", " "), _text(value)) for key, value in plain])]
    parts += [_numbered(name, document.get(name) or []) for name in _LISTS]
    gas = document.get("gas")
    if isinstance(gas, Mapping):
        parts.append(definition([(k, _text(v)) for k, v in gas.items()], caption="gas"))
    parts.append(_devices(document.get("devices")))
    if trap is not None:
        parts.append(_derived(trap))
    return columns(*parts)


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(entry) for entry in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def _numbered(name: str, entries: Sequence[Mapping[str, Any]]) -> str:
    """Write a list of tables of one kind side by side, counted from 1 as in formulas."""
    keys = list(dict.fromkeys(key for entry in entries for key in entry))
    rows = [[key.replace("_", " "), *(_text(e.get(key, "–")) for e in entries)] for key in keys]
    return table(("", *map(str, range(1, len(entries) + 1))), rows, caption=name)


def _devices(devices: Any) -> str:
    if not isinstance(devices, Mapping):
        return ""
    rows = [
        (family, ", ".join(f"{key.replace('_', ' ')} {_text(v)}" for key, v in settings.items()))
        for family, settings in devices.items()
        if isinstance(settings, Mapping)
    ]
    return definition(rows, caption="devices")


def _derived(trap: TrapArray) -> str:
    """Say what the models make of the particles, light and gas."""
    places = trap.positions("equilibrium")
    omegas = trap.axial_omegas(places)
    gammas = trap.coefficients(places).gamma
    rows = [
        ("mass (fg)", *(f"{1e18 * m:.4g}" for m in trap.masses)),
        ("equilibrium x, y, z (nm)", *(", ".join(f"{1e9 * c:.1f}" for c in p) for p in places)),
        ("axial frequency without binding (kHz)", *(f"{w / math.tau / 1e3:.3f}" for w in omegas)),
        ("gas damping γ/2π (Hz)", *(f"{g / math.tau:.3g}" for g in gammas)),
    ]
    header = ("", *map(str, range(1, len(places) + 1)))
    return table(header, rows, caption="computed at equilibrium")


def coupling_tables(couplings: Mapping[str, Any]) -> str:
    """Write predicted couplings as ``optobind couplings`` gives them; rates divided by 2π."""
    exact, far = couplings["exact"], couplings["far_field"]
    rows = []
    for label, pick in _COUPLINGS:
        texts = [
            "–" if source is None else f"{pick(source) / math.tau:.2f}" for source in (exact, far)
        ]
        rows.append((label, *texts))
    if far is not None:
        rows.append(("G", "–", f"{far['G'] / math.tau:.2f}"))
    regimes = [flag.replace("_", "-") for flag, on in couplings["regime"].items() if on]
    facts = [
        ("kd of the foci", f"{couplings['kd']:.4f}"),
        ("φ at the foci (set)", f"{couplings['phi']:.4f} rad"),
        ("φ at the particles", f"{couplings['phi_local']:.4f} rad"),
        ("regime", ", ".join(regimes) or "none"),
        (
            "heating of common and differential motion differs by",
            f"{couplings['heating_rate_difference_percent']:.2f} %",
        ),
    ]
    head = ("rate/2π (Hz)", "exact", "far field")
    return columns(table(head, rows, caption="couplings from first principles"), definition(facts))


_COUPLINGS: tuple[tuple[str, Any], ...] = (
    ("g_r", lambda v: v["g_r"]),
    ("g_a", lambda v: v["g_a"]),
    ("g_r + g_a (2 acts on 1)", lambda v: v["g_r"] + v["g_a"]),
    ("g_r − g_a (1 acts on 2)", lambda v: v["g_r"] - v["g_a"]),
    ("D₁₁", lambda v: v["D"][0][0][0]),
    ("D₂₂", lambda v: v["D"][1][1][0]),
    ("Re D₁₂", lambda v: v["D"][0][1][0]),
    ("Im D₁₂", lambda v: v["D"][0][1][1]),
)
