"""Messages of remotes: the same to the last digit at the other end, and nothing but data."""

from __future__ import annotations

import json
import math
import random
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from optobind.acquisition.events import Event, EventKind
from optobind.acquisition.outcome import RunOutcome
from optobind.acquisition.plans import MonitorPlan, ReheatingPlan, SequencePlan
from optobind.acquisition.remote.calls import STEERING, VIEWS, RemoteCalls
from optobind.acquisition.remote.checked import checked
from optobind.acquisition.remote.failures import failure_of, raised
from optobind.acquisition.remote.wire import pack, unpack
from optobind.acquisition.session_calls import SessionCalls
from optobind.acquisition.snapshots import SessionStatus, TraceSnapshot
from optobind.acquisition.worth import RunWorth
from optobind.instruments.protocols import DeviceReport, DeviceState
from optobind.models.errors import (
    DeviceError,
    FileError,
    InputError,
    NotTrappedError,
    OptobindError,
    UnstableModelError,
)
from optobind.models.inference.result import FitResult, FittedParameter
from optobind.models.light import Site, TweezerState

LIGHT = TweezerState((Site((0.1, -0.0, 5e-324), 1 / 3, math.pi), Site((1e300, 0.0, 0.0), 0.2)))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**70),
        0.1 + 0.2,
        -0.0,
        math.inf,
        1j * math.pi,
        "φ = 1 µm",
        (1, (2.0, ()), [3]),
        {"$": 1, 2: (3,), (4, "x"): None},
        {"plain": [1.5, None]},
        Path("runs/a.h5"),
        EventKind.NOTE,
        LIGHT,
        Event(3, EventKind.GATE, {"closed": False}, 1.25),
        SequencePlan((MonitorPlan(0.3), ReheatingPlan(7, phase_reversal="block"))),
        SessionStatus("SIM", devices=(DeviceReport("gate", "g", "x", DeviceState.READY),)),
        RunOutcome(Path("a/run.h5"), "complete", "", RunWorth(5, 0, 0)),
    ],
)
def test_a_value_comes_back_as_it_was(value: object) -> None:
    found = unpack(pack(value))
    assert found == value
    assert type(found) is type(value)
    assert repr(found) == repr(value)


def test_what_is_no_number_stays_none() -> None:
    assert math.isnan(unpack(pack({"x": (math.nan,)}))["x"][0])


@pytest.mark.parametrize("dtype", ["<f4", "<f8", "<c16", "<i8", "|b1", ">i2", "|u1"])
def test_arrays_come_back_with_their_kind_shape_and_every_bit(dtype: str) -> None:
    bits = np.random.default_rng(3).integers(0, 2, (6, 4, 16), dtype=np.uint8).astype(dtype)
    arrays = (bits, bits[::2, ::-1], bits[:0], np.array(1.5).astype(dtype), np.asfortranarray(bits))
    for array, found in zip(arrays, unpack(pack(arrays)), strict=True):
        assert found.dtype == array.dtype
        assert found.shape == array.shape
        assert found.tobytes() == array.tobytes()
        assert found.flags.writeable


def test_a_snapshot_with_an_array_comes_back() -> None:
    volts = np.random.default_rng(1).normal(size=(50, 2)).astype(np.float32)
    trace = TraceSnapshot(4, 1000, 1e6, volts, ("z1", "z2"))
    found = unpack(pack(trace))
    np.testing.assert_array_equal(found.volts, volts)
    assert replace(found, volts=volts) == trace


def test_the_likelihood_of_a_fit_stays_where_it_is() -> None:
    found = {"g_r": FittedParameter(6.2832e4, 125.7, "rad/s")}
    result = FitResult(
        "pair",
        found,
        ("g_r",),
        np.eye(1),
        {},
        {},
        True,
        fitted=object(),  # type: ignore[arg-type]
    )
    other = unpack(pack(result))
    assert other.fitted is None
    assert other.parameters == result.parameters


@pytest.mark.parametrize(
    "value", [object(), b"bytes", np.array(["text"]), {1: {2, 3}}, LookupError]
)
def test_what_does_not_travel_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="cannot be sent"):
        pack(value)


def message(tree: object, *blobs: bytes) -> bytes:
    head = json.dumps(tree).encode()
    return struct.pack(">I", len(head)) + head + b"".join(blobs)


