"""What generated code calls: operations on values whose types are not known when the code is written.

Everything here either gives the exact answer or raises, and whoever raises has no say: the interpreter decides then.
"""

from collections.abc import Iterable
from typing import Any, NoReturn

from dray.cel.values.container import DeviceMap, DomainMap


class Undecided(Exception):
    """Generated code cannot tell; ask the interpreter."""


def undecided() -> NoReturn:
    raise Undecided


def is_true(value: Any) -> bool:
    """A value as a condition."""
    if value is True:
        return True
    if value is False:
        return False
    raise Undecided


def has_key(container: Any, key: str) -> bool:
    """`has(container.key)`."""
    if isinstance(container, DomainMap):
        return True
    if isinstance(container, dict):
        return key in container
    raise Undecided


def item(container: Any, key: Any) -> Any:
    """`container[key]`."""
    if isinstance(container, dict) and type(key) is str:
        return container[key]
    if isinstance(container, list) and type(key) is int and key >= 0:
        return container[key]
    raise Undecided


def items(container: Any) -> Iterable[Any]:
    """What a macro iterates over: elements, or keys."""
    if isinstance(container, list | DeviceMap):
        return container
    if isinstance(container, dict) and all(type(key) is str for key in container):
        return container
    raise Undecided


def pairs(container: Any) -> Iterable[tuple[Any, Any]]:
    """What a macro over two variables iterates over."""
    if isinstance(container, list):
        return enumerate(container)
    items(container)
    return container.items()  # type: ignore[no-any-return]  # items() refuses all but dicts
