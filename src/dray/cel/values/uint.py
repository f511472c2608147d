"""Unsigned integers: a Python int that remembers that it is a `uint`.

Equal to and hashed like the int of the same value, which is what CEL's cross-type equality asks for.
"""


class Uint(int):
    """A CEL `uint`, 0 to 2^64-1. Arithmetic on it yields plain ints: operators wrap the result again."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{int(self)}u"
