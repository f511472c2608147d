"""What can go wrong with an expression: it does not compile, or it has no value for this input.

    CelError                 either
      CelCompileError        the text is no valid expression of its environment; `issues` say where
      CelRuntimeError        evaluation failed; `cost` is what had been spent

Texts are cel-go's, since Kubernetes shows them to users. Inside the engine a failed evaluation is an `EvalFailure`:
raised by functions, and passed around as a *value* by the interpreter, because `false && <failure>` is false.
"""

from typing import NamedTuple


class Issue(NamedTuple):
    """One complaint about the source. `line` and `column` count from 1; both are -1 and 0 where there is no place."""

    line: int
    column: int
    message: str


class CelError(Exception):
    """An expression could not be compiled or evaluated."""


class CelCompileError(CelError):
    """The expression is invalid; `str()` is the whole text with source lines and carets."""

    def __init__(self, message: str, issues: tuple[Issue, ...] = ()) -> None:
        super().__init__(message)
        self.issues = issues


class CelRuntimeError(CelError):
    """The expression has no value for this input; `str()` is upstream's text, `cost` the cost until then."""

    def __init__(self, message: str, cost: int = 0) -> None:
        super().__init__(message)
        self.cost = cost


class EvalFailure(Exception):
    """A failed evaluation step, raised by functions and carried as a value by the interpreter."""

    @property
    def message(self) -> str:
        return str(self.args[0])


class EvalAborted(Exception):
    """The evaluation broke down as a whole, where upstream's process would have; nothing absorbs this one."""


class CostLimitExceeded(Exception):
    """The evaluation used more than its limit; ends it at once, nothing absorbs this one."""


NO_SUCH_OVERLOAD = "no such overload"


def no_such_overload() -> EvalFailure:
    """The failure of an operator whose operands do not fit each other."""
    return EvalFailure(NO_SUCH_OVERLOAD)
