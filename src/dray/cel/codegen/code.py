"""Python source under construction: names that cannot clash, constants out of band, and what is known of a value.

Nothing of an expression's text ever becomes source: identifiers are numbered names, literals and functions are constants
handed to the compiled code as default arguments.
"""

from typing import Any, Final, NamedTuple

from dray.api.quantity import Quantity
from dray.api.semver import Semver
from dray.cel.types import CelType, Kind
from dray.cel.values.container import DomainMap

_CLASSES: Final[dict[Kind, type]] = {
    Kind.BOOL: bool,
    Kind.BYTES: bytes,
    Kind.DOUBLE: float,
    Kind.INT: int,
    Kind.STRING: str,
}
_STRUCTS: Final[dict[str, type]] = {"kubernetes.Quantity": Quantity, "kubernetes.Semver": Semver}


class NotGenerated(Exception):
    """This expression is left to the interpreter."""


def known_class(declared: CelType) -> type | None:
    """The class of all values of a type, if there is but one."""
    if declared.nullable:
        return None
    if declared.kind is Kind.STRUCT:
        return _STRUCTS.get(declared.name)
    return _CLASSES.get(declared.kind)


class Code(NamedTuple):
    """A Python expression. `known` is the exact class of its value, or None; `constant` that value, where known now."""

    source: str
    known: type | None = None
    constant: Any = None
    is_constant: bool = False


class Constants:
    """Values that generated code refers to by name."""

    __slots__ = ("_names", "values")

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self._names: dict[int, str] = {}

    def name(self, value: Any) -> str:
        """A name for this very object."""
        known = self._names.get(id(value))
        if known is None:
            known = f"k{len(self.values)}"
            self.values[known] = value
            self._names[id(value)] = known
        return known

    def code(self, value: Any) -> Code:
        return Code(self.name(value), type(value), value, True)


class Body:
    """One function being written: its constants, its temporaries, the variables it gets from outside."""

    __slots__ = ("_temporaries", "constants", "name", "variables")

    def __init__(self, name: str, constants: Constants, variables: dict[str, Code]) -> None:
        """`variables`: what each variable of the expression is called here."""
        self.name = name
        self.constants = constants
        self.variables = variables
        self._temporaries = 0

    def temporary(self) -> str:
        self._temporaries += 1
        return f"t{self._temporaries}"


def is_domain_map(code: Code) -> bool:
    return code.known is DomainMap
