"""The two things evaluation is made of: steps that give values, and frames that know names."""

from collections.abc import Mapping
from typing import Any, Protocol

from dray.cel.interpret.tracker import Tracker
from dray.cel.values.container import MISSING


class Frame(Protocol):
    """Where names are looked up while a step runs."""

    tracker: Tracker

    def resolve(self, name: str) -> Any:
        """The value of a variable, or MISSING. An EvalFailure where its value failed."""
        ...


class InputFrame:
    """The outermost frame: the variables of the environment."""

    __slots__ = ("_variables", "tracker")

    def __init__(self, variables: Mapping[str, Any], tracker: Tracker) -> None:
        self._variables = variables
        self.tracker = tracker

    def resolve(self, name: str) -> Any:
        return self._variables.get(name, MISSING)


class Step:
    """A part of an expression, ready to run. `id` names it to the cost model."""

    __slots__ = ("id",)

    def __init__(self, id: int) -> None:
        self.id = id

    def run(self, frame: Frame) -> Any:
        """The value, or an EvalFailure: failures are values here, since `&&` and `||` may absorb them."""
        raise NotImplementedError


class Constant(Step):
    """A value known when the expression is planned. Free."""

    __slots__ = ("value",)

    def __init__(self, id: int, value: Any) -> None:
        super().__init__(id)
        self.value = value

    def run(self, frame: Frame) -> Any:
        frame.tracker.push(self.value, self.id)
        return self.value
