"""Which parameters an exact fit has, and the linear model that they make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ...oscillators import oscillator_output
from ..matrices import NAMES, DriftDerivatives, drift_derivatives
from ..reheating.moments import initial_covariance
from .statespace import Continuous

__all__ = ["FilterModel"]

_Array = NDArray[np.float64]
_OF_START = ("omega_1", "omega_2", "n1_0", "n2_0", "re_C0", "im_C0")
# Relative step of the derivatives of V(0) by the frequencies: smooth and of order one.
_STEP = 1e-5


@dataclass(frozen=True)
class FilterModel:
    """One particle or a pair, released or steady.

    Attributes
    ----------
    particles : {"single", "pair"}
        Which.
    released : bool
        Whether a record begins at a release, with n(0) and C(0) as parameters; otherwise in the
        stationary state, or where there is none with nothing known.
    detection : tuple of str
        Parameters of the detection that the model has besides, of ``NAMES["detection"]``:
        ``noise_12``, the cross density of common noise; ``mix_12`` and ``mix_21`` of the mixing
        T = [[1, T_12], [T_21, 1]], y = Tz; ``delay_12``, how much later channel 2 shows what
        channel 1 shows, s: negative where a multiplexed card samples channel 2 after channel 1.
    vacuum : float
        ⟨|a|²⟩ − n: ½ for a record in quanta, 0 in other units.
    mass_ratio : float
        m_2/m_1 for a record in m; 1 else.
    """

    particles: Literal["single", "pair"]
    released: bool
    detection: tuple[str, ...] = ()
    vacuum: float = 0.5
    mass_ratio: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """Parameters in the order of values and score."""
        if self.particles == "single":
            return NAMES["single reheating" if self.released else "single"]
        return (*NAMES["reheating" if self.released else "pair"], *self.detection)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return 1 if self.particles == "single" else 2

    def continuous(self, values: _Array) -> Continuous | None:
        """The model at parameters in the order of ``names``; None where there is none."""
        named = dict(zip(self.names, values.tolist(), strict=True))
        if not (np.isfinite(values).all() and self._admissible(named)):
            return None
        own = NAMES[self.particles]
        drift_names = own[: len(own) - self.channels]
        matrices = drift_derivatives(
            self.particles, np.array([named[n] for n in own]), self.mass_ratio
        )
        d_drift, d_noise = self._spread(matrices, drift_names)
        output, d_output = self._output(named)
        imprecision, d_imprecision = self._imprecision(named)
        lead, d_lead = np.zeros(self.channels), np.zeros((len(self.names), self.channels))
        if "delay_12" in named:
            lead[1], d_lead[self.names.index("delay_12"), 1] = -named["delay_12"], -1.0
        initial, d_initial = self._initial(named)
        return Continuous(
            matrices.drift, matrices.noise, output, imprecision, initial, d_drift, d_noise,
            d_output, d_imprecision, d_initial, lead, d_lead,
        )  # fmt: skip

    def _admissible(self, values: Mapping[str, float]) -> bool:
        """Whether every covariance is one."""
        if self.particles == "single":
            start = values.get("n_0", 0.0) + self.vacuum
            return values["noise"] > 0.0 and values["D"] >= 0.0 and start >= 0.0
        pairs = [("D11", "D22", values["re_D12"] ** 2, 0.0)]
        common = values.get("noise_12", 0.0)
        pairs.append(("noise_1", "noise_2", common**2, 0.0))
        if self.released:
            size = values["re_C0"] ** 2 + values["im_C0"] ** 2
            pairs.append(("n1_0", "n2_0", size, self.vacuum))
        for one, two, square, offset in pairs:
            first, second = values[one] + offset, values[two] + offset
            if min(first, second) < 0.0 or square > first * second * (1.0 + 1e-9):
                return False
        return min(values["noise_1"], values["noise_2"]) > 0.0

    def _spread(self, matrices: DriftDerivatives, names: tuple[str, ...]) -> tuple[_Array, _Array]:
        """Derivatives of A and N in the order of ``names`` of the model."""
        places = [self.names.index(name) for name in names]
        shape = (len(self.names), *matrices.drift.shape)
        d_drift, d_noise = np.zeros(shape), np.zeros(shape)
        d_drift[places], d_noise[places] = matrices.d_drift, matrices.d_noise
        return d_drift, d_noise

    def _output(self, values: Mapping[str, float]) -> tuple[_Array, _Array]:
        """C = T C_0 and its derivatives."""
        plain, mixing = oscillator_output(self.channels), np.eye(self.channels)
        d_output = np.zeros((len(self.names), *plain.shape))
        for name, row, column in (("mix_12", 0, 1), ("mix_21", 1, 0)):
            if name in values:
                mixing[row, column] = values[name]
                d_output[self.names.index(name), row] = plain[column]
        return mixing @ plain, d_output

    def _imprecision(self, values: Mapping[str, float]) -> tuple[_Array, _Array]:
        """Density of the detection noise and its derivatives."""
        c = self.channels
        density, d_density = np.zeros((c, c)), np.zeros((len(self.names), c, c))
        places = {"noise": (0, 0), "noise_1": (0, 0), "noise_2": (1, 1), "noise_12": (0, 1)}
        for name, (i, j) in places.items():
            if name in values:
                density[i, j] = density[j, i] = values[name]
                at = self.names.index(name)
                d_density[at, i, j] = d_density[at, j, i] = 1.0
        return density, d_density

    def _initial(self, values: Mapping[str, float]) -> tuple[_Array | None, _Array | None]:
        """V(0) and its derivatives; None for a steady record."""
        if not self.released:
            return None, None
        n = 2 * self.channels
        derivatives = np.zeros((len(self.names), n, n))
        if self.particles == "single":
            derivatives[self.names.index("n_0")] = np.eye(2)
            return (values["n_0"] + self.vacuum) * np.eye(2), derivatives
        for name in _OF_START:
            step = _STEP * values[name] if name.startswith("omega") else 1.0
            up, down = (
                initial_covariance({**values, name: values[name] + s}, self.vacuum)
                for s in (step, -step)
            )
            derivatives[self.names.index(name)] = (up - down) / (2.0 * step)
        return initial_covariance(values, self.vacuum), derivatives
