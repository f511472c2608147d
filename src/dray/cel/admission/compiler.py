"""The expressions of a policy, compiled in their order: variables first, since all others may use them.

The same compilation serves twice: validation asks what is wrong with a policy before it is stored, and admission
evaluates what was stored. Source: kubernetes apiserver/pkg/admission/plugin/cel/{compile,composition}.go, 1.36.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from dray.cel import CelCompileError, Expression, Vocabulary
from dray.cel.admission.vocabulary import UNTYPED, Types, vocabulary
from dray.cel.types import BOOL, DYN, NULL, STRING, CelType, Kind, list_of, map_of, struct
from dray.cel.values.patch import JSON_PATCH, OBJECT

RULE: Final = (BOOL,)
MESSAGE: Final = (STRING,)
ANNOTATION: Final = (STRING, NULL)
CONFIGURATION: Final = (struct(OBJECT),)
OPERATIONS: Final = (list_of(struct(JSON_PATCH)),)
ANYTHING: Final[tuple[CelType, ...]] = ()
"""The types that the expressions of each role may have."""

_PLAIN: Final = frozenset(
    {Kind.ANY, Kind.BOOL, Kind.BYTES, Kind.DOUBLE, Kind.DURATION, Kind.INT, Kind.NULL, Kind.STRING, Kind.TIMESTAMP, Kind.UINT}
)  # fmt: skip


class Compiled(NamedTuple):
    """An expression, or what is wrong with its text."""

    text: str
    expression: Expression | None
    fault: str = ""


class Compiler:
    """Compiles the expressions of one policy."""

    def __init__(self, *, has_params: bool, has_variables: bool, types: Types = UNTYPED) -> None:
        self._has_params = has_params
        self._objects = types
        self._types: dict[str, CelType] | None = {} if has_variables else None
        self._known: dict[tuple[bool, bool, bool], Vocabulary] = {}

    def variable(self, name: str, text: str, *, is_new: bool = False) -> Compiled:
        """The expression of a variable; those that come later know it, with its type."""
        compiled = self.compile(text, ANYTHING, is_new=is_new)
        if self._types is not None:
            output = compiled.expression.output_type if compiled.expression else DYN
            self._types[name] = _declared(output)
        return compiled

    def compile(
        self, text: str, results: Sequence[CelType], *, has_authorizer: bool = True, is_new: bool = False
    ) -> Compiled:
        has_patches = results in (CONFIGURATION, OPERATIONS)
        try:
            vocabulary = self._vocabulary(has_authorizer, is_new, has_patches)
            return Compiled(text, vocabulary.compile(text, results))
        except CelCompileError as error:
            return Compiled(text, None, str(error))

    def _vocabulary(self, has_authorizer: bool, is_new: bool, has_patches: bool) -> Vocabulary:
        key = has_authorizer, is_new, has_patches
        if key not in self._known:
            self._known[key] = vocabulary(
                has_params=self._has_params,
                has_authorizer=has_authorizer,
                variables=self._types,
                is_new=is_new,
                types=self._objects,
                has_patches=has_patches,
            )
        return self._known[key]


def _declared(output: CelType) -> CelType:
    """As what a variable is known to the expressions that use it: types without a JSON form lose their name."""
    if output.kind is Kind.LIST:
        return list_of(_declared(output.params[0]))
    if output.kind is Kind.MAP:
        return map_of(_declared(output.params[0]), _declared(output.params[1]))
    return output if output.kind in _PLAIN and not output.nullable else DYN
