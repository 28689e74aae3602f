"""The NI gRPC device server of the virtual laboratory: nidaqmx cannot tell it from a card.

It needs the package nidaqmx[grpc], not the NI driver. Its analogue inputs are the channels of a
digitizer (the simulated one), its first digital line switches the gate, and its outputs play what
is written to them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from typing import Any

from ...models.errors import DeviceError, InputError
from ..rig import Rig
from ..simulated.world import SimulatedWorld
from .ni_server_calls import Calls
from .ni_server_card import Card, StepHook, TimerMaker, WaveformHook, wall_timer
from .ni_server_light import LightOutputs, LightWire

__all__ = ["NiServer", "serve_ni"]

_THREADS = 48  # each waiting read and each event stream holds one


class NiServer:
    """A running server; made by :func:`serve_ni`.

    Attributes
    ----------
    address : str
        ``host:port`` for GrpcSessionOptions.
    card : Card
        Levels of the lines and waveforms of the outputs.
    """

    def __init__(self, server: Any, address: str, card: Card, calls: Calls) -> None:
        self._server, self._calls = server, calls
        self.address, self.card = address, card

    @property
    def digitizer_options(self) -> dict[str, Any]:
        """Options with which :class:`~..digitizers.ni.NiDigitizer` reads the rig's channels."""
        info, own = self.card.info, len(self.card.info.channels)
        return {
            "device": self.card.device,
            "channels": self.card.inputs[:own],
            "names": list(info.channels),
            "sample_rate": info.sample_rate,
            "full_scale": min(info.scale) * 2.0**15,
            "real_time": info.real_time,
            "grpc": self.address,
        }

    @property
    def gate_options(self) -> dict[str, Any]:
        """Options with which :class:`~..digitizers.ni_gate.NiGate` switches the rig's gate."""
        return {
            "device": self.card.device,
            "line": self.card.gate_line,
            "active_high": self.card.gate_high_closes,
            "grpc": self.address,
        }

    def fire(self, terminal: str) -> None:
        """Send the edge that tasks wait for on a silent trigger terminal."""
        self._calls.fire(terminal)

    def stop(self, grace: float | None = 0.5) -> None:
        """End acquisitions and connections; gate, light and lines stay as they are.

        Parameters
        ----------
        grace : float or None
            Time that calls under way have to end, s; None breaks them off, as a crash would.
        """
        stopped = self._server.stop(grace)
        self._calls.close()
        stopped.wait(5.0)

    def __enter__(self) -> NiServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def serve_ni(
    rig: Rig,
    *,
    device: str = "Dev1",
    model: str = "x-series",
    host: str = "127.0.0.1",
    port: int = 0,
    gate_line: str = "port0/line0",
    gate_high_closes: bool = True,
    gate_delay: float = 0.0,
    wires: Mapping[str, str] | None = None,
    generator: tuple[float, float] = (1e4, 1.0),
    edge_samples: int = 1,
    latency: float = 0.0,
    steps: Mapping[str, StepHook] | None = None,
    light: Mapping[str, LightWire] | None = None,
    silent_triggers: Sequence[str] = (),
    on_waveform: WaveformHook | None = None,
    watchdog: bool = True,
    make_timer: TimerMaker = wall_timer,
) -> NiServer:
    """Serve digitizer and gate of a rig as an NI card.

    Parameters
    ----------
    rig : Rig
        Its digitizer and gate are connected here.
    device : str
        Name of the card.
    model : str
        Which card it is, of :data:`~.ni_server_models.MODELS`.
    host, port : str, int
        Where to listen; port 0 takes a free one.
    gate_line, gate_high_closes, gate_delay
        Line that drives the gate, its polarity, and its delay, s.
    wires : mapping, optional
        Further inputs and the output or line each is wired to: ``{"ai2": "ao0"}``, or "generator".
    generator : tuple of float
        Frequency (Hz) and amplitude (V) of the generator.
    edge_samples : int
        Samples after its tick with which the inputs see a played level, 1 or 2 on real cards.
    latency : float
        Age of samples when they reach the computer, s, as over USB; real clock only.
    steps : mapping, optional
        Outputs and what is called with each voltage that one takes, at its sample.
    light : mapping of str to LightWire, optional
        Outputs that modulate the light of the rig's world, which must be a simulated one.
    silent_triggers : sequence of str
        Trigger terminals on which nothing comes before :meth:`NiServer.fire`; on all others the
        edge comes at once.
    on_waveform : callable, optional
        Called with (output, volts, rate, continuous) when an output starts to play.
    watchdog : bool
        Whether the card has a watchdog timer.
    make_timer : callable
        Makes the timers of the watchdog: called with (seconds, action).

    Raises
    ------
    InputError
        For a signal of the light that the rig's world does not have.
    DeviceError
        Without nidaqmx[grpc], or if the port is taken.
    """
    try:
        grpc: Any = import_module("grpc")
        messages: Any = import_module("nidaqmx._stubs.nidaqmx_pb2")
        stubs: Any = import_module("nidaqmx._stubs.nidaqmx_pb2_grpc")
    except ImportError as error:
        raise DeviceError(
            f"the virtual NI card needs the package {error.name}: pip install optobind[ni]"
        ) from error
    if rig.world is not None:
        rig.world.warm_up()  # before a client waits: kernels may have to be compiled
    rig.digitizer.connect()
    if rig.gate is not None:
        rig.gate.connect()
    card = Card(
        rig.digitizer,
        rig.gate,
        device=device,
        model=model,
        gate_line=gate_line,
        gate_high_closes=gate_high_closes,
        gate_delay=gate_delay,
        wires=wires,
        generator=generator,
        edge_samples=edge_samples,
        latency=latency,
        steps=steps,
        light=_modulators(rig, light),
        on_waveform=on_waveform,
        watchdog=watchdog,
        make_timer=make_timer,
    )
    calls = Calls(card, messages, stubs.NiDAQmxServicer(), tuple(silent_triggers))
    options = [
        ("grpc.max_receive_message_length", -1),
        ("grpc.max_send_message_length", -1),
        ("grpc.so_reuseport", 0),
    ]
    server = grpc.server(ThreadPoolExecutor(_THREADS, "ni-server"), options=options)
    stubs.add_NiDAQmxServicer_to_server(calls, server)
    try:
        bound = server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise DeviceError(f"port {port} of {host} cannot be used: {error}") from error
    server.start()
    return NiServer(server, f"{host}:{bound}", card, calls)


def _modulators(rig: Rig, light: Mapping[str, LightWire] | None) -> LightOutputs | None:
    """What outputs do to the light of a rig's world."""
    if not light:
        return None
    if not isinstance(rig.world, SimulatedWorld):
        raise InputError(f"rig {rig.name} is {rig.mode}: no output turns its light")
    return LightOutputs(rig.world, light)
