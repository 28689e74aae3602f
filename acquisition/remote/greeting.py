"""The first words of a remote and its experiment: both prove that they know the token."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

from ...models.errors import DeviceError, InputError, OptobindError
from ...models.shown import one_line
from .addresses import Address
from .knobs import Seat
from .proof import new_number, proof, proves

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection
    from websockets.sync.client import ClientConnection

__all__ = ["PROTOCOL", "SECONDS", "RefusedError", "greet", "introduce", "refusal"]

PROTOCOL = 1
"""Number of the form of messages; both sides must have the same."""

SECONDS = 5.0
"""Longest wait for each of the first words, s."""

_MAX_BYTES = 4096
_LONGEST_NAME = 60
_WRONG_TOKEN, _WRONG_WORDS, _TOO_MANY = 4401, 4400, 4429


class RefusedError(Exception):
    """A remote that is not let in; its text goes to the other end."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code, self.reason = code, reason


async def greet(
    line: ServerConnection, token: str, local_token: str, there: int, most: int
) -> Seat:
    """Let a remote in.

    Parameters
    ----------
    line : ServerConnection
        Just opened.
    token, local_token : str
        The secret of everybody who may come, and that of the user who runs the experiment.
    there, most : int
        Remotes that are connected, and may be.

    Raises
    ------
    RefusedError
        With the reason.
    """
    number = new_number()
    try:
        async with asyncio.timeout(SECONDS):
            await line.send(json.dumps({"optobind": PROTOCOL, "number": number}))
            said = _words(await line.recv())
    except TimeoutError:
        raise RefusedError(_WRONG_WORDS, "no greeting came") from None
    local = said.get("local") is True
    secret, theirs = local_token if local else token, str(said.get("number"))
    if not proves(said.get("proof"), secret, "client", number, theirs):
        raise RefusedError(_WRONG_TOKEN, "wrong token")
    if said.get("optobind") != PROTOCOL:
        raise RefusedError(_WRONG_WORDS, f"the experiment speaks protocol {PROTOCOL}: update")
    if there >= most:
        raise RefusedError(_TOO_MANY, f"{there} remotes are connected already")
    await line.send(json.dumps({"proof": proof(secret, "server", theirs, number)}))
    name = one_line(said.get("name") or "a remote")[:_LONGEST_NAME]
    return Seat(name, local)


def introduce(line: ClientConnection, address: Address, name: str) -> None:
    """Prove to an experiment that the token is known, and have it prove the same.

    Raises
    ------
    DeviceError
        If the other side is no experiment, or another one.
    """
    theirs = str(_words(line.recv(SECONDS)).get("number"))
    number = new_number()
    said = {
        "optobind": PROTOCOL,
        "number": number,
        "local": address.local,
        "name": name,
        "proof": proof(address.token, "client", theirs, number),
    }
    line.send(json.dumps(said))
    answer = _words(line.recv(SECONDS))
    if not proves(answer.get("proof"), address.token, "server", number, theirs):
        raise DeviceError(f"what answers at {address.place} is not the experiment: it has ended")


def refusal(code: int, reason: str, place: str) -> OptobindError | None:
    """Return the error of a client that was not let in; None for another end of a connection."""
    if code == _WRONG_TOKEN:
        return InputError(
            f"{place} refuses the token: ask for its address, optobind status --address"
        )
    if code in (_WRONG_WORDS, _TOO_MANY):
        return DeviceError(f"{place} refuses this remote: {one_line(reason)}")
    return None


def _words(message: str | bytes) -> dict[str, Any]:
    """Read a greeting; nonsense says nothing."""
    if len(message) > _MAX_BYTES:
        return {}
    try:
        said = json.loads(message)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}
