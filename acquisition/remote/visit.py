"""One remote that is connected: its requests in, answers out, all bounded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ...models.errors import InputError
from .desk import Desk, Guest
from .failures import failure_of
from .frames import HEAD, KINDS, MAX_ANSWER, NUMBER
from .wire import unpack

if TYPE_CHECKING:
    from websockets.asyncio.server import ServerConnection

__all__ = ["Visit"]

_MAX_OPEN = 32  # requests of one remote that are not answered yet
_MAX_UNSENT = 8  # answers that wait to be sent; nothing is read meanwhile
_RATE = 400.0  # requests a second; more wait
_BURST_SECONDS = 0.25
_SEND_SECONDS = 20.0  # a reader that takes longer for an answer is put out


class Visit:
    """Answers one remote until it leaves.

    Parameters
    ----------
    line : ServerConnection
        Greeted.
    guest : Guest
        Who it is.
    desk : Desk
        Carries requests out.
    """

    def __init__(self, line: ServerConnection, guest: Guest, desk: Desk) -> None:
        self._line, self.guest, self._desk = line, guest, desk
        self._loop = asyncio.get_running_loop()
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()  # bounded by what is read
        self._sent = asyncio.Event()
        self._open = 0
        self._free = 0.0  # time at which the next request is due

    async def serve(self) -> None:
        """Take requests; ends with the connection."""
        sender = asyncio.create_task(self._send())
        try:
            async for message in self._line:
                await self._pace()
                while self._answers.qsize() >= _MAX_UNSENT and not sender.done():
                    self._sent.clear()
                    await self._sent.wait()
                if sender.done() or not self._take(message):
                    break  # gone; or nonsense: whoever sends that is put out
        finally:
            sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await sender

    async def _pace(self) -> None:
        """Hold a remote up that asks too often: what it sends waits on its own side."""
        now = self._loop.time()
        self._free = max(self._free, now - _BURST_SECONDS) + 1.0 / _RATE
        if self._free > now:
            await asyncio.sleep(self._free - now)

    def _take(self, message: str | bytes) -> bool:
        """Take a request; False for what is none."""
        if not isinstance(message, bytes) or len(message) < NUMBER.size:
            return False
        (number,) = NUMBER.unpack_from(message)
        self._open += 1
        try:
            if self._open > _MAX_OPEN:
                raise InputError(f"{_MAX_OPEN} requests are open: wait for some of them")
            request = unpack(message[NUMBER.size :])
            if not isinstance(request, Mapping):
                raise InputError("a request that is none")
        except InputError as error:  # of a value that its class refuses, perhaps
            self._answered(_message(number, "error", failure_of(error), 0))
            return True
        self._desk.ask(
            self.guest, request, lambda kind, value, tag: self._answer(number, kind, value, tag)
        )
        return True

    def _answer(self, number: int, kind: str, value: bytes, tag: int) -> None:
        """Take an answer, in whatever thread."""
        if len(value) > MAX_ANSWER:
            kind, value = "error", failure_of(InputError("the answer is too large to be sent"))
        message = _message(number, kind, value, tag)
        with contextlib.suppress(RuntimeError):  # the server has ended meanwhile
            self._loop.call_soon_threadsafe(self._answered, message)

    def _answered(self, message: bytes) -> None:
        self._open -= 1
        self._answers.put_nowait(message)

    async def _send(self) -> None:
        """Send answers in turn; a reader that does not take them loses its connection."""
        try:
            while True:
                message = await self._answers.get()
                async with asyncio.timeout(_SEND_SECONDS):
                    await self._line.send(message)
                self._sent.set()
        except TimeoutError:
            self._line.transport.abort()
        finally:  # nothing is sent any more: whoever waits for room is to notice
            asyncio.get_running_loop().call_soon(self._sent.set)


def _message(number: int, kind: str, value: bytes, tag: int) -> bytes:
    return HEAD.pack(number, tag, KINDS.index(kind)) + value
