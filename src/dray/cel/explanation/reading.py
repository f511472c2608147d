"""What an expression reads of a device, and what it finds there."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dray.cel.ast import Call, Comprehension, Expr, Ident, Literal, Select, children
from dray.cel.device import Record
from dray.cel.values.container import MISSING
from dray.cel.values.display import show

Path = tuple[str, ...]
"""The keys from `device` on, such as `("attributes", "gpu.example.com", "model")`."""

_DEPTHS = {"driver": 1, "allowMultipleAllocations": 1, "attributes": 3, "capacity": 3}
_KINDS = {"attributes": "attribute", "capacity": "capacity"}


@dataclass(frozen=True, slots=True)
class Reading:
    """One value of a device, or its absence.

    `kind`: `driver`, `allowMultipleAllocations`, `attribute` or `capacity`. `name`: as users write it, without the domain
    where that is the driver's. `value`: a CEL value; meaningless where `present` is false.
    """

    kind: str
    name: str
    value: Any
    present: bool

    def __str__(self) -> str:
        if self.present:
            return f"{self.name} is {show_plainly(self.value)}"
        return f"there is no {self.kind} {self.name}"


def show_plainly(value: Any) -> str:
    """A value for a sentence: text in quotes only where it would be mistaken for something else."""
    if isinstance(value, str) and (not value or not value.replace("-", "").replace(".", "").isalnum()):
        return f'"{value}"'
    return show(value)


class Readings:
    """Finds the readings in the tree of an expression."""

    __slots__ = ("_record",)

    def __init__(self, record: Record) -> None:
        self._record = record

    def all(self, root: Expr) -> tuple[Reading, ...]:
        """In order of appearance, each once."""
        found = dict.fromkeys(path for path in _paths(root, {}) if len(path) == _DEPTHS.get(path[0], 0))
        return tuple(self._read(path) for path in found)

    def one(self, expr: Expr) -> Reading | None:
        """The reading that an expression is, if it is one."""
        path = _path(expr, {})
        if path is None or not path or len(path) != _DEPTHS.get(path[0], 0):
            return None
        return self._read(path)

    def _read(self, path: Path) -> Reading:
        kind = _KINDS.get(path[0], path[0])
        value: Any = self._record.variables["device"]
        for key in path:
            value = value.get(key, MISSING) if isinstance(value, dict) else MISSING
        name = path[-1]
        if len(path) == 3 and path[1] != self._record.driver:
            name = f"{path[1]}/{name}"
        return Reading(kind, name, value, value is not MISSING)


def _paths(expr: Expr, bound: Mapping[str, Path]) -> Iterator[Path]:
    path = _path(expr, bound)
    if path:
        yield path
        return
    if isinstance(expr, Comprehension) and expr.is_bind:
        path = _path(expr.accu_init, bound)
        if path is not None:
            yield from _paths(expr.result, {**bound, expr.accu_var: path})
            return
    for child in children(expr):
        yield from _paths(child, bound)


def _path(expr: Expr, bound: Mapping[str, Path]) -> Path | None:
    """Where in the device an expression leads; None for what leads nowhere."""
    if isinstance(expr, Ident):
        return () if expr.name == "device" and "device" not in bound else bound.get(expr.name)
    if isinstance(expr, Select):
        return _longer(_path(expr.operand, bound), expr.field)
    if not isinstance(expr, Call):
        return None
    if expr.function in ("_[_]", "_?._", "_[?_]"):
        container, key = expr.args
        if isinstance(key, Literal) and isinstance(key.value, str):
            return _longer(_path(container, bound), key.value)
    if expr.function == "dyn" and len(expr.args) == 1:
        return _path(expr.args[0], bound)
    if expr.function in ("orValue", "value", "hasValue") and expr.target is not None:
        return _path(expr.target, bound)
    return None


def _longer(path: Path | None, key: str) -> Path | None:
    return None if path is None else (*path, key)
