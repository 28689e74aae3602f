"""nidaqmx over loopback gRPC at 2 channels × 1 MS/s for 60 s, through the whole chain.

The virtual laboratory runs in a process of its own, as it does for a user: simulated particles in
real time behind an NI gRPC device server. Here the unmodified nidaqmx client, the driver, the ring,
the live spectra and the recorder.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path

from bench.row import Row
from optobind.acquisition.plans import MonitorPlan
from optobind.acquisition.runfile import RunFile
from optobind.acquisition.session import Session
from optobind.instruments.digitizers.ni import NiDigitizer
from optobind.instruments.digitizers.ni_gate import NiGate
from optobind.instruments.rig import DetectorChannel, Rig
from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.settings import DetectorSettings, WorldSettings
from optobind.instruments.virtual.ni_server import serve_ni
from optobind.models.array import TrapArray
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer

RATE, SECONDS = 1e6, 60.0


def serve(pipe: Connection) -> None:
    """Serve the simulated pair as an NI card; say the CPU time used when told to end."""
    tweezers = (
        Tweezer((1.275e-6, 0.0, 0.0), 0.28, 0.70e-6, 0.75e-6, 0.4),
        Tweezer((-1.275e-6, 0.0, 0.0), 0.32, 0.70e-6, 0.75e-6, 0.0),
    )
    trap = TrapArray((Sphere(70e-9), Sphere(70e-9)), tweezers, 1064e-9, Gas(1e-6))
    settings = WorldSettings(
        sample_rate=RATE,
        seed=1,
        real_time=True,
        driver_buffer=10.0,
        detectors=tuple(DetectorSettings(f"z{j + 1}", j) for j in (0, 1)),
    )
    with serve_ni(build_simulated_rig(trap, settings)) as server:
        pipe.send(server.address)
        while pipe.recv() != "end":
            pipe.send(time.process_time())


def remote_rig(address: str) -> Rig:
    """The card as a rig file would name it."""
    return Rig(
        name="virtual card",
        mode="SIM",
        digitizer=NiDigitizer("digitizer", sample_rate=RATE, full_scale=1.0, grpc=address),
        detectors=tuple(DetectorChannel(j, f"z{j + 1}", j, volts_per_metre=5e8) for j in (0, 1)),
        gate=NiGate("gate", grpc=address),
    )


def rows(seconds: float = SECONDS) -> list[Row]:
    """Samples lost, the real-time factor, and CPU seconds per second of data."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        if not ours.poll(120.0):
            raise SystemExit("bench: the virtual card did not start")
        address = ours.recv()
        with tempfile.TemporaryDirectory() as folder:
            return _measure(address, Path(folder), ours, seconds)
    finally:
        if process.is_alive():
            ours.send("end")
        process.join(10.0)
        process.kill()


def _measure(address: str, folder: Path, pipe: Connection, seconds: float) -> list[Row]:
    def server_cpu() -> float:
        pipe.send("cpu")
        return float(pipe.recv())

    session = Session(remote_rig(address), run_directory=folder, live_fits=False)
    try:
        session.connect().result(60.0)
        session.start(MonitorPlan(duration=0.5)).result(120.0)  # kernels are compiled here
        cpu, remote, start = time.process_time(), server_cpu(), time.monotonic()
        outcome = session.start(MonitorPlan(duration=seconds)).result(seconds * 5.0 + 60.0)
        elapsed = time.monotonic() - start
        cpu, remote = time.process_time() - cpu, server_cpu() - remote
    finally:
        session.close()
    if outcome.outcome != "complete":
        raise SystemExit(f"bench: the run ended early: {outcome.reason}")
    with RunFile.open(outcome.path) as run:
        recorded = run.rows
    lost = outcome.lost_samples + max(0, round(RATE * seconds) - recorded)
    detail = (
        f"{recorded} samples in the file; CPU per second of data: {cpu / seconds:.2f} s here, "
        f"{remote / seconds:.2f} s in the virtual laboratory"
    )
    title = f"nidaqmx over gRPC, 2 ch × 1 MS/s, {seconds:g} s"
    return [
        Row(f"{title}, samples lost", float(lost), 0.0, detail, at_most=True),
        Row(f"{title}, real-time factor", seconds / elapsed, 0.98, f"{elapsed:.2f} s"),
    ]
