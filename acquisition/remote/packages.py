"""The package that carries messages, an extra: loaded when a session is served or connected to."""

from __future__ import annotations

import importlib

from ...models.errors import InputError

__all__ = ["require_websockets"]


def require_websockets() -> None:
    """Raise InputError with the remedy if the package websockets is missing or too old."""
    try:
        importlib.import_module("websockets.asyncio.server")
        importlib.import_module("websockets.sync.client")
    except ImportError as error:
        raise InputError(
            f"remotes need the package websockets ({error}); install it with: "
            "pip install 'optobind[remote]'"
        ) from None
