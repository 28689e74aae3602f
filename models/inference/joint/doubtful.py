"""Records that their own model does not describe: their errors are too small to be weighed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import InputError
from .parts import Measured

__all__ = ["DOUBTFUL", "described", "left_out"]

DOUBTFUL = 1e-6
"""p-value of a record's own fit below which a global fit leaves it out."""


def _p_value(one: Measured) -> float:
    """Of its own fit; 1 where too few degrees of freedom say nothing."""
    found = one.result.statistics.get("p_value")
    return 1.0 if found is None else float(found)


def left_out(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """Names and p-values of doubtful records, as JSON values."""
    return [
        {"name": one.name, "p_value": _p_value(one)} for one in measured if _p_value(one) < DOUBTFUL
    ]


def described(
    measured: Sequence[Measured], *, keep: bool = False
) -> tuple[list[Measured], list[str]]:
    """Records that a global fit may use, and what is to be said of the others.

    Parameters
    ----------
    measured : sequence of Measured
        All of them.
    keep : bool
        Whether doubtful ones are used all the same.

    Raises
    ------
    InputError
        If none is left.
    """
    doubtful = left_out(measured)
    if not doubtful:
        return list(measured), []
    named = ", ".join(f"{one['name']} (p = {one['p_value']:.1e})" for one in doubtful)
    what = f"not described by their own fits (p < {DOUBTFUL:g}): {named}"
    if keep:
        return list(measured), [f"{what}; used all the same, their errors are too small"]
    used = [one for one in measured if _p_value(one) >= DOUBTFUL]
    if not used:
        raise InputError(
            f"no record is left: all are {what}; look at each with optobind fit spectrum or fit "
            "reheating, or use them all the same (keep_doubtful=True, --keep-doubtful)"
        )
    return used, [f"left out, {what}; keep_doubtful uses them all the same"]
