"""Comprehensions: the loops that macros expand to.

The accumulator is initialised when first asked for, so a name bound by `cel.bind` costs nothing where it is not used.
An accumulator that starts as an empty list or map grows in place.
"""

from collections.abc import Iterator
from typing import Any

from dray.cel.errors import EvalFailure
from dray.cel.interpret.step import Frame, Step
from dray.cel.values.container import MISSING, GrowingList, GrowingMap, keys_of
from dray.cel.values.kind import go_type_name


class FoldFrame:
    """The variables of one comprehension, over those around it."""

    __slots__ = ("_fold", "_growing", "_outer", "accumulated", "finished", "first", "second", "tracker")

    def __init__(self, fold: "FoldStep", outer: Frame) -> None:
        self._fold = fold
        self._outer = outer
        self._growing = False
        self.tracker = outer.tracker
        self.accumulated: Any = MISSING
        self.first: Any = None
        self.second: Any = None
        self.finished = False

    def resolve(self, name: str) -> Any:
        fold = self._fold
        if name == fold.accu_var:
            if self.accumulated is MISSING:
                self.accumulated = self._initial(fold.accu_init.run(self._outer))
            return self.accumulated
        if not self.finished:
            if name == fold.iter_var:
                return self.first
            if name == fold.iter_var2:
                return self.second
        return self._outer.resolve(name)

    def _initial(self, value: Any) -> Any:
        if isinstance(value, list) and not value:
            self._growing = True
            return GrowingList()
        if isinstance(value, dict) and not value:
            self._growing = True
            return GrowingMap()
        return value

    def settled(self, value: Any) -> Any:
        """The result of the fold: what grew becomes an ordinary list or map."""
        if self._growing:
            if type(value) is GrowingList:
                return list(value)
            if type(value) is GrowingMap:
                return dict(value)
        return value


class FoldStep(Step):
    """Runs a comprehension."""

    __slots__ = (
        "_condition",
        "_iter_range",
        "_result",
        "_step",
        "accu_init",
        "accu_var",
        "iter_var",
        "iter_var2",
    )

    def __init__(
        self,
        id: int,
        *,
        names: tuple[str, str, str],
        iter_range: Step,
        accu_init: Step,
        condition: Step,
        step: Step,
        result: Step,
    ) -> None:
        """`names`: of the accumulator, the iteration variable, and the second one or ""."""
        super().__init__(id)
        self.accu_var, self.iter_var, self.iter_var2 = names
        self.accu_init = accu_init
        self._iter_range = iter_range
        self._condition = condition
        self._step = step
        self._result = result

    def run(self, frame: Frame) -> Any:
        value = self._fold(frame)
        frame.tracker.drop(self._iter_range.id)
        frame.tracker.push(value, self.id)
        return value

    def _fold(self, outer: Frame) -> Any:
        iterated = self._iter_range.run(outer)
        if isinstance(iterated, EvalFailure):
            return iterated
        if not isinstance(iterated, list | dict):
            return self._not_iterable(iterated)
        frame = FoldFrame(self, outer)
        for frame.first, frame.second in self._items(iterated):
            outer.tracker.turn()
            proceed = self._condition.run(frame)
            if proceed is False:
                break
            frame.accumulated = self._step.run(frame)
        frame.finished = True
        return frame.settled(self._result.run(frame))

    def _items(self, iterated: list[Any] | dict[Any, Any]) -> Iterator[tuple[Any, Any]]:
        if isinstance(iterated, list):
            return enumerate(iterated) if self.iter_var2 else ((item, None) for item in iterated)
        return zip(keys_of(iterated), list(iterated.values()), strict=True)

    def _not_iterable(self, value: Any) -> EvalFailure:
        kind = go_type_name(value)
        if self.iter_var2:
            return EvalFailure(f"unsupported comprehension range type: {kind}")
        return EvalFailure(f"got '{kind}', expected iterable type")
