"""Rows of the rig panel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...acquisition.snapshots import SessionStatus

__all__ = ["DeviceRow", "device_rows", "pressure_text"]

_LAMPS = {
    "disconnected": "off",
    "connecting": "busy",
    "ready": "good",
    "running": "good",
    "faulted": "bad",
}


@dataclass(frozen=True)
class DeviceRow:
    """A device: family, name, driver, word and lamp of its state, identity or error."""

    family: str
    name: str
    driver: str
    state: str
    lamp: str
    detail: str


def device_rows(status: SessionStatus) -> tuple[DeviceRow, ...]:
    """One row per device."""
    return tuple(
        DeviceRow(
            d.family, d.name, d.driver, d.state.value, _LAMPS.get(d.state.value, "off"), d.detail
        )
        for d in status.devices
    )


def pressure_text(pascal: float | None) -> str:
    """Pressure in mbar, as gauges show it."""
    if pascal is None:
        return "–"
    return f"{pascal / 100.0:.2e} mbar".replace("e-0", "e-").replace("e-", "e−")


def connected(status: SessionStatus) -> bool:
    """Whether any device is connected or connecting."""
    return any(d.state.value in ("connecting", "ready", "running") for d in status.devices)
