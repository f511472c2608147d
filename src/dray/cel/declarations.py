"""What an environment knows: functions with their overloads, macros, type names; bundled into libraries.

A *function* has a name and overloads; an *overload* is one signature with an id, under which cel-go accounts its cost.
An implementation takes and returns values (`dray.cel.values`) and raises EvalFailure. Each overload has its own, which
is only ever called with arguments of the declared types; or all overloads share one `operator`, which sorts out the
types of its arguments itself.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from dray.cel.syntax.builder import Expander, MacroKey
from dray.cel.types import CelType

Implementation = Callable[..., Any]


class Overload:
    """One signature. `params` includes the target of a member function."""

    __slots__ = ("guarded", "has_params", "id", "implementation", "member", "params", "result", "type_params")

    def __init__(
        self,
        id: str,
        params: tuple[CelType, ...],
        result: CelType,
        implementation: Implementation | None = None,
        *,
        member: bool = False,
        guarded: bool = True,
    ) -> None:
        """`guarded`: check the types of arguments before each call; else the implementation does."""
        self.id = id
        self.params = params
        self.result = result
        self.implementation = implementation
        self.member = member
        self.guarded = guarded
        self.type_params = tuple(sorted({name for t in (*params, result) for name in _params_of(t)}))
        self.has_params = bool(self.type_params)


def _params_of(declared: CelType) -> Iterable[str]:
    if declared.has_params and not declared.params:
        yield declared.name
    for param in declared.params:
        yield from _params_of(param)


class Function:
    """A named function. `operator` implements all overloads at once, where given."""

    __slots__ = ("by_id", "name", "operator", "overloads", "resolutions")

    def __init__(self, name: str, *overloads: Overload, operator: Implementation | None = None) -> None:
        self.name = name
        self.overloads = overloads
        self.operator = operator
        self.by_id = {overload.id: overload for overload in overloads}
        self.resolutions: dict[tuple[str, ...], tuple[CelType, tuple[str, ...], int]] = {}
        """The checker's: what arguments of these types give, by which overloads, and how many type variables that took."""

    def merged(self, other: "Function") -> "Function":
        """With the overloads of another function of the same name after its own."""
        added = tuple(overload for overload in other.overloads if overload.id not in self.by_id)
        return Function(self.name, *self.overloads, *added, operator=self.operator or other.operator)


def overload(
    id: str, params: tuple[CelType, ...], result: CelType, implementation: Implementation
) -> Overload:
    """A global function's overload."""
    return Overload(id, params, result, implementation)


def member(id: str, params: tuple[CelType, ...], result: CelType, implementation: Implementation) -> Overload:
    """A member function's overload; `params[0]` is the target."""
    return Overload(id, params, result, implementation, member=True)


class Version(NamedTuple):
    """A Kubernetes minor version."""

    major: int
    minor: int


ALWAYS = Version(1, 0)


class Library(NamedTuple):
    """A bundle that environments of `introduced` and later have; `removed` ends that."""

    name: str
    introduced: Version
    functions: tuple[Function, ...] = ()
    macros: Mapping[MacroKey, Expander] = {}
    types: tuple[CelType, ...] = ()
    removed: Version | None = None

    def is_in(self, version: Version) -> bool:
        return self.introduced <= version and (self.removed is None or version < self.removed)


class Declarations:
    """The names an expression may use."""

    __slots__ = ("functions", "identifiers", "macros")

    def __init__(
        self,
        functions: Mapping[str, Function],
        macros: Mapping[MacroKey, Expander],
        identifiers: Mapping[str, CelType],
    ) -> None:
        """`identifiers`: the variables and type names and what they are; a type name is a `type(T)`."""
        self.functions = functions
        self.macros = macros
        self.identifiers = identifiers
