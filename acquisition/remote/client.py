"""A running experiment from elsewhere: the session's own calls, answered over a connection."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...models.errors import DeviceError, InputError
from .addresses import Address, lookup
from .client_views import RemoteViews
from .link import Link
from .packages import require_websockets

if TYPE_CHECKING:  # a status needs none of them
    from ...instruments.protocols import AppliedLight
    from ...models.light import TweezerState
    from ..origin import RunOrigin
    from ..outcome import RunOutcome
    from ..plans import Plan

__all__ = ["RemoteSession", "connect"]


def connect(where: str | None = None, *, name: str = "", timeout: float = 10.0) -> RemoteSession:
    """Watch and steer an experiment that runs in another program.

    Parameters
    ----------
    where : str, optional
        Name of an experiment of the same user on this computer (``"NAME"``, ``"NAME:PID"``), or
        ``"tcp://HOST:PORT?token=…"`` as the experiment has printed it; by default the only one
        here.
    name : str
        What this remote is called in the experiment's log; user, computer and process by default.
    timeout : float
        Longest wait for an answer, s.

    Returns
    -------
    RemoteSession
        Has the calls of a :class:`~optobind.Session`.

    Raises
    ------
    InputError
        If there is no such experiment, it refuses the token, or the package websockets is missing
        (extra ``remote``).
    DeviceError
        If nobody answers.

    Examples
    --------
    >>> import optobind as ob
    >>> session = ob.Session(ob.load_rig("simulated-pair"), live_fits=False)
    >>> server = ob.serve(session, name="night run")
    >>> with ob.connect(server.address.url) as remote:  # or, on this computer, by "night run"
    ...     remote.status().state
    'idle'
    >>> session.close()
    """
    require_websockets()
    if not timeout > 0.0:
        raise InputError(f"timeout must be a time above 0 s, got {timeout:g} s")
    return RemoteSession(lookup(where), name or _own_name(), timeout)


class RemoteSession(RemoteViews):
    """A session that runs in another program.

    Everything that the session's own calls say of arguments, units and errors holds; snapshots are
    the same to the last digit. Whoever has the token can look; commands need the knobs, which one
    remote holds at a time (:meth:`take`). If the connection breaks, the next call makes it anew;
    the knobs are free then.

    Parameters
    ----------
    address : Address
        Of the experiment.
    name : str
        Of this remote.
    timeout : float
        Longest wait for an answer, s; futures are not limited by it.

    Examples
    --------
    >>> import optobind as ob
    >>> session = ob.Session(ob.load_rig("simulated-pair"), live_fits=False)
    >>> server = ob.serve(session)
    >>> remote = ob.connect(server.address.url, name="notebook")
    >>> with remote.take():
    ...     remote.connect().result()
    ...     light = remote.light().applied.state
    ...     found = remote.set_light(light.with_pair(phi=0.5)).result()
    >>> round(found.state.relative_phase, 2)
    0.5
    >>> remote.close(), session.close()
    (None, None)
    """

    def __init__(self, address: Address, name: str, timeout: float = 10.0) -> None:
        self._address, self._own_name, self._timeout = address, name, timeout
        self._lock = threading.Lock()
        self._closed = False
        self._link = Link(address, name, timeout)
        self._about: Mapping[str, Any] = self._call("about")

    # -- who steers -----------------------------------------------------------------------------

    def take(self, *, force: bool = False) -> contextlib.AbstractContextManager[RemoteSession]:
        """Take the knobs: from now on this remote's commands are carried out.

        Parameters
        ----------
        force : bool
            Take them from another remote; for the user who runs the experiment, who connects by
            its name on the same computer.

        Returns
        -------
        context manager
            ``with remote.take():`` gives them back at its end.

        Raises
        ------
        InputError
            If another remote holds them; says who.
        """
        self._call("take", force=force)
        return self._held()

    def give(self) -> None:
        """Give the knobs back."""
        self._call("give")

    @property
    def owner(self) -> str | None:
        """Name of the remote that holds the knobs."""
        found: str | None = self._call("about")["owner"]
        return found

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return str(self._about["name"])

    @property
    def url(self) -> str:
        """Address with the token, for other computers; for the user who runs the experiment.

        Raises
        ------
        InputError
            For others, who have it already.
        """
        url = str(self._about["url"])
        if not url:
            raise InputError(
                "the address with the token is told to the user who runs the experiment, on the "
                "same computer"
            )
        return url

    @property
    def ended(self) -> bool:
        """Whether the experiment has ended in good order."""
        return self._link.ended

    @property
    def mode(self) -> str:
        """LIVE, SIM or REPLAY."""
        return str(self._about["mode"])

    # -- commands -------------------------------------------------------------------------------

    def connect(self) -> Future[None]:
        """Connect the devices of the experiment."""
        return self._ask("connect")

    def disconnect(self) -> Future[None]:
        """Disconnect its devices; outputs stay."""
        return self._ask("disconnect")

    def stream(self, on: bool) -> Future[None]:
        """Start or stop the live display without recording."""
        return self._ask("stream", on)

    def set_light(
        self, state: TweezerState, *, allow_untrapped: bool = False
    ) -> Future[AppliedLight]:
        """Set the light."""
        return self._ask("set_light", state, allow_untrapped=allow_untrapped)

    def check_way(self, start: TweezerState | None, goal: TweezerState) -> Future[None]:
        """Fail with InputError if light, or the way to it, is not allowed; sends nothing."""
        return self._ask("check_way", start, goal)

    def set_feedback(self, closed: bool) -> Future[None]:
        """Switch feedback cooling."""
        return self._ask("set_feedback", closed)

    def give_up_feedback(self) -> None:
        """End trying to switch feedback on again."""
        self._call("give_up_feedback")

    def release_particles(self, confirm: str) -> Future[None]:
        """Switch all trap light off; ``confirm`` is "release particles"."""
        from ..session import RELEASE_PHRASE

        if confirm != RELEASE_PHRASE:
            self._call("release_particles", confirm)  # refused, in the session's words
        return self._ask("release_particles", confirm)

    def reload_particles(self) -> Future[None]:
        """Put lost particles of a simulated rig back."""
        return self._ask("reload_particles")

    def start(
        self, plan: Plan, out: Path | None = None, origin: RunOrigin | None = None
    ) -> Future[RunOutcome]:
        """Start a run; ``out`` lies below the run directory of the experiment."""
        return self._ask("start", plan, out, origin)

    def stop_after_repetition(self) -> None:
        """End the run in good order."""
        self._call("stop_after_repetition")

    def abort(self) -> None:
        """End the run now; feedback goes on, the file is closed."""
        self._call("abort")

    def pause(self) -> None:
        """Hold the run, feedback on."""
        self._call("pause")

    def resume(self) -> None:
        """Go on with a paused run."""
        self._call("resume")

    def set_fit(
        self,
        *,
        model: str = "pair",
        band: tuple[float, float] | None = None,
        channels: tuple[int, ...] | None = None,
        vary: Mapping[str, bool] | None = None,
        exclude: tuple[tuple[float, float], ...] = (),
    ) -> None:
        """Choose what the live fit does."""
        self._call("set_fit", model=model, band=band, channels=channels, vary=vary, exclude=exclude)

    def set_tracking(self, on: bool) -> None:
        """Switch the live trajectories."""
        self._call("set_tracking", on)

    def exclude_repetition(self, number: int, reason: str) -> None:
        """Leave one repetition, counted from 1, out of the curves and fits."""
        self._call("exclude_repetition", number, reason)

    def include_repetition(self, number: int) -> None:
        """Take an exclusion by hand back."""
        self._call("include_repetition", number)

    def note(self, text: str) -> None:
        """Have a line written into the log and the run file."""
        self._call("note", text)

    # -- the connection -------------------------------------------------------------------------

    def close(self, timeout: float = 10.0) -> None:
        """End the connection; the experiment goes on. Safe to call twice."""
        with self._lock:
            self._closed = True
            self._link.close(timeout)

    def __enter__(self) -> RemoteSession:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        """Experiment, mode, place and whether the connection stands."""
        state = "closed" if self._closed else "connected" if self._link.alive else "gone"
        return f"<RemoteSession {self.name} {self.mode} at {self._address.place}, {state}>"

    @contextlib.contextmanager
    def _held(self) -> Iterator[RemoteSession]:
        try:
            yield self
        finally:
            with contextlib.suppress(DeviceError):  # a broken connection has given them back
                self.give()

    def _ask(self, call: str, *args: Any, **named: Any) -> Future[Any]:
        with self._lock:
            if self._closed:
                raise InputError("this remote is closed: connect again, ob.connect(…)")
            if self._link.ended:
                raise DeviceError(f"experiment {self.name} has ended")
            if not self._link.alive:
                self._link = Link(self._address, self._own_name, self._timeout)
            link = self._link
        return link.ask(call, args, named)

    def _call(self, call: str, *args: Any, **named: Any) -> Any:
        try:
            return self._ask(call, *args, **named).result(self._timeout)
        except FutureTimeout:
            raise DeviceError(
                f"{self._address.place} did not answer {call} within {self._timeout:g} s: the "
                "experiment is busy or stands still; it may still be done"
            ) from None


def _own_name() -> str:
    user = "somebody"
    with contextlib.suppress(Exception):  # a service may have no name
        user = getpass.getuser()
    return f"{user}@{socket.gethostname()}:{os.getpid()}"
