"""How objects that hold arrays show themselves: a line, never the numbers of an array."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

__all__ = ["short_repr"]

_LONGEST = 48  # characters of one attribute
_SHOWN = 8  # attributes


def short_repr(thing: Any) -> str:
    """Write a dataclass in one line: small values as they are, arrays by their shapes.

    Assign it in the body of the class: ``__repr__ = short_repr``.

    Parameters
    ----------
    thing : object
        Of a dataclass.

    Returns
    -------
    str
        At most about 400 characters.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> @dataclass
    ... class Curve:
    ...     label: str
    ...     values: np.ndarray
    ...     __repr__ = short_repr
    >>> Curve("E1", np.zeros((3, 1000)))
    <Curve: label='E1', values (3, 1000)>
    """
    shown = [field.name for field in fields(thing) if field.repr]
    parts = [_part(name, getattr(thing, name)) for name in shown[:_SHOWN]]
    more = [f"… {len(shown) - _SHOWN} more"] if len(shown) > _SHOWN else []
    return f"<{type(thing).__name__}: {', '.join([*parts, *more])}>"


def _part(name: str, value: Any) -> str:
    """One attribute."""
    if isinstance(value, np.ndarray):
        return f"{name} {value.shape}" if value.ndim else f"{name}={value.item()!r}"
    if isinstance(value, float):
        return f"{name}={value:.6g}"
    if isinstance(value, tuple | list | dict) and len(value) > 4:
        return f"{name} of {len(value)}"
    text = " ".join(repr(value).split())
    return f"{name}={text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'}"
