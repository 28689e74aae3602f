"""A virtual laboratory behind proxies, whose world is watched from inside by nobody's driver."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any

from optobind.cli.virtual_lab import client_rig
from optobind.config.build import build_rig
from optobind.config.load import LoadedRig, read_rig, rig_from_dict
from optobind.instruments.protocols import RFTone
from optobind.instruments.rig import Rig
from optobind.instruments.virtual.laboratory import VirtualLaboratory
from optobind.instruments.virtual.redpitaya_server import serve_redpitaya

from .proxy import Proxy

_LOOK = 0.002  # s between two looks at the gate
_CARRIERS = {"rigol-dg1000z": "60 MHz"}  # the others reach 80 MHz
_FULL_POWERS = {"aa-mdsnc": "0.35 W"}  # an AA makes no less than 0 dBm


class _HeardSource:
    """The world's RF source; notes each tone that the served device sets on it."""

    def __init__(self, source: Any, heard: list[tuple[float, int, RFTone]]) -> None:
        self._source, self._heard = source, heard

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def set_tone(self, channel: int, tone: RFTone) -> None:
        self._heard.append((time.monotonic(), channel, tone))
        self._source.set_tone(channel, tone)


class GateWatch:
    """Notes when the gate opens and closes, by looking at the world."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.levels: list[tuple[float, bool]] = [(time.monotonic(), bool(world.gate_closed))]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, name="gate watch", daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._over.wait(_LOOK):
            closed = bool(self._world.gate_closed)
            if closed is not self.levels[-1][1]:
                self.levels.append((time.monotonic(), closed))

    @property
    def closed(self) -> bool:
        return self.levels[-1][1]

    def stop(self) -> None:
        self._over.set()
        self._thread.join(10.0)


class ProxiedLaboratory:
    """Served devices, a proxy before each, and the rig that connects through them.

    Parameters
    ----------
    rf, gauge : str
        Dialects.
    digitizer : str
        "ni" or "redpitaya".
    terminals : tuple of str
        Of "rf" and "gauge", those behind a pseudo terminal.
    """

    def __init__(
        self,
        rf: str,
        gauge: str,
        digitizer: str = "ni",
        terminals: tuple[str, ...] = (),
    ) -> None:
        self.dialects = {"rf": rf, "gauge": gauge, "input": digitizer, "gate": "ni"}
        rate = "250 kHz" if digitizer == "ni" else "244.140625 kHz"
        settings = ["simulation.clock=real-time", f"devices.digitizer.sample_rate={rate}"]
        settings.append(f"devices.rf.carrier={_CARRIERS.get(rf, '80 MHz')}")
        settings.append(f"devices.rf.site_power={_FULL_POWERS.get(rf, '1 W')}")
        self._loaded = read_rig("simulated-pair", settings)
        built = build_rig(self._loaded)
        self.heard: list[tuple[float, int, RFTone]] = []
        self.world: Any = built.world
        self.source, self.pressure = built.rf, built.trap.gas.pressure
        served = replace(built, rf=_HeardSource(built.rf, self.heard))
        self._served = VirtualLaboratory(served, rf=rf, gauge=gauge)
        self._board = None if digitizer == "ni" else serve_redpitaya(self._served._rig.digitizer)
        self.gate = GateWatch(self.world)
        texts = self._served._texts
        host, _, port = self._served.ni.address.rpartition(":")
        card = (host, int(port))
        board = card if self._board is None else (self._board.host, self._board.port)
        self.lines = {
            "rf": Proxy(texts["rf"].address, terminal="rf" in terminals),
            "gauge": Proxy(texts["gauge"].address, terminal="gauge" in terminals),
            "input": Proxy(board),
            "gate": Proxy(card),
        }

    def document(self) -> dict[str, Any]:
        """The rig file that connects through the proxies."""
        document = client_rig(self._loaded, self._served)
        devices, lines = document["devices"], self.lines
        devices["rf"] |= {"address": lines["rf"].address, "timeout": "1.5 s"}
        devices["gauge"] |= {"address": lines["gauge"].address, "timeout": "0.5 s"}
        devices["gate"] |= {"grpc": lines["gate"].grpc, "timeout": "1 s"}
        devices["light"]["power_slew"] = "0.04 W/s"
        if self._board is None:
            devices["digitizer"] |= {"grpc": lines["input"].grpc, "timeout": "1 s"}
        else:
            del devices["pattern"]
            devices["digitizer"] = {
                "driver": "redpitaya", "host": "127.0.0.1", "port": lines["input"].port,
                "channels": [1, 2], "sample_rate": devices["digitizer"]["sample_rate"],
                "full_scale": "20 V", "timeout": "0.5 s",
            }  # fmt: skip
        return document

    def rig(self) -> Rig:
        """A new rig of real drivers, through the proxies."""
        document = self.document()
        return build_rig(LoadedRig(document["name"], rig_from_dict(document), document))

    def tones(self) -> list[RFTone]:
        """What the device puts out now."""
        return [self.source.read_tone(channel) for channel in (0, 1)]

    def powers(self) -> tuple[float, ...]:
        """Power of each tweezer in the world, W."""
        return tuple(site.power for site in self.world.light.sites)

    def heal(self) -> None:
        for line in self.lines.values():
            line.heal()

    def close(self) -> None:
        for line in self.lines.values():
            line.close()
        self._served.stop()
        if self._board is not None:
            self._board.stop()
        self.gate.stop()
