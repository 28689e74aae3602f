"""What ``optobind seek`` does: the plan of a point, and what is said of it in the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..models.errors import InputError
from ..models.inference.seeking.targets import point_called

if TYPE_CHECKING:
    from ..acquisition.sweeps.seeking import Verdict
    from .run import RunOptions

__all__ = ["NOT_REACHED", "SeekOptions", "seek_point", "verdict_lines"]

NOT_REACHED = 3
"""Exit code of a seek that ended elsewhere."""


@dataclass(frozen=True)
class SeekOptions:
    """Options of ``seek`` as they were given."""

    point: str
    accuracy: str | None = None
    max_settings: int | None = None
    allow_unstable: bool = False


def seek_point(
    wanted: SeekOptions, rig: str, out: Path | None, settings: Sequence[str], options: RunOptions
) -> int:
    """Carry out the shipped plan of a seek with what was given; return the exit code."""
    from ..config.overrides import split_overrides
    from .run import run_plan_on_rig

    point = point_called(wanted.point)
    of_rig, of_plan = split_overrides(settings)
    given = [f'point="{point}"']
    if wanted.accuracy is not None:
        given.append(f'accuracy="{wanted.accuracy}"')
    if wanted.max_settings is not None:
        given.append(f"max_settings={wanted.max_settings}")
    if wanted.allow_unstable:
        given.append("allow_unstable=true")
    if any(setting.partition("=")[0].strip() == "point" for setting in of_plan):
        raise InputError("the point is named once: optobind seek POINT, without --set plan.point")
    plan = [f"plan.{setting}" for setting in (*given, *of_plan)]
    return run_plan_on_rig("seek", rig, out, [*of_rig, *plan], options)


def verdict_lines(verdict: Verdict) -> list[str]:
    """Say how a seek ended, where the rig stands, and what was calibrated on the way."""
    v = verdict.values
    lines = [f"{v['point']}: {verdict.state}" + (f"; {verdict.why}" if verdict.why else "")]
    if "light" not in v:
        return lines
    light = v["light"]
    lines.append(
        f"light: phi {light['phi']:.4f} rad, distance {1e6 * light['distance']:.4f} um, balance "
        f"{light['balance']:.4f}"
    )
    vanishing = ", ".join(_hertz(one) for one in v["vanishing"])
    share = v["amplitude"]["value"] / v["rate"]
    lines.append(
        f"vanishing/2π: {vanishing}; amplitude/2π: {_hertz(v['amplitude'])} ({share:.3f} G/kd)"
    )
    known: dict[str, Any] = v["calibration"]
    kd, phi, balance = (known[n] for n in ("kd_0", "phi_0", "balance_0"))
    lines.append(
        f"calibrated: phi + {phi['value']:.3f} ± {phi['stderr']:.3f} rad, kd + "
        f"{kd['value'] / math.pi:.4f} ± {kd['stderr'] / math.pi:.4f} π, balance + "
        f"{balance['value']:.4f} ± {balance['stderr']:.4f}"
    )
    return lines


def _hertz(found: dict[str, float]) -> str:
    value, error = (found[n] / math.tau for n in ("value", "stderr"))
    return f"{value:.1f} ± {error:.1f} Hz"
