"""``optobind status``: what a running experiment does, asked of it over its channel."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ..models.errors import DeviceError, InputError
from ..models.json_values import json_text
from ..models.prefixes import engineering
from ..models.shown import one_line
from .output import print_json, print_result, print_text, warn
from .signals import Endings, collected_endings

if TYPE_CHECKING:
    from ..acquisition.remote.client import RemoteSession
    from ..acquisition.snapshots import FitSnapshot, LightSnapshot, SessionStatus

__all__ = ["StatusOptions", "show_status"]

_EVERY_SECONDS = 1.0  # between two looks of --follow
_LOOK_SECONDS = 0.05  # between two looks for a signal


@dataclass(frozen=True)
class StatusOptions:
    """Options of ``status`` as they were given."""

    follow: bool = False
    address: bool = False
    take_back: bool = False
    as_json: bool = False


def show_status(where: str | None, options: StatusOptions) -> None:
    """Print what an experiment does, once or until it ends.

    Raises
    ------
    InputError
        If there is no such experiment, or options contradict each other.
    DeviceError
        If it does not answer.
    Interrupted
        After a signal.
    """
    from ..acquisition.remote.client import connect

    if sum((options.follow, options.address, options.take_back)) > 1:
        raise InputError("--follow, --address and --take-back are given one at a time")
    with collected_endings() as endings, connect(where) as remote:
        endings.raise_if_any()
        if options.address:
            print_result(remote.url)
        elif options.take_back:
            _take_back(remote)
        elif options.follow:
            _follow(remote, endings, options.as_json)
        elif options.as_json:
            print_json(_values(remote))
        else:
            print_result("\n".join(_lines(remote)))


def _take_back(remote: RemoteSession) -> None:
    """Take the knobs from whoever holds them, and hold them no longer than that."""
    owner = remote.owner
    with remote.take(force=True):
        pass
    print_result(f"taken back from {owner}" if owner else "no remote held the knobs")


def _follow(remote: RemoteSession, endings: Endings, as_json: bool) -> None:
    """Print a line whenever something has changed, and the new lines of the log on stderr."""
    said = ""
    remote.take_log()  # what was before
    while True:
        try:
            text = json_text(_values(remote)) if as_json else _line(remote.status())
            new = [f"{entry.level}: {entry.text}" for entry in remote.take_log()]
        except DeviceError:
            if not remote.ended:
                raise
            warn([f"{remote.name} has ended"])
            return
        warn(new)
        if text != said:
            print_text(text + "\n")
            said = text
        until = time.monotonic() + _EVERY_SECONDS
        while time.monotonic() < until and not remote.ended:
            endings.raise_if_any()
            time.sleep(_LOOK_SECONDS)


def _values(remote: RemoteSession) -> dict[str, Any]:
    """All that is known as JSON values, SI."""
    status, light, fit = remote.status(), remote.light(), remote.fit()
    devices = [{**asdict(device), "state": device.state.value} for device in status.devices]
    applied = None if light.applied is None else asdict(light.applied)
    found = None if fit is None else {"error": fit.error, "result": None}
    if fit is not None and found is not None and fit.result is not None:
        found["result"] = fit.result.to_dict()  # type: ignore[assignment]
    return {
        "name": remote.name,
        "owner": remote.owner,
        **asdict(status),
        "devices": devices,
        "light": applied,
        "fit": found,
    }


def _lines(remote: RemoteSession) -> list[str]:
    """All that is known for reading; what is not known is left out."""
    status, light, fit, owner = remote.status(), remote.light(), remote.fit(), remote.owner
    made: tuple[Callable[[], list[str]], ...] = (
        lambda: _run_lines(status),
        lambda: _state_lines(status),
        lambda: _light_lines(light),
        lambda: _device_lines(status),
        lambda: _fit_lines(fit, status),
    )
    steered = [f"  steered by   {one_line(owner)}"] if owner else []
    head = f"{one_line(remote.name)} {_line(status)}"
    return [head, *(line for one in made for line in one()), *steered]


def _line(status: SessionStatus) -> str:
    """One line: mode, state, message, progress and samples."""
    parts = [status.mode, status.state if status.held_by is None else status.held_by]
    if status.state not in ("idle", "running"):
        parts.append(status.state)
    if status.held_by is None and status.streaming:
        parts.append("live display")
    if status.message:
        parts.append(one_line(status.message))
    if status.progress is not None and status.held_by is not None:
        parts.append(f"{100.0 * status.progress:.0f} %")
    if status.held_by is not None:
        parts.append(f"{status.recorded:,} samples")
    if status.lost_samples:
        parts.append(f"{status.lost_samples:,} LOST")
    if status.lost:
        parts.append("PARTICLE LOST")
    if status.saturated:
        parts.append("SATURATED")
    return ", ".join(parts)


def _run_lines(status: SessionStatus) -> list[str]:
    if status.recording is None or status.held_by is None:
        return []
    lines = [f"  run file     {one_line(status.recording)}"]
    if status.releases is not None:
        lines.append(f"  releases     {status.releases.words(so_far=True)}")
    if status.disk_seconds is not None:
        lines.append(f"  disk         full in {status.disk_seconds / 3600.0:.3g} h at this rate")
    return lines


def _state_lines(status: SessionStatus) -> list[str]:
    feedback = {True: "on", False: "OFF", None: "not known"}[status.feedback]
    lines = [f"  feedback     {feedback}"]
    if status.pressure is not None:
        lines.append(f"  pressure     {engineering(status.pressure, 'Pa')}")
    if status.growth_rate is not None:
        lines.append(f"  growth       {status.growth_rate:.4g} 1/s, feedback as it is")
    return [*lines, *(f"  monitor      {one_line(text)}" for text in status.monitors)]


def _light_lines(light: LightSnapshot) -> list[str]:
    if light.applied is None:
        return ["  light        not known"]
    state = light.applied.state
    lines = [
        f"  trap {number}       {engineering(site.power, 'W')}, {site.phase:.6g} rad"
        + (f", {site.detuning:+.6g} Hz" if site.detuning else "")
        for number, site in enumerate(state.sites, 1)
    ]
    if len(state.sites) == 2:
        distance = engineering(state.separation, "m")
        lines.append(f"  φ, distance  {state.relative_phase:.6g} rad, {distance}")
    return lines


def _device_lines(status: SessionStatus) -> list[str]:
    """Devices that are not as they should be."""
    return [
        f"  {device.family:<12} {device.state.value.upper()}: {one_line(device.detail)}"
        for device in status.devices
        if device.state.value == "faulted"
    ]


def _fit_lines(fit: FitSnapshot | None, status: SessionStatus) -> list[str]:
    from ..models.inference.report import fit_report

    if fit is None:
        return []
    if fit.result is None:
        return [f"  live fit     none: {one_line(fit.error)}"]
    old = "" if fit.basis == status.basis else " (of another light or other settings than now)"
    report = fit_report(fit.result, correlations=False).splitlines()
    return [f"  live fit{old}", *(f"    {line}" for line in report)]