@pytest.mark.parametrize(
    "tree",
    [
        {"$": "Session", "v": {}},
        {"$": "subprocess.Popen", "v": {"args": "true"}},
        {"$": "__class__", "v": {}},
        {"$": ["Site"], "v": {}},
        {"$": "Site"},
        {"$": "Site", "v": {"nonsense": 1}},
        {"$": "Site", "v": [1, 2]},
        {"$": "EventKind", "v": "nonsense"},
        {"$": "MonitorPlan", "v": {"duration": -5.0}},
        {"$": "complex", "v": [1]},
        {"$": "map", "v": [[[1], 2]]},
        {"$": "float", "v": "a"},
        {"$": "array", "dtype": "O", "shape": [1], "at": 0},
        {"$": "array", "dtype": "<f8", "shape": [10**9], "at": 0},
        {"$": "array", "dtype": "<f8", "shape": [-1], "at": 0},
        {"$": "array", "dtype": "<f8", "shape": [1], "at": -40},
        {"$": "array", "dtype": "<f8,<f8", "shape": [1], "at": 0},
    ],
)
def test_a_message_makes_nothing_but_the_data_of_the_vocabulary(tree: object) -> None:
    with pytest.raises(InputError):
        unpack(message(tree, bytes(16)))


def test_noise_is_refused_and_raises_nothing_else() -> None:
    dice = random.Random(5)
    whole = pack({"call": "set_light", "args": (LIGHT, np.arange(9.0)), "named": {}})
    for _ in range(600):
        noise = bytearray(whole[: dice.randrange(len(whole) + 1)])
        for _ in range(dice.randrange(4)):
            if noise:
                noise[dice.randrange(len(noise))] = dice.randrange(256)
        try:
            unpack(bytes(noise))
        except InputError:
            continue
    with pytest.raises(InputError):
        unpack(struct.pack(">I", 400_000) + b"[" * 400_000)


def test_arguments_are_what_the_call_declares() -> None:
    assert checked("set_light", (LIGHT,), {})[0] == (LIGHT,)
    assert checked("set_fit", (), {"band": (1, 2.0), "vary": None})[1]["band"] == (1, 2.0)
    for call, args, named, match in (
        ("set_light", (), {}, "missing"),
        ("set_light", ("bright",), {}, "state must be TweezerState, got str"),
        ("set_light", (LIGHT,), {"allow_untrapped": "yes"}, "allow_untrapped must be bool"),
        ("set_light", (LIGHT, True), {}, "too many"),
        ("set_light", (LIGHT,), {"force": True}, "force"),
        ("set_light", (TweezerState((LIGHT.sites[0], "x")),), {}, "state"),  # type: ignore[arg-type]
        ("set_light", (TweezerState([LIGHT.sites[0]]),), {}, "state"),  # type: ignore[arg-type]
        ("set_light", (TweezerState((Site((0.0, 0.0, 0.0), True),)),), {}, "state"),
        ("set_light", (TweezerState((Site((0.0, 0.0), 0.1),)),), {}, "state"),  # type: ignore[arg-type]
        ("set_feedback", (1,), {}, "closed must be bool"),
        ("exclude_repetition", (True, "x"), {}, "number must be int"),
        ("start", ({"kind": "monitor"},), {}, "plan must be Plan, got dict"),
        ("set_fit", (), {"band": (1.0, 2.0, 3.0)}, "band"),
        ("set_fit", (), {"vary": {"g_r": 1}}, "vary"),
    ):
        with pytest.raises(InputError, match=match):
            checked(call, args, named)


def test_every_call_of_a_session_is_a_view_or_steers() -> None:
    calls = {
        name
        for part in (SessionCalls, RemoteCalls)
        for name, value in vars(part).items()
        if callable(value) and not name.startswith("_")
    }
    assert VIEWS | STEERING == calls - {"close"}
    assert not VIEWS & STEERING


def test_errors_keep_their_kind_text_and_code() -> None:
    incomplete = OptobindError("half of it")
    incomplete.exit_code = 7
    for error in (
        InputError("a"),
        FileError("b"),
        NotTrappedError("c"),
        DeviceError("d"),
        UnstableModelError(12.5, "e"),
        incomplete,
    ):
        found = raised(failure_of(error))
        assert type(found) is type(error)
        assert str(found) == str(error)
        assert found.exit_code == error.exit_code
    assert raised(failure_of(UnstableModelError(12.5))).growth_rate == 12.5  # type: ignore[attr-defined]

    class DriverError(DeviceError):
        """Of a driver, unknown elsewhere."""

    assert type(raised(failure_of(DriverError("x")))) is DeviceError
    bug = raised(failure_of(ZeroDivisionError("y")))
    assert (type(bug), bug.exit_code) == (OptobindError, 1)
    assert "internal error" in str(bug)
