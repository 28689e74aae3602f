"""The one door to NI-DAQmx: imported late, on this computer or through a gRPC device server.

nidaqmx imports without the driver and fails at the first task; its gRPC client has no deadlines.
Here every call over gRPC gets one, and every failure becomes a DeviceError that names the remedy,
or a LinkError if the card or the server is gone.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from ...models.errors import DeviceError, InputError
from ...models.ranges import require_range
from ..driver import ReservedError
from ..links.base import LinkError

__all__ = [
    "INPUT_OVERWRITTEN",
    "NOT_YET_AVAILABLE",
    "WATCHDOG_EXPIRED",
    "DaqSystem",
    "code_of",
]

# Codes of nidaqmx.error_codes.DAQmxErrors.
INPUT_OVERWRITTEN = -200279
NOT_YET_AVAILABLE = -200284
WATCHDOG_EXPIRED = -200678
_GONE = frozenset({-201390, -201003, -200324, -200045, -89130, -88705, -50405, -50401})
_RESERVED = frozenset({-50103, -200587, -89137})
_REMEDIES = {
    -200220: "check the device name in NI MAX or on the gRPC device server",
    -200170: "check the channel or line name against the card's",
    -200279: "the computer reads too slowly: raise buffer_seconds or lower sample_rate",
    -200361: "the card's memory overflowed: lower sample_rate or use another bus",
    -200284: "check start trigger and external clock, or raise timeout",
    -200278: "the finite acquisition is over: start it again",
    -50103: "another task or program uses the card, or one that crashed: stop it, or restart the "
    "gRPC device server that has kept it",
    -200587: "another task or program uses the line, or one that crashed: stop it, or restart the "
    "gRPC device server that has kept it",
    -89137: "another task drives the pin that the counter shares with a digital line: stop it",
    -200290: "the card has played all that was written: the computer is too slow",
    -200621: "the card's memory ran empty: lower sample_rate or use another bus",
    -200016: "the card's memory ran empty: lower sample_rate or use another bus",
    -200077: "the card does not take this setting",
    -200081: "lower sample_rate or use fewer channels",
}
_CALL_SECONDS = 5.0  # longest call over gRPC beyond the wait that the call itself asks for
_CallDetails = namedtuple(  # the fields that grpc reads
    "_CallDetails", "method timeout metadata credentials wait_for_ready compression"
)


def code_of(error: BaseException) -> int | None:
    """Return the DAQmx code of an exception, also of the one behind a DeviceError."""
    cause = error.__cause__ if isinstance(error, DeviceError) else error
    code = getattr(cause, "error_code", None)
    return int(code) if code is not None else None


class DaqSystem:
    """NI-DAQmx on this computer, or on the one behind a gRPC device server.

    Parameters
    ----------
    name : str
        Name of the device, put in front of plain device errors.
    grpc : str or None
        ``host:port`` of an NI gRPC device server; None for the driver on this computer.
    timeout : float
        Longest wait for the server to answer the first time, s.
    """

    def __init__(self, name: str, grpc: str | None = None, timeout: float = 5.0) -> None:
        self._name = name
        if grpc is not None and not grpc.rpartition(":")[2].isdigit():
            raise InputError(f"grpc must be host:port, got {grpc!r}")
        self._address = grpc
        self._timeout = require_range("timeout", timeout, 0.05, 600.0, "s")
        self._channel: Any = None
        self._calls: Any = None
        self._options: dict[str, Any] = {}
        self._nidaqmx: Any = None

    @property
    def where(self) -> str:
        """Words for messages: this computer or the server."""
        return "this computer" if self._address is None else f"gRPC server {self._address}"

    def module(self, name: str) -> Any:
        """Return a module of nidaqmx, such as "constants"."""
        return import_module(f"nidaqmx.{name}")

    def open(self) -> None:
        """Import nidaqmx and reach the server.

        Raises
        ------
        DeviceError
            If the package is missing.
        LinkError
            If the server does not answer in time.
        """
        self.close()
        try:
            self._nidaqmx = import_module("nidaqmx")
            import_module("nidaqmx.system.device")
            if self._address is not None:
                self._channel = self._dial(import_module("grpc"))
        except ImportError as error:
            raise DeviceError(
                f"NI-DAQmx needs the package {error.name}: pip install optobind[ni]"
            ) from error

    def _dial(self, grpc: Any) -> Any:
        """Open a channel that is known to answer and whose calls all have deadlines."""
        unlimited = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.enable_http_proxy", 0),
            ("grpc.use_local_subchannel_pool", 1),  # a connection for each device
        ]
        channel = grpc.insecure_channel(self._address, options=unlimited)
        try:
            grpc.channel_ready_future(channel).result(timeout=self._timeout)
        except grpc.FutureTimeoutError:
            channel.close()
            raise LinkError(
                f"no NI gRPC device server answers at {self._address} within {self._timeout:g} s: "
                "check that it runs, its port and the firewall"
            ) from None
        self._calls = grpc.intercept_channel(channel, _deadlines(grpc))
        self._options = {"grpc_options": self._session("")}
        return channel

    def close(self) -> None:
        """Drop the connection to the server; tasks of this client end. Never raises."""
        if self._channel is not None:
            with suppress(Exception):
                self._channel.close()
        self._channel, self._calls, self._options = None, None, {}

    def task(self, session: str = "") -> Any:
        """Make an empty nidaqmx.Task: a description in the driver, nothing on the card.

        Parameters
        ----------
        session : str
            Name of the session on a gRPC server. A task of that name which an earlier connection
            has left there, with the lines that it holds, is taken over as it is.
        """
        if not session or self._address is None:
            return self._nidaqmx.Task(**self._options)
        return self._nidaqmx.Task(session, grpc_options=self._session(session))

    def watchdog(self, device: str, seconds: float, session: str) -> Any:
        """Describe a watchdog of a card as a nidaqmx WatchdogTask; named as :meth:`task` is."""
        make = import_module("nidaqmx.system.watchdog").WatchdogTask
        if self._address is None:
            return make(device, timeout=seconds)
        return make(device, session, seconds, grpc_options=self._session(session))

    def _session(self, name: str) -> Any:
        return self._nidaqmx.GrpcSessionOptions(self._calls, name)

    def fresh_task(self, session: str) -> Any:
        """Make an empty task of a name, without what an earlier connection has left of it."""
        task = self.task(session)
        if task.number_of_channels:
            task.close()
            task = self.task(session)
        return task

    @property
    def remote(self) -> bool:
        """Whether the card is behind a gRPC device server."""
        return self._address is not None

    @property
    def address(self) -> str:
        """``host:port`` of the gRPC device server; empty without one."""
        return self._address or ""

    def device(self, name: str) -> Any:
        """Return a nidaqmx.system.Device."""
        return self._nidaqmx.system.device.Device(name, **self._options)

    def physical_channel(self, name: str) -> Any:
        """Return a nidaqmx.system.PhysicalChannel, such as "Dev1/port0/line0"."""
        module = import_module("nidaqmx.system.physical_channel")
        return module.PhysicalChannel(name, **self._options)

    def identity(self, name: str) -> str:
        """Product, name, serial number and place of a device."""
        device = self.device(name)
        product, serial = device.product_type, device.serial_num
        virtual = ", simulated" if device.is_simulated else ""
        return f"NI {product} {name!r}, serial {serial:X}{virtual}, on {self.where}"

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what nidaqmx raises into DeviceError or LinkError with code, text and remedy."""
        try:
            yield
        except LinkError:
            raise
        except Exception as error:
            cause = error.__cause__ if isinstance(error, DeviceError) else error
            found = error if isinstance(error, DeviceError) else self._translate(error)
            if found is None:
                raise
            if isinstance(found, LinkError) or str(found).startswith(self._name):
                raise found from cause
            raise type(found)(f"{self._name}: {found}") from cause

    def _translate(self, error: Exception) -> DeviceError | None:
        errors = self.module("errors")
        if isinstance(error, errors.DaqNotFoundError):
            return DeviceError(
                "the NI-DAQmx driver is not installed: download it from ni.com (or run "
                'python -m nidaqmx installdriver), or give grpc = "host:port" of a computer with it'
            )
        if isinstance(error, errors.DaqNotSupportedError):
            return DeviceError(
                'NI-DAQmx does not run on this operating system: give grpc = "host:port" of a '
                "computer with the card"
            )
        if isinstance(error, errors.DaqError):
            code = int(error.error_code)
            text = " ".join(str(error).replace(f"Status Code: {code}", "").split())
            remedy = _REMEDIES.get(code, "")
            kind = ReservedError if code in _RESERVED else DeviceError
            kind = LinkError if code in _GONE else kind
            return kind(f"DAQmx error {code}: {text}" + (f" ({remedy})" if remedy else ""))
        if isinstance(error, errors.RpcError):
            return self._rpc_error(error)
        if isinstance(error, ValueError) and "closed channel" in str(error):
            return LinkError(f"the connection to {self._address} is closed: reconnect")
        if self.remote and _inside_client(error):
            return LinkError(f"{self.where} answers what nobody can read ({error!r}): reconnect")
        return None

    def _rpc_error(self, error: Any) -> DeviceError:
        """UNIMPLEMENTED is an answer; whatever else fails below DAQmx is a broken link."""
        if getattr(error.rpc_code, "name", "") == "UNIMPLEMENTED":
            return DeviceError(f"{self.where} is too old for this driver: {error.description}")
        return LinkError(
            f"{self.where} failed ({getattr(error.rpc_code, 'name', error.rpc_code)}: "
            f"{error.description}): check that it runs, then reconnect"
        )


def _inside_client(error: Exception) -> bool:
    """Whether the client itself raised it: it does not expect answers that a line has garbled."""
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    module = "" if place is None else str(place.tb_frame.f_globals.get("__name__", ""))
    return module.partition(".")[0] in ("nidaqmx", "grpc", "google")


def _deadlines(grpc: Any) -> Any:
    """Interceptor that ends every call: its own timeout and some seconds more."""

    def intercept(_self: Any, continuation: Any, details: Any, request: Any) -> Any:
        own = getattr(request, "timeout", None) or getattr(request, "time_to_wait", None) or 0.0
        return continuation(
            _CallDetails(
                details.method,
                max(0.0, own) + _CALL_SECONDS,
                details.metadata,
                details.credentials,
                getattr(details, "wait_for_ready", None),
                getattr(details, "compression", None),
            ),
            request,
        )

    base = grpc.UnaryUnaryClientInterceptor
    return type("_Deadlines", (base,), {"intercept_unary_unary": intercept})()
