"""Messages: frozen data and arrays as bytes, and back to the last digit.

A message is a JSON head, its length before it and the numbers of its arrays behind it. What JSON
cannot hold is an object with the key ``"$"``: a tuple, an array, a class of the vocabulary, a
number that is not finite.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from pathlib import Path
from typing import Any

import numpy as np

from ...models.errors import InputError
from ...models.json_values import json_text
from .vocabulary import class_named, name_of

__all__ = ["pack", "unpack"]

_LENGTH = struct.Struct(">I")
_KINDS = "biufc"  # of arrays: numbers only
_STAYS = {"FitResult": ("fitted",)}  # the likelihood with its data stays where it is


def pack(value: Any) -> bytes:
    """Write a value.

    Raises
    ------
    InputError
        If it holds anything that does not travel.
    """
    blobs: list[bytes] = []
    head = json_text(_written(value, blobs)).encode()
    return b"".join((_LENGTH.pack(len(head)), head, *blobs))


def unpack(message: bytes) -> Any:
    """Read what :func:`pack` wrote; arrays are the reader's own.

    Raises
    ------
    InputError
        For anything else, also a value that its class refuses.
    """
    try:
        (length,) = _LENGTH.unpack_from(message)
        end = _LENGTH.size + length
        if end > len(message):
            raise ValueError("cut short")
        return _read(json.loads(message[_LENGTH.size : end]), message, end)
    except InputError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, struct.error, RecursionError) as error:
        raise InputError(f"a message that cannot be read: {type(error).__name__}") from None


def _written(value: Any, blobs: list[bytes]) -> Any:
    if isinstance(value, Enum):
        return {"$": _known(value), "v": value.value}
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.ndarray):
        return _written_array(value, blobs)
    if isinstance(value, np.generic):
        return _written(value.item(), blobs)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$": "float", "v": repr(value)}
    if isinstance(value, complex):
        return {"$": "complex", "v": [_written(x, blobs) for x in (value.real, value.imag)]}
    if isinstance(value, list | tuple):
        items = [_written(item, blobs) for item in value]
        return items if isinstance(value, list) else {"$": "tuple", "v": items}
    if isinstance(value, Mapping):
        return _written_mapping(value, blobs)
    if isinstance(value, Path):
        return {"$": "path", "v": str(value)}
    name = _known(value)
    left_out = _STAYS.get(name, ())
    kept = [f.name for f in fields(value) if f.init and f.name not in left_out]
    return {"$": name, "v": {key: _written(getattr(value, key), blobs) for key in kept}}


def _known(value: Any) -> str:
    name = name_of(value)
    if name is None:
        raise InputError(f"a {type(value).__name__} cannot be sent to or from a remote")
    return name


def _written_array(value: Any, blobs: list[bytes]) -> dict[str, Any]:
    if value.dtype.kind not in _KINDS:
        raise InputError(f"an array of {value.dtype} cannot be sent to or from a remote")
    begin = sum(map(len, blobs))
    blobs.append(value.tobytes())
    return {"$": "array", "dtype": value.dtype.str, "shape": list(value.shape), "at": begin}


def _written_mapping(value: Mapping[Any, Any], blobs: list[bytes]) -> Any:
    if all(type(key) is str and key != "$" for key in value):
        return {key: _written(entry, blobs) for key, entry in value.items()}
    pairs = [[_written(key, blobs), _written(entry, blobs)] for key, entry in value.items()]
    return {"$": "map", "v": pairs}


def _read(tree: Any, message: bytes, base: int) -> Any:
    if isinstance(tree, list):
        return [_read(item, message, base) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "$" not in tree:
        return {key: _read(entry, message, base) for key, entry in tree.items()}
    kind = tree["$"]
    if kind == "array":
        return _read_array(tree, message, base)
    value = tree["v"]
    if kind == "path":
        return Path(value)
    if kind == "float":
        return float(value)
    found = _read(value, message, base)
    if kind == "tuple":
        return tuple(found)
    if kind == "complex":
        real, imaginary = found
        return complex(real, imaginary)
    if kind == "map":
        return dict(found)
    made = class_named(kind)
    if made is None:
        raise InputError("a message names a class that does not travel")
    return made(found) if issubclass(made, Enum) else made(**found)


def _read_array(tree: dict[str, Any], message: bytes, base: int) -> Any:
    dtype, shape = np.dtype(str(tree["dtype"])), tuple(tree["shape"])
    count, at = math.prod(shape), tree["at"]
    if dtype.kind not in _KINDS or min((0, at, *shape)) < 0:
        raise ValueError("no array of numbers")
    return np.frombuffer(message, dtype, count, base + at).reshape(shape).copy()
