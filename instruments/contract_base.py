"""What every contract check is made of: a promise, a refusal, a connected device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..models.errors import OptobindError

__all__ = ["ContractError", "Make", "connected", "refuses", "require"]

Make = Callable[[], Any]


class ContractError(AssertionError):
    """A promise of the family that a device does not keep."""


def require(good: bool, promise: str) -> None:
    """Raise :class:`ContractError` with the promise unless it is kept."""
    if not good:
        raise ContractError(promise)


def refuses(kind: type[OptobindError], promise: str, action: Callable[[], Any]) -> None:
    """See that an action raises an error of a kind with a text that says something."""
    try:
        action()
    except kind as error:
        require(bool(str(error).strip()), f"{promise}: the error has no text")
        return
    except Exception as error:
        raise ContractError(
            f"{promise}: raised {type(error).__name__} ({error}), not {kind.__name__}"
        ) from error
    raise ContractError(f"{promise}: nothing was raised")


@contextmanager
def connected(make: Make) -> Iterator[Any]:
    """Connect a new object and disconnect it in any case."""
    device = make()
    device.connect()
    try:
        yield device
    finally:
        device.disconnect()
