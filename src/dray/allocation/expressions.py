"""Selectors as the allocator holds them: expressions, the filters they make up, and what was answered so far.

Refuses to know: slices. Texts of Kubernetes 1.36.2.
"""

from typing import NamedTuple

from dray.cel import CelCompileError, CelRuntimeError, DeviceInput, Environment, Selector, compile_selector


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
    """The selectors that a device must satisfy for one request: of its class, then its own. Interned, so compared by identity."""

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
