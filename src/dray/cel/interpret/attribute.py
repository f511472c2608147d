"""Paths into values: `device.attributes["gpu.example.com"].model`, with `has()`, `.?` and `[?]`.

An attribute has an origin - a variable, the value of a step, or one of two attributes by a condition - and qualifiers
that lead on from there. Each qualifier costs one, and so does the whole; what exactly is charged follows upstream to
the letter. Inside this module failures are raised; a `Path` step turns them into values.
"""

from typing import Any

from dray.cel.errors import EvalFailure, no_such_overload
from dray.cel.interpret.step import Frame, Step
from dray.cel.library.operators import to_list_index
from dray.cel.values.container import MISSING, find
from dray.cel.values.display import show
from dray.cel.values.kind import go_type_name
from dray.cel.values.optional import ABSENT, Optional
from dray.cel.values.patch import Part
from dray.cel.values.uint import Uint

_KEYS = (str, int, Uint, bool, float)


def is_key(value: Any) -> bool:
    """Whether something can be looked up by this value."""
    return type(value) in _KEYS


def look_up(container: Any, key: Any) -> Any:
    """What is under `key`, or MISSING. Raises EvalFailure where a list is asked for no index."""
    if isinstance(container, dict):
        return find(container, key)
    if isinstance(container, list):
        index = to_list_index(key)
        return container[index] if 0 <= index < len(container) else MISSING
    if isinstance(container, Part):
        return container.fields.get(key, MISSING)
    return MISSING


def _absent(container: Any, key: Any) -> EvalFailure:
    what = "index out of bounds" if isinstance(container, list) else "no such key"
    return EvalFailure(f"{what}: {show(key)}")


class Qualifier:
    """One step of a path, by a key known when planning."""

    __slots__ = ("id", "key", "optional")

    def __init__(self, id: int, key: Any, *, optional: bool) -> None:
        self.id = id
        self.key = key
        self.optional = optional

    def follow(self, frame: Frame, container: Any) -> Any:
        """What lies at the key. Raises EvalFailure where there is nothing."""
        value: Any
        try:
            value = look_up(container, self.key)
            if value is MISSING:
                value = _absent(container, self.key)
        except EvalFailure as failure:
            value = failure
        frame.tracker.observe(value, self.id, (), 1)
        if isinstance(value, EvalFailure):
            raise value
        return value

    def follow_if_present(self, frame: Frame, container: Any) -> Any:
        """What lies at the key, or MISSING, for which nothing is charged."""
        value = look_up(container, self.key)
        if value is not MISSING:
            frame.tracker.observe(value, self.id, (), 1)
        return value


class PresenceTest(Qualifier):
    """The last step of `has(a.b)`: whether there is something at the key."""

    __slots__ = ()

    def follow(self, frame: Frame, container: Any) -> Any:
        value: Any
        try:
            value = look_up(container, self.key) is not MISSING
        except EvalFailure as failure:
            value = failure
        frame.tracker.observe(value, self.id, (), 1)
        if isinstance(value, EvalFailure):
            raise value
        return value


class ComputedQualifier(Qualifier):
    """One step of a path, by a key that an attribute gives when evaluated."""

    __slots__ = ("_attribute", "_drops")

    def __init__(self, id: int, attribute: "Attribute", *, optional: bool, drops: bool) -> None:
        super().__init__(id, None, optional=optional)
        self._attribute = attribute
        self._drops = drops

    def _key(self, frame: Frame) -> Any:
        key = self._attribute.resolve(frame)
        if not is_key(key):
            raise EvalFailure(f"invalid qualifier type: {go_type_name(key)}")
        return key

    def _observe(self, frame: Frame, value: Any) -> None:
        frame.tracker.observe(value, self.id, (self.id,) if self._drops else (), 1)

    def follow(self, frame: Frame, container: Any) -> Any:
        value: Any
        try:
            key = self._key(frame)
            value = look_up(container, key)
            if value is MISSING:
                value = _absent(container, key)
        except EvalFailure as failure:
            value = failure
        self._observe(frame, value)
        if isinstance(value, EvalFailure):
            raise value
        return value

    def follow_if_present(self, frame: Frame, container: Any) -> Any:
        value = look_up(container, self._key(frame))
        if value is not MISSING:
            self._observe(frame, value)
        return value


