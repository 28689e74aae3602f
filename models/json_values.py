"""Values as strict JSON: what files, the command line and reports hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["json_text", "json_values"]


def json_values(value: Any) -> Any:
    """Turn numpy values, complex numbers, tuples and paths into JSON values.

    NaN and infinity become null, complex numbers [real, imaginary].

    Examples
    --------
    >>> json_values({"D": 1 + 2j, "p": float("nan"), 3: (True,)})
    {'D': [1.0, 2.0], 'p': None, '3': [True]}
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, complex):
        return [json_values(value.real), json_values(value.imag)]
    if isinstance(value, Mapping):
        return {str(key): json_values(entry) for key, entry in value.items()}
    if hasattr(value, "tolist"):  # arrays and scalars of numpy
        return json_values(value.tolist())
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [json_values(entry) for entry in value]
    return str(value)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Encode as strict JSON in ASCII."""
    if indent is None:
        try:  # what a run writes by the thousand is plain already
            return json.dumps(value, ensure_ascii=True, allow_nan=False)
        except (TypeError, ValueError):
            pass
    return json.dumps(json_values(value), ensure_ascii=True, allow_nan=False, indent=indent)
