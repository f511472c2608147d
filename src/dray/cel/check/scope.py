"""Which names mean what at some point of an expression: declared names, and the variables of enclosing macros."""

from collections.abc import Mapping

from dray.cel.types import WELL_KNOWN, CelType, Kind, type_of

_NOT_MESSAGES = ("google.protobuf.NullValue",)


class Structs:
    """The types that have fields: those of the environment, and the well-known messages of protobuf."""

    __slots__ = ("_fields",)

    def __init__(self, fields: Mapping[str, Mapping[str, CelType]]) -> None:
        self._fields = fields

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def field(self, struct: str, name: str) -> CelType | None:
        return self._fields[struct].get(name)


class Scope:
    """A stack of variables over the declared names; the innermost wins."""

    __slots__ = ("_declared", "_locals")

    def __init__(self, declared: Mapping[str, CelType]) -> None:
        self._declared = declared
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
        return found

    def is_local(self, name: str) -> bool:
        return any(local == name for local, _ in self._locals)

    def push(self, name: str, declared: CelType) -> None:
        self._locals.append((name, declared))

    def pop(self, count: int) -> None:
        del self._locals[-count:]


def is_type_name(found: CelType) -> bool:
    return found.kind is Kind.TYPE
