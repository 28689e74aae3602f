"""Errors that travel: a remote raises the kind that the session raised, with its text."""

from __future__ import annotations

from typing import Any

from ...models import errors
from ...models.errors import OptobindError
from .wire import pack, unpack

__all__ = ["failure_of", "raised"]


def failure_of(error: BaseException) -> bytes:
    """Write an error; one that is a bug is an OptobindError of exit code 1 at the other end."""
    if not isinstance(error, OptobindError):
        return pack({"kind": "OptobindError", "text": f"internal error: {error!r}", "code": 1})
    kind = next(c.__name__ for c in type(error).__mro__ if hasattr(errors, c.__name__))
    told: dict[str, Any] = {"kind": kind, "text": str(error), "code": error.exit_code}
    if isinstance(error, errors.UnstableModelError):
        told["growth_rate"] = error.growth_rate
    return pack(told)


def raised(message: bytes) -> OptobindError:
    """Return the error that :func:`failure_of` wrote."""
    told = unpack(message)
    kind = getattr(errors, str(told["kind"]), OptobindError)
    if not (isinstance(kind, type) and issubclass(kind, OptobindError)):
        kind = OptobindError
    error: OptobindError = kind.__new__(kind)  # its text is there already
    Exception.__init__(error, str(told["text"]))
    if error.exit_code != told["code"]:
        error.exit_code = int(told["code"])
    if "growth_rate" in told:
        error.growth_rate = float(told["growth_rate"])  # type: ignore[attr-defined]
    return error
