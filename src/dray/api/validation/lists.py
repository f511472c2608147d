"""How every list of the API is checked: a size limit that hides the rest, then the items, then their uniqueness."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeAlias

from dray.api.fields import FieldError, Path, duplicate, too_many
from dray.api.meta import Object

Check: TypeAlias = Callable[[Any, Path], list[FieldError]]


def items_of(value: Any) -> list[Object]:
    """The elements of a list of structs; absent is empty, and a null element is an empty struct, as Go decodes it."""
    return [item or {} for item in value or ()]


def each(items: Sequence[Any], path: Path, check: Check, *, most: int | None = None) -> list[FieldError]:
    """Findings of `check` on every item, or only "Too many" when there are more than `most`."""
    if most is not None and len(items) > most:
        return [too_many(path, len(items), most)]
    return [error for index, item in enumerate(items) for error in check(item, path.index(index))]


def each_unique(
    items: Sequence[Any],
    path: Path,
    check: Check,
    *,
    key: Callable[[Any], Hashable] = lambda item: item,
    shown: Callable[[Any], Any] | None = None,
    most: int | None = None,
) -> list[FieldError]:
    """As `each`, then a Duplicate on every item whose `key` came before; `shown` is the value printed, else the key."""
    if most is not None and len(items) > most:
        return [too_many(path, len(items), most)]
    errors = each(items, path, check)
    keys = [key(item) for item in items]
    for index in repeated(keys):
        errors.append(duplicate(path.index(index), keys[index] if shown is None else shown(items[index])))
    return errors


def no_check(item: Any, path: Path) -> list[FieldError]:
    return []


def repeated(keys: Iterable[Hashable]) -> list[int]:
    """Indices of the keys that came before."""
    seen: set[Hashable] = set()
    found = []
    for index, key in enumerate(keys):
        if key in seen:
            found.append(index)
        seen.add(key)
    return found
