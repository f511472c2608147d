"""The pseudo-random numbers of Go's math/rand, bit for bit.

The example driver derives the UUIDs of its mock devices from the node's name with Go's generator, and people compare
them. The generator is an additive lagged Fibonacci one over 607 words: x[n] = x[n-607] + x[n-273] modulo 2^64. Its
seeds are mixed with the state that the same recurrence has after 7.8e12 steps from a simple start; that state is in
`data/go-random-state.bin`, 607 little-endian words. tests/unit/drivers/test_go_random.py computes it anew.
"""

import functools
import importlib.resources
import struct
import uuid
from typing import Final

LENGTH: Final = 607
TAP: Final = 273
_MASK: Final = (1 << 64) - 1
_MODULUS: Final = (1 << 31) - 1
_ZERO_SEED: Final = 89482311


@functools.cache
def _initial_state() -> tuple[int, ...]:
    data = importlib.resources.files("dray.drivers.example").joinpath("data/go-random-state.bin").read_bytes()
    return struct.unpack(f"<{LENGTH}Q", data)


def lehmer(x: int) -> int:
    """The next number of the generator that spreads a seed."""
    return 48271 * x % _MODULUS


class GoRandom:
    """`rand.New(rand.NewSource(seed))`; `seed` is any signed 64-bit integer."""

    def __init__(self, seed: int) -> None:
        x = seed % _MODULUS or _ZERO_SEED
        for _ in range(20):
            x = lehmer(x)
        self._state = []
        for cooked in _initial_state():
            high = lehmer(x)
            middle = lehmer(high)
            x = lehmer(middle)
            self._state.append((high << 40 ^ middle << 20 ^ x ^ cooked) & _MASK)
        self._tap = 0
        self._feed = LENGTH - TAP
        self._pending = b""

    def uint64(self) -> int:
        self._tap = (self._tap - 1) % LENGTH
        self._feed = (self._feed - 1) % LENGTH
        self._state[self._feed] = (self._state[self._feed] + self._state[self._tap]) & _MASK
        return self._state[self._feed]

    def read(self, count: int) -> bytes:
        """The next `count` bytes; seven of each number, lowest first, as rand.Read takes them."""
        while len(self._pending) < count:
            self._pending += self.uint64().to_bytes(8, "little")[:7]
        taken, self._pending = self._pending[:count], self._pending[count:]
        return taken


def node_seed(node_name: str) -> int:
    """The seed of a node: h = 31*h + code point, as a signed 64-bit integer."""
    hashed = 0
    for character in node_name:
        hashed = (31 * hashed + ord(character)) & _MASK
    return hashed - (1 << 64) if hashed >> 63 else hashed


def device_uuids(node_name: str, count: int) -> list[str]:
    """The UUIDs of the node's first `count` devices."""
    random = GoRandom(node_seed(node_name))
    return [str(uuid.UUID(bytes=random.read(16))) for _ in range(count)]
