"""The window's port: a real session and the tests' stand-in take every call that it allows."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from fake_session import FakeSession

from optobind.acquisition.session import Session
from optobind.acquisition.session_calls import SessionCalls
from optobind.analysis.recorded.session import RecordedSession
from optobind.gui.viewmodels.port import SessionPort
from optobind.instruments.rig import Rig
from optobind.instruments.simulated.world import SimulatedWorld

CALLS = list(
    dict.fromkeys(
        name
        for part in (SessionCalls, SessionPort)  # the port widens some
        for name, value in vars(part).items()
        if inspect.isfunction(value) and not name.startswith("_")
    )
)


def calls_allowed_by(port: inspect.Signature) -> list[tuple[list[Any], dict[str, Any]]]:
    """The shortest and the longest call of a signature."""
    calls: list[tuple[list[Any], dict[str, Any]]] = []
    for everything in (False, True):
        args: list[Any] = []
        named: dict[str, Any] = {}
        for parameter in port.parameters.values():
            if parameter.default is not parameter.empty and not everything:
                continue
            if parameter.kind is parameter.KEYWORD_ONLY:
                named[parameter.name] = None
            else:
                args.append(None)
        calls.append((args, named))
    return calls


def misfits(session: type) -> list[str]:
    """Calls of the port that a session does not take."""
    found = []
    for name in CALLS:
        method = getattr(session, name, None)
        if method is None:
            found.append(f"{name} is missing")
            continue
        for args, named in calls_allowed_by(inspect.signature(getattr(SessionPort, name))):
            try:
                inspect.signature(method).bind(*args, **named)
            except TypeError as error:
                found.append(f"{name}: {error}")
    return found


def test_the_port_is_more_than_a_few_calls() -> None:
    assert len(CALLS) > 20


@pytest.mark.parametrize("session", [Session, FakeSession, RecordedSession])
def test_a_session_takes_every_call_of_the_port(session: type) -> None:
    assert misfits(session) == []


def test_a_session_that_lacks_a_call_or_an_argument_is_found() -> None:
    class Poor(Session):
        reload_particles = None  # type: ignore[assignment]

        def start(self, plan: Any) -> Any:  # type: ignore[override]
            return plan

    assert [text.partition(":")[0] for text in misfits(Poor)] == [
        "start",
        "reload_particles is missing",
    ]


def test_the_rig_of_the_port_is_the_one_that_sessions_have() -> None:
    fake = FakeSession()
    assert {"name", "mode", "light", "gate", "detectors"} <= set(vars(fake.rig))
    assert set(vars(fake.rig)) <= set(Rig.__dataclass_fields__)


def test_the_simulated_world_has_what_a_rig_promises() -> None:
    from optobind.instruments.rig import World

    promised = [name for name in vars(World) if not name.startswith("_")]
    assert {"lost", "reload", "growth_rate", "set_gate", "truth"} <= set(promised)
    assert [name for name in promised if not hasattr(SimulatedWorld, name)] == []
