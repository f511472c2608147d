"""Which devices do the selectors of a class and a request accept? Answered once per expression and device.

A `Filter` is the selectors of one class followed by those of one request, all of which must hold; the first that does
not ends the evaluation, and an error concerns only the device for which it happened. Answers are kept on the slice,
per expression; a slice that replaces another takes over the answers of the devices that did not change.

Refuses to know: whether a device is free. Source: KEP-4381; texts of Kubernetes 1.36.2.
"""

from typing import NamedTuple

from dray.allocation.model import Features, Variant
from dray.allocation.slices import Device, Slice
from dray.cel import CelCompileError, CelRuntimeError, DeviceInput, Environment, Selector, compile_selector

_FILTERS_MAX = 512


class Failure(NamedTuple):
    """An expression that could not be answered; `text` is upstream's."""

    text: str
    compiling: bool


class Expression:
    """One CEL selector, compiled when first asked. Interned: equal texts are the same object."""

    __slots__ = ("_environment", "_failure", "_selector", "text")

    def __init__(self, text: str, environment: Environment) -> None:
        self.text = text
        self._environment = environment
        self._failure: Failure | None = None
        self._selector: Selector | None = None

    @property
    def selector(self) -> Selector | Failure:
        """The compiled expression, or why it does not compile."""
        if self._selector is None and self._failure is None:
            try:
                self._selector = compile_selector(self.text, self._environment)
            except CelCompileError as error:
                self._failure = Failure(str(error), compiling=True)
        return self._failure or self._selector  # type: ignore[return-value]  # one of them is set

    def answer(self, device: DeviceInput) -> bool | Failure:
        selector = self.selector
        if isinstance(selector, Failure):
            return selector
        try:
            return bool(selector.matches(device))
        except CelRuntimeError as error:
            return Failure(str(error), compiling=False)


class Answers:
    """What one expression said about the devices of one slice, as far as it was asked."""

    __slots__ = ("failures", "known", "true")

    def __init__(self) -> None:
        self.known = 0
        self.true = 0
        self.failures: dict[int, Failure] = {}
        """By bit; such a device is known, but not true."""

    def learn(self, bit: int, answer: bool | Failure) -> None:
        self.known |= 1 << bit
        if isinstance(answer, Failure):
            self.failures[bit] = answer
        elif answer:
            self.true |= 1 << bit


class Filter:
    """The selectors that a device must satisfy for one request. Interned, so compared by identity."""

    __slots__ = ("class_count", "class_name", "expressions")

    def __init__(
        self, class_name: str, from_class: tuple[Expression, ...], own: tuple[Expression, ...]
    ) -> None:
        self.class_name = class_name
        self.class_count = len(from_class)
        self.expressions = from_class + own

    def origin(self, index: int) -> tuple[str, int]:
        """The class whose selector `expressions[index]` is, or "" for the request's own, and its number there."""
        if index < self.class_count:
            return self.class_name, index
        return "", index - self.class_count


class MatchError(NamedTuple):
    """The expression of a filter that failed for a device."""

    number: int
    failure: Failure


class Match(NamedTuple):
    """What a filter said about the devices of one slice, as far as it was asked."""

    asked: int
    accepted: int
    doubtful: int
    """A device among these ends the attempt when its turn comes, unless asking then shows otherwise."""


