"""Serves a simulated pair in real time as an NI card until its standard input ends."""

import sys

from optobind.instruments.simulated.build import build_simulated_rig
from optobind.instruments.simulated.settings import DetectorSettings, WorldSettings
from optobind.instruments.virtual.ni_server import serve_ni
from optobind.models.array import TrapArray
from optobind.models.gas import Gas
from optobind.models.sphere import Sphere
from optobind.models.tweezer import Tweezer


def main(rate):
    tweezers = (
        Tweezer((1.275e-6, 0.0, 0.0), 0.28, 0.70e-6, 0.75e-6, 0.4),
        Tweezer((-1.275e-6, 0.0, 0.0), 0.32, 0.70e-6, 0.75e-6, 0.0),
    )
    trap = TrapArray((Sphere(70e-9), Sphere(70e-9)), tweezers, 1064e-9, Gas(1e-6))
    settings = WorldSettings(
        sample_rate=float(rate),
        seed=1,
        driver_buffer=60.0,
        detectors=tuple(DetectorSettings(f"z{j + 1}", j, volts_per_metre=1e8) for j in (0, 1)),
    )
    with serve_ni(build_simulated_rig(trap, settings)) as server:
        print(server.address, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
