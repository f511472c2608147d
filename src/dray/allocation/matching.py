"""Which devices do the selectors of a class and a request accept? Answered once per expression and device.

Of a filter's selectors all must hold; the first that does not ends the evaluation, and an error concerns only the
device for which it happened. Answers are kept on the slice, per expression; a slice that replaces another takes over the answers of the devices that did not change.

Refuses to know: whether a device is free. Source: KEP-4381; texts of Kubernetes 1.36.2.
"""

from dray.allocation.expressions import Answers, Expression, Failure, Filter, Match, MatchError
from dray.allocation.model import Features, Variant
from dray.allocation.slices import Device, Slice
from dray.cel import DeviceInput, Environment

_FILTERS_MAX = 512


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