class Attribute:
    """An origin and the qualifiers after it."""

    __slots__ = ("_id", "qualifiers")

    def __init__(self, id: int) -> None:
        self._id = id
        self.qualifiers: list[Qualifier] = []

    @property
    def id(self) -> int:
        return self.qualifiers[-1].id if self.qualifiers else self._id

    def qualify(self, qualifier: Qualifier) -> None:
        self.qualifiers.append(qualifier)

    def resolve(self, frame: Frame) -> Any:
        """Raises EvalFailure."""
        raise NotImplementedError

    def _follow(self, frame: Frame, value: Any) -> Any:
        optional = isinstance(value, Optional)
        if optional:
            if not value.present:
                return value
            value = value.value
        for qualifier in self.qualifiers:
            optional = optional or qualifier.optional
            if optional:
                value = qualifier.follow_if_present(frame, value)
                if value is MISSING:
                    return ABSENT
            else:
                value = qualifier.follow(frame, value)
        return Optional(value) if optional else value


class VariableAttribute(Attribute):
    """Starts at a variable."""

    __slots__ = ("_name",)

    def __init__(self, id: int, name: str) -> None:
        super().__init__(id)
        self._name = name

    def resolve(self, frame: Frame) -> Any:
        value = frame.resolve(self._name)
        if value is MISSING:
            raise EvalFailure(f"no such attribute(s): {self._name}")
        if isinstance(value, EvalFailure):
            raise value
        return self._follow(frame, value)


class StepAttribute(Attribute):
    """Starts at the value of a step."""

    __slots__ = ("_step",)

    def __init__(self, id: int, step: Step) -> None:
        super().__init__(id)
        self._step = step

    def resolve(self, frame: Frame) -> Any:
        value = self._step.run(frame)
        if isinstance(value, EvalFailure):
            raise value
        return self._follow(frame, value)


class ConditionalAttribute(Attribute):
    """One of two attributes, by a condition; qualifiers go to both."""

    __slots__ = ("_condition", "_if_false", "_if_true")

    def __init__(self, id: int, condition: Step, if_true: Attribute, if_false: Attribute) -> None:
        super().__init__(id)
        self._condition = condition
        self._if_true = if_true
        self._if_false = if_false

    @property
    def id(self) -> int:
        return self._if_true.id if self._if_true.id == self._if_false.id else self._id

    @property
    def parts(self) -> tuple[int, int, int]:
        """The ids of what a choice consumes."""
        return self._if_false.id, self._if_true.id, self._condition.id

    def qualify(self, qualifier: Qualifier) -> None:
        self._if_true.qualify(qualifier)
        self._if_false.qualify(qualifier)

    def resolve(self, frame: Frame) -> Any:
        condition = self._condition.run(frame)
        if condition is True:
            return self._if_true.resolve(frame)
        if condition is False:
            return self._if_false.resolve(frame)
        raise condition if isinstance(condition, EvalFailure) else no_such_overload()


class Path(Step):
    """Evaluates an attribute. Its id is that of the last qualifier, so it changes while the path is being planned."""

    __slots__ = ("attribute", "presence")

    def __init__(self, attribute: Attribute) -> None:
        self.attribute = attribute
        self.presence = 0

    @property
    def id(self) -> int:  # type: ignore[override]
        return self.presence or self.attribute.id

    def run(self, frame: Frame) -> Any:
        value: Any
        try:
            value = self.attribute.resolve(frame)
        except EvalFailure as failure:
            value = failure
        attribute = self.attribute
        cost = 1
        dropped: tuple[int, ...] = (attribute.id,)
        if isinstance(attribute, ConditionalAttribute):
            cost, dropped = 0, attribute.parts
        if self.presence:
            cost -= 1  # has() is free but for its qualifiers
            if isinstance(value, Optional):
                value = value.present
        frame.tracker.observe(value, self.id, dropped, cost)
        return value
