"""Expressions over any variables, for whatever in Kubernetes is configured with CEL besides device selectors.

Values are JSON: dicts with string keys, lists, strings, numbers, booleans and null. Objects are best declared as `DYN`,
which is how admission policies without a schema see them.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from dray.cel.check.scope import Structs
from dray.cel.compilation import Compilation, Language, compile_text, no_hint
from dray.cel.declarations import Version
from dray.cel.device_expression import COST_LIMIT
from dray.cel.environment import PATCHES, WELL_KNOWN_STRUCTS, declare, libraries_of
from dray.cel.errors import CelCompileError
from dray.cel.library import messages
from dray.cel.types import CelType


class Expression:
    """A compiled expression."""

    def __init__(self, compilation: Compilation) -> None:
        self._compilation = compilation

    @property
    def text(self) -> str:
        return self._compilation.text

    @property
    def output_type(self) -> CelType:
        return self._compilation.output_type

    @property
    def estimated_cost(self) -> int:
        """The most an evaluation can cost, given that nothing is known of the size of the input."""
        return self._compilation.estimate.high

    def evaluate(self, variables: Mapping[str, Any], limit: int = COST_LIMIT) -> Any:
        """The value, a CEL value (`dray.cel.values`). Raises CelRuntimeError."""
        return self._compilation.run(variables, limit)[0]

    def evaluate_with_cost(self, variables: Mapping[str, Any], limit: int = COST_LIMIT) -> tuple[Any, int]:
        """The value and what it cost. Raises CelRuntimeError."""
        return self._compilation.run(variables, limit)


class Vocabulary:
    """What the expressions of one environment may speak of: variables, and types with fields.

    `structs` may grow between compilations, as it does when one expression becomes a variable of the next.
    """

    def __init__(
        self,
        variables: Mapping[str, CelType],
        structs: Mapping[str, Mapping[str, CelType]],
        version: Version | None = None,
        *,
        has_patches: bool = False,
    ) -> None:
        """`version`: the release whose libraries may be used; the newest ones without.

        `has_patches`: expressions may make patches, of `Object{...}` or `JSONPatch{...}`."""
        fields = {**messages.FIELDS, **structs}
        libraries = libraries_of(version)
        declarations = declare((*libraries, PATCHES) if has_patches else libraries, variables)
        self._language = Language(declarations, Structs(fields, has_patches=has_patches), no_hint)

    def compile(self, text: str, results: Sequence[CelType] = ()) -> Expression:
        """`results`: the types an expression may have, exactly; any without. Raises CelCompileError."""

        def fault(found: CelType) -> str | None:
            if not results or found in results:
                return None
            wanted = " ".join(result.description for result in results)
            if len(results) == 1:
                return f"must evaluate to {wanted} but got {found.description}"
            return f"must evaluate to one of [{wanted}] but got {found.description}"

        return Expression(compile_text(text, self._language, fault))


def compile_expression(
    text: str,
    variables: Mapping[str, CelType],
    *,
    version: Version | None = None,
    output: CelType | None = None,
) -> Expression:
    """Compile for some variables, with the libraries that `version` has (the newest ones without).

    `output`: the type the expression must have. Raises CelCompileError. Remembers what it compiled.
    """
    compiled = _compile(text, tuple(sorted(variables.items(), key=lambda item: item[0])), version, output)
    if isinstance(compiled, Expression):
        return compiled
    raise CelCompileError(str(compiled), compiled.issues)


_Variables = tuple[tuple[str, CelType], ...]


@functools.lru_cache(maxsize=1024)
def _compile(
    text: str, variables: _Variables, version: Version | None, output: CelType | None
) -> Expression | CelCompileError:
    def fault(found: CelType) -> str | None:
        if output is None or found == output or found.is_dyn:
            return None
        return f"must evaluate to {output.description}"

    try:
        return Expression(compile_text(text, _language(variables, version), fault))
    except CelCompileError as error:
        return error.with_traceback(None)


@functools.lru_cache(maxsize=64)
def _language(variables: _Variables, version: Version | None) -> Language:
    return Language(declare(libraries_of(version), dict(variables)), WELL_KNOWN_STRUCTS, no_hint)
