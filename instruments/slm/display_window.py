"""The process that owns a display SLM's window: run with ``python -m`` by ``display.py``, with Qt.

It outlives the program that started it: a window that closes lets the particles go. It ends when it
is told to, or when its only client leaves before anything was shown; image and note are kept for
the next session.
"""

from __future__ import annotations

import argparse
import hmac
import os
import secrets
import socket
import sys
import threading
from pathlib import Path
from typing import Any

from .display_frame import Refusal, Stage, find_screen
from .wire import receive, send, write_record

__all__ = ["main"]


class Server:
    """Talks to one client at a time; everything about Qt is passed to the main thread."""

    def __init__(self, stage: Stage, call: Any, token: str, quit_: Any) -> None:
        self._stage, self._call, self._token, self._quit = stage, call, token, quit_
        self._client: int | None = None
        self._ending = False
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])

    def run(self) -> None:
        """Accept clients, each in a thread of its own, so that a second one is told it is."""
        while True:
            link, _ = self._listener.accept()
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(link,), daemon=True).start()

    def _serve(self, link: socket.socket) -> None:
        """Serve one client until it leaves."""
        mine = False
        try:
            with link:
                link.settimeout(5.0)
                header, _ = receive(link)
                if not hmac.compare_digest(str(header.get("token")), self._token):
                    return
                with self._lock:
                    if self._ending:
                        return  # whoever comes now starts a process of its own
                    mine = self._client is None
                    if mine:
                        self._client = int(header.get("pid", 0))
                if not mine:
                    text = f"the screen is in use by process {self._client}"
                    return send(link, {"error": text})
                link.settimeout(None)
                send(link, self._answer("facts", {}, b"")[0])
                while True:
                    header, data = receive(link)
                    send(link, *self._answer(str(header.get("do")), header, data))
        except (OSError, ValueError):
            pass  # the client left or talks nonsense: it is dropped, the image stays
        finally:
            if mine:
                with self._lock:
                    self._client, self._ending = None, not self._stage.shows
                if self._ending:
                    self._quit()

    def _answer(
        self, what: str, header: dict[str, Any], data: bytes
    ) -> tuple[dict[str, Any], bytes]:
        """Have the main thread do what is asked."""
        stage = self._stage
        jobs: dict[str, Any] = {
            "facts": stage.facts,
            "show": lambda: stage.show(header, data),
            "grab": lambda: stage.grab(bool(header.get("whole"))),
            "forget": stage.forget,
            "quit": dict,
        }
        if what not in jobs:
            return {"error": f"unknown command {what!r}"}, b""
        result = self._call(jobs[what])
        if what == "quit":
            threading.Timer(0.1, self._quit).start()  # after the answer has left
        return result if isinstance(result, tuple) else (result, b"")


def main(arguments: list[str] | None = None) -> int:
    """Run the window's process; it writes its record, or what is wrong, and serves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--screen", required=True)
    parser.add_argument("--record", required=True, type=Path)
    options = parser.parse_args(arguments)
    try:
        from PyQt6.QtCore import QObject, pyqtSignal
        from PyQt6.QtWidgets import QApplication
    except ImportError as error:
        write_record(options.record, {"error": f"Qt cannot be loaded: {error}"})
        return 1
    app = QApplication(["optobind-slm"])
    app.setQuitOnLastWindowClosed(False)
    try:
        index = find_screen(app.screens(), options.screen)
    except Refusal as error:
        write_record(options.record, {"error": str(error)})
        return 1
    stage = Stage(app, index)

    class Courier(QObject):
        """Carries a job from a client's thread to the main thread and its result back."""

        job = pyqtSignal(object)
        over = pyqtSignal()

        def call(self, function: Any) -> Any:
            done = threading.Event()
            box: list[Any] = []
            self.job.emit((function, box, done))
            done.wait()
            return box[0]

        def end(self) -> None:
            app.exit(0)  # not quit(), which asks the window, and the window refuses

        def work(self, task: Any) -> None:
            function, box, done = task
            try:
                box.append(function())
            except Refusal as error:
                box.append({"error": str(error)})
            except Exception as error:  # the client is told whatever went wrong; the image stays
                box.append({"error": f"{type(error).__name__}: {error}"})
            finally:
                done.set()

    courier, token = Courier(), secrets.token_hex(16)
    courier.job.connect(courier.work)
    courier.over.connect(courier.end)
    server = Server(stage, courier.call, token, courier.over.emit)
    threading.Thread(target=server.run, daemon=True).start()
    record = {
        "pid": os.getpid(),
        "port": server.port,
        "token": token,
        "index": index,
        "screen": app.screens()[index].name(),
    }
    write_record(options.record, record)
    try:
        return int(app.exec())
    finally:
        options.record.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
