"""Which names mean what at some point of an expression: declared names, and the variables of enclosing macros."""

from collections.abc import Mapping

from dray.cel.types import DYN, STRING, WELL_KNOWN, CelType, struct, type_of
from dray.cel.values.patch import JSON_PATCH, is_of_patches

_NOT_MESSAGES = ("google.protobuf.NullValue",)


_OPERATION = {"op": STRING, "from": STRING, "path": STRING, "value": DYN}
_NO_TYPE = struct("")
"""What upstream takes for the type of a field that an operation of a patch does not have."""


class Structs:
    """The types that have fields: those of the environment, and the well-known messages of protobuf."""

    __slots__ = ("_fields", "_has_patches")

    def __init__(self, fields: Mapping[str, Mapping[str, CelType]], *, has_patches: bool = False) -> None:
        """`has_patches`: there are `JSONPatch`, and `Object` with its parts, which may have any fields."""
        self._fields = fields
        self._has_patches = has_patches

    def __contains__(self, name: str) -> bool:
        return name in self._fields or self.has_for_patches(name)

    def has_for_patches(self, name: str) -> bool:
        return self._has_patches and is_of_patches(name)

    def field(self, struct: str, name: str) -> CelType | None:
        if self.has_for_patches(struct):
            return _OPERATION.get(name, _NO_TYPE) if struct == JSON_PATCH else DYN
        return self._fields[struct].get(name)


class Scope:
    """A stack of variables over the declared names; the innermost wins."""

    __slots__ = ("_declared", "_locals", "_structs")

    def __init__(self, declared: Mapping[str, CelType], structs: Structs) -> None:
        self._declared = declared
        self._structs = structs
        self._locals: list[tuple[str, CelType]] = []

    def find(self, name: str) -> CelType | None:
        """The type of what `name` means; a type name has type `type(T)`. A leading dot changes nothing."""
        name = name.removeprefix(".")
        for local, declared in reversed(self._locals):
            if local == name:
                return declared
        found = self._declared.get(name)
        if found is None and name in WELL_KNOWN and name not in _NOT_MESSAGES:
            return type_of(WELL_KNOWN[name])
        if found is None and self._structs.has_for_patches(name):
            return type_of(struct(name))
        return found

    def is_local(self, name: str) -> bool:
        return any(local == name for local, _ in self._locals)

    def push(self, name: str, declared: CelType) -> None:
        self._locals.append((name, declared))

    def pop(self, count: int) -> None:
        del self._locals[-count:]
