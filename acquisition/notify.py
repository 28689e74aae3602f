"""Tells somebody who is away what happened: by a command, or by a request to an address.

Nothing here ever delays or fails a measurement: messages are sent by threads of their own, and what
goes wrong with one is a line of the log at most.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
import time
from collections.abc import Callable

from ..models.errors import InputError

__all__ = ["Notifier"]

_SECONDS = 20.0


class Notifier:
    """Sends messages to where the user wants them.

    Parameters
    ----------
    target : str
        ``http://…`` or ``https://…`` (gets a JSON object by POST), or a command (gets the same on
        its standard input, and the text as its last argument); empty for nobody.
    failed : callable
        Called with one line when a message could not be sent.

    Raises
    ------
    InputError
        For a command that cannot be read.
    """

    def __init__(
        self, target: str = "", failed: Callable[[str], object] = lambda text: None
    ) -> None:
        self._target, self._failed = target.strip(), failed
        self._threads: list[threading.Thread] = []
        try:
            self._command = shlex.split(self._target)
        except ValueError as error:
            raise InputError(f"--notify {target[:60]!r} is no command: {error}") from None

    def tell(self, event: str, text: str, **more: object) -> None:
        """Send a message; returns at once.

        Parameters
        ----------
        event : str
            Such as "suspended" or "complete".
        text : str
            One line for people.
        more
            JSON values that go with it.
        """
        if not self._target:
            return
        content = json.dumps(
            {"event": event, "text": text, "time": time.time(), **more}, default=str
        ).encode()
        thread = threading.Thread(
            target=self._deliver, args=(content, text), name="notify", daemon=True
        )
        self._threads = [*(t for t in self._threads if t.is_alive()), thread]
        thread.start()

    def finish(self, seconds: float = 5.0) -> None:
        """Wait for messages under way, so many s at most."""
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _deliver(self, content: bytes, text: str) -> None:
        try:
            if self._target.startswith(("http://", "https://")):
                self._post(content)
            else:
                self._run(content, text)
        except Exception as error:  # whatever goes wrong there is no reason to stop measuring
            self._failed(f"the notification {text[:60]!r} could not be sent: {error}")

    def _post(self, content: bytes) -> None:
        from urllib.request import Request, urlopen

        request = Request(self._target, data=content, headers={"Content-Type": "application/json"})
        with urlopen(request, timeout=_SECONDS):
            pass

    def _run(self, content: bytes, text: str) -> None:
        done = subprocess.run(
            [*self._command, text],
            input=content,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
        if done.returncode:
            raise OSError(f"the command ended with {done.returncode}")
