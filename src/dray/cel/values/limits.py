"""How large a value may grow.

Upstream's cost model charges some functions by their input although their output is much larger, and list
concatenation not by length at all. These bounds keep such expressions from eating the machine; nothing a device
selector is for comes near them.
"""

from typing import Final

from dray.cel.errors import EvalFailure

MAX_STRING: Final = 10_000_000
"""Characters of a string, or bytes."""

MAX_LIST: Final = 1_100_000
"""Elements of a list."""


class TooLarge(EvalFailure):
    """A result would exceed the bounds; `size` is how large it would be."""

    def __init__(self, what: str, size: int) -> None:
        super().__init__(f"{what} of {size} elements is too large")
        self.size = size


def check_string(size: int) -> None:
    """Raises TooLarge for a string that long."""
    if size > MAX_STRING:
        raise TooLarge("string", size)


def check_list(size: int) -> None:
    """Raises TooLarge for a list that long."""
    if size > MAX_LIST:
        raise TooLarge("list", size)