class Matcher:
    """Interns expressions and filters, and evaluates them."""

    def __init__(self, features: Features) -> None:
        # From 1.37 on selectors understand lists whatever the gate says.
        self._environment = Environment(
            list_type_attributes=features.list_type_attributes or features.release_137
        )
        # The stable allocator is older than shared devices: to its selectors, none is.
        self._blind_to_sharing = features.variant is Variant.STABLE
        self._expressions: dict[str, Expression] = {}
        self._filters: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Filter] = {}

    def _input(self, device: Device) -> DeviceInput:
        raw = device.raw
        if self._blind_to_sharing and "allowMultipleAllocations" in raw:
            raw = {key: value for key, value in raw.items() if key != "allowMultipleAllocations"}
        return DeviceInput.of(device.slice.driver, raw)

    @property
    def is_crowded(self) -> bool:
        """So many filters were seen that remembering all costs more than it saves."""
        return len(self._filters) > _FILTERS_MAX

    def forget(self) -> None:
        """Start over; filters handed out before stay usable, but are not found again."""
        self._filters.clear()
        self._expressions.clear()

    def filter_of(self, class_name: str, from_class: tuple[str, ...], own: tuple[str, ...]) -> Filter:
        key = (class_name, from_class, own)
        found = self._filters.get(key)
        if found is None:
            made = (tuple(map(self._expression, texts)) for texts in (from_class, own))
            found = self._filters[key] = Filter(class_name, *made)
        return found

    def _expression(self, text: str) -> Expression:
        expression = self._expressions.get(text)
        if expression is None:
            expression = self._expressions[text] = Expression(text, self._environment)
        return expression

    def match(self, entry: Slice, wanted: Filter, devices: int) -> Match:
        """What the filter says about `devices`, and perhaps others; O(1) where it was asked before.

        Evaluating costs a thousand times more than remembering, so ask about devices that matter only.
        """
        found = entry.matches.get(wanted)
        if found is None or devices & ~found.asked:
            asked = devices if found is None else devices | found.asked
            found = entry.matches[wanted] = self._evaluate(entry, wanted, asked)
        return found

    def _evaluate(self, entry: Slice, wanted: Filter, asked: int) -> Match:
        accepted, doubtful = asked, 0
        inputs: dict[int, DeviceInput] = {}
        for expression in wanted.expressions:
            if not accepted:
                break
            answers = self._ask(entry, expression, accepted, inputs)
            for bit in answers.failures:
                doubtful |= accepted & (1 << bit)
            doubtful |= accepted & ~answers.known
            accepted &= answers.true
        return Match(asked, accepted, doubtful)

    def _ask(
        self, entry: Slice, expression: Expression, devices: int, inputs: dict[int, DeviceInput]
    ) -> Answers:
        """Find out about `devices`; `inputs` keeps what is costly to build.

        Asking ends at the first failure: mostly that is the end of the attempt, and a failure can be costly (an
        expression that is stopped by its cost limit takes a second), so that the others are asked when it matters.
        """
        answers = entry.answers.get(expression)
        if answers is None:
            answers = entry.answers[expression] = Answers()
        unknown = devices & ~answers.known
        while unknown and not answers.failures:
            low = unknown & -unknown
            unknown ^= low
            bit = low.bit_length() - 1
            device = inputs.get(bit)
            if device is None:
                device = inputs[bit] = self._input(entry.devices[bit])
            answers.learn(bit, expression.answer(device))
        return answers

    def settle(self, device: Device, wanted: Filter) -> MatchError | None:
        """Ask about a doubtful device: the failure, or None where `match` will have an answer now."""
        entry = device.slice
        entry.matches.pop(wanted, None)
        for number, expression in enumerate(wanted.expressions):
            answers = entry.answers.setdefault(expression, Answers())
            if not answers.known >> device.bit & 1:
                answers.learn(device.bit, expression.answer(self._input(device)))
            if (failure := answers.failures.get(device.bit)) is not None:
                return MatchError(number, failure)
            if not answers.true >> device.bit & 1:
                break
        return None

    def first_false(self, entry: Slice, wanted: Filter, bit: int) -> Expression:
        """The selector of a filter that refused a device."""
        for expression in wanted.expressions:
            if not entry.answers[expression].true >> bit & 1:
                return expression
        raise ValueError(f"{entry.devices[bit].id} is accepted")

    def explain(self, device: Device, expression: Expression) -> str | Failure:
        """Which part of a selector is false for a device, with the values seen."""
        selector = expression.selector
        if isinstance(selector, Failure):
            return selector
        return f"{expression.text} is false"


def carry_over(old: Slice, new: Slice) -> None:
    """Give `new` what expressions said about devices whose content is the same in `old`."""
    if not (old.answers or old.derived) or old.driver != new.driver:
        return
    moved = [
        (old.devices[bit].bit, device.bit)
        for device in new.devices
        if (bit := old.by_name.get(device.name)) is not None and _same_content(old.devices[bit], device)
    ]
    for expression, answers in old.answers.items():
        copy = new.answers[expression] = Answers()
        for source, target in moved:
            copy.known |= (answers.known >> source & 1) << target
            copy.true |= (answers.true >> source & 1) << target
            if source in answers.failures:
                copy.failures[target] = answers.failures[source]
    for derivation, derived in old.derived.items():
        new.derived[derivation] = derived.moved(moved)


_SEEN_BY_SELECTORS = ("attributes", "capacity", "allowMultipleAllocations")


def _same_content(one: Device, other: Device) -> bool:
    return all(one.raw.get(field) == other.raw.get(field) for field in _SEEN_BY_SELECTORS)
