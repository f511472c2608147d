"""From text to something that can be evaluated: parse, check, validate, plan.

The parts that are not always needed - the cost estimate, the steps of the interpreter - are made when first asked for.
"""

import functools
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from dray.cel.ast import Expr
from dray.cel.check.checker import Checker
from dray.cel.check.scope import Structs
from dray.cel.check.validators import validate_literals
from dray.cel.cost.bounds import MAX, Bounds
from dray.cel.cost.estimate import estimate_cost
from dray.cel.cost.node import SizeHint
from dray.cel.declarations import Declarations
from dray.cel.errors import CelCompileError, CelRuntimeError, CostLimitExceeded, EvalAborted, EvalFailure
from dray.cel.interpret.plan import PlanError, plan
from dray.cel.interpret.step import InputFrame, Step
from dray.cel.interpret.tracker import Tracker
from dray.cel.source import NOWHERE, Complaint, Source
from dray.cel.syntax.parser import parse
from dray.cel.syntax.recovery import read
from dray.cel.types import CelType

MAX_CODE_POINTS = 100_000
"""Longer texts are refused before they are read."""

_LIMIT_EXCEEDED = "operation cancelled: actual cost limit exceeded"
_DEEP = 12_000


_RAISED: list[int] = []
"""For each evaluation that has raised the limit, in whatever thread, the limit before the first did."""


@contextmanager
def deep_recursion() -> Iterator[None]:
    """Room for trees as deep as the parser admits, whatever the depth of the caller; the last to leave takes it back."""
    before = _RAISED[0] if _RAISED else sys.getrecursionlimit()
    _RAISED.append(before)
    sys.setrecursionlimit(max(before, _DEEP))
    try:
        yield
    finally:
        _RAISED.pop()
        if not _RAISED:
            sys.setrecursionlimit(before)


class Language:
    """An environment in the form compilation needs: names, fields of types, sizes of the input."""

    __slots__ = ("declarations", "hint", "structs", "validates")

    def __init__(
        self, declarations: Declarations, structs: Structs, hint: SizeHint, *, validates: bool = True
    ) -> None:
        """`validates`: literals are looked into when compiling, as since Kubernetes 1.29."""
        self.declarations = declarations
        self.structs = structs
        self.hint = hint
        self.validates = validates


class Compilation:
    """A checked expression."""

    def __init__(self, text: str, root: Expr, language: Language) -> None:
        self.text = text
        self.root = root
        self.language = language

    @property
    def output_type(self) -> CelType:
        return self.root.type

    @functools.cached_property
    def estimate(self) -> Bounds:
        """The least and the most an evaluation can cost."""
        try:
            return estimate_cost(self.root, self.language.hint)
        except RecursionError:
            with deep_recursion():
                return estimate_cost(self.root, self.language.hint)

    @functools.cached_property
    def steps(self) -> Step:
        """The interpreter's program. Raises PlanError."""
        try:
            return plan(self.root, self.language.declarations)
        except RecursionError:
            with deep_recursion():
                return plan(self.root, self.language.declarations)

    def run(self, variables: Mapping[str, Any], limit: int) -> tuple[Any, int]:
        """The exact value and its cost. Raises CelRuntimeError."""
        try:
            return self._run(variables, limit)
        except RecursionError:
            with deep_recursion():
                return self._run(variables, limit)

    def _run(self, variables: Mapping[str, Any], limit: int) -> tuple[Any, int]:
        tracker = Tracker(limit)
        try:
            value = self.steps.run(InputFrame(variables, tracker))
        except CostLimitExceeded:
            raise CelRuntimeError(_LIMIT_EXCEEDED, tracker.cost) from None
        except EvalAborted as abort:
            raise CelRuntimeError(str(abort), tracker.cost) from None
        if isinstance(value, EvalFailure):
            raise CelRuntimeError(value.message, tracker.cost)
        return value, tracker.cost


def compile_text(text: str, language: Language, accepts: Callable[[CelType], str | None]) -> Compilation:
    """Parse and check `text`. `accepts` says what is wrong with an output type, if anything.

    Raises CelCompileError.
    """
    try:
        return _compile(text, language, accepts)
    except RecursionError:
        with deep_recursion():
            return _compile(text, language, accepts)


def _compile(text: str, language: Language, accepts: Callable[[CelType], str | None]) -> Compilation:
    text = text.encode("utf-8", "replace").decode() if not text.isascii() else text
    source = Source(text)
    root = _parse(source, language)
    checker = Checker(language.declarations, language.structs)
    checker.visit(root)
    checker.settle()
    complaints = checker.complaints
    if not complaints and language.validates:
        complaints = validate_literals(root, formats="format" in language.declarations.functions)
    if complaints:
        raise source.error(complaints, "compilation failed: ")
    why = accepts(root.type)
    if why is not None:
        raise CelCompileError(why)
    compilation = Compilation(text, root, language)
    if checker.may_fail_to_plan:
        try:
            _ = compilation.steps
        except PlanError as error:
            raise CelCompileError(f"program instantiation failed: {error}") from error
    return compilation


def _parse(source: Source, language: Language) -> Expr:
    macros = language.declarations.macros
    if len(source.text) > MAX_CODE_POINTS:
        size = f"size: {len(source.text)}, limit {MAX_CODE_POINTS}"
        too_long = Complaint(NOWHERE, f"expression code point size exceeds limit: {size}")
        raise source.error([too_long], "compilation failed: ")
    root = parse(source.text, macros)
    if root is None:
        root, complaints = read(source.text, macros)
        if complaints or root is None:
            raise source.error(complaints, "compilation failed: ")
    return root


def no_hint(path: tuple[str, ...]) -> Bounds | None:
    """For environments that know nothing of the sizes of their input."""
    return None


UNBOUNDED = MAX
"""An estimate that says nothing."""
