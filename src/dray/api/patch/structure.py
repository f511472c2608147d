"""Where in a type a strategic merge patch is: which fields are below, and how Go names what it finds instead."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from dray.api.fields import quote
from dray.api.patch.refusals import PatchError
from dray.api.schema import go_text
from dray.api.schema.model import Field, Schema

_KINDS: Final[Mapping[str, str]] = {
    "map": "map",
    "list": "slice",
    "string": "string",
    "int32": "int32",
    "int64": "int64",
    "bool": "bool",
    "float64": "float64",
    "bytes": "slice",
}
"""By shape, or by scalar: what Go calls the type of a value; everything else is a struct."""

_FREE: Final = Field("", Schema("any", "interface {}"))


class Place(NamedTuple):
    schema: Schema | None
    """None where nothing is known of the type: lists are replaced there, and maps merged."""
    is_pointer: bool = False

    @property
    def kind(self) -> str:
        """Of the type of the values here."""
        if self.is_pointer:
            return "ptr"
        return _kind(self.schema) if self.schema is not None else "struct"

    def member(self, name: str) -> "tuple[Field, Place]":
        """The field of that name, and the place that its value is. Raises PatchError where there is none."""
        schema = self.schema
        if schema is None:
            return _FREE, Place(None)
        kind = _kind(schema)
        if kind != "struct":
            raise PatchError(f"merging an object in json but data type is not struct, instead is: {kind}")
        field = schema.fields.get(name)
        if field is None:
            struct = schema.go_type.rpartition(".")[2]
            raise PatchError(f"unable to find api field in struct {struct} for the json field {quote(name)}")
        return field, Place(field.schema, field.pointer)

    def list_member(self, name: str) -> "tuple[Field, Place]":
        """The field of that name, and the place that its elements are. Raises PatchError where it is no list."""
        field, inner = self.member(name)
        if inner.schema is None:
            return field, inner
        if _kind(inner.schema) == "slice":
            return field, Place(inner.schema.items)
        if inner.is_pointer:
            return field, Place(inner.schema)
        raise PatchError(f"expected slice or array type, but got: {self.kind}")


def _kind(schema: Schema) -> str:
    return _KINDS.get(schema.scalar if schema.shape == "scalar" else schema.shape, "struct")


def bad_type(expected: Any, found: Any) -> PatchError:
    """`expected` is any value of the type that was expected."""
    shown = "%!s(<nil>)" if found is None else go_text.type_name(found)
    return PatchError(f"expected a {go_text.type_name(expected)}, but received a {shown}")
