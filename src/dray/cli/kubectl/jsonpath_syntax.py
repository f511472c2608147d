"""The grammar of JSONPath templates as kubectl reads them: text to a tree, errors in its words.

A template is text with actions in braces. An action is a row of steps, each of which goes from the values that it is given to
those that it finds. Source: behaviour of kubectl 1.36 and the reference page of its JSONPath.
"""

import dataclasses
import re
from typing import Final

from dray.cli.kubectl.jsonpath_text import JsonPathError, rune, unquoted

END: Final = ""
"""What is read where the template has ended."""
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")
_KEY: Final = re.compile(r"'([^']*)'")
_SLICE: Final = re.compile(r"(-?[0-9]*)(?::(-?[0-9]*))?(?::(-?[0-9]*))?")
_COMPARISON: Final = re.compile(r"([^!<>=]+)([!<>=]+)(.+)", re.DOTALL)
_TERMINATORS: Final = frozenset((END, *" \t\r\n.,[]$@{}"))


@dataclasses.dataclass(frozen=True, slots=True)
class Text:
    value: str


@dataclasses.dataclass(frozen=True, slots=True)
class Literal:
    value: int | float | bool


@dataclasses.dataclass(frozen=True, slots=True)
class Word:
    """`range` and `end`; any other is refused when it is met."""

    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Field:
    name: str


@dataclasses.dataclass(frozen=True, slots=True)
class Wildcard:
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class Recursive:
    pass


@dataclasses.dataclass(frozen=True, slots=True)
class Slice:
    start: int | None
    end: int | None
    step: int | None
    is_index: bool = False
    """Only one number was written; `end` is the one after it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Union:
    parts: tuple["Action", ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Filter:
    left: "Action"
    right: "Action"
    operator: str
    """"" asks whether `left` is there."""


Step = Text | Literal | Word | Field | Wildcard | Recursive | Slice | Union | Filter
Action = tuple[Step, ...]
Part = Text | Action


def parse(template: str) -> list[Part]:
    """Raises JsonPathError."""
    return _Parser(template).parts()


def _action(text: str) -> Action:
    """A part of an action, read as one of its own."""
    first = parse(f"{{{text}}}")[0]
    assert isinstance(first, tuple)
    return first


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parts(self) -> list[Part]:
        found: list[Part] = []
        while self._at < len(self._text):
            brace = self._text.find("{", self._at)
            end = brace if brace >= 0 else len(self._text)
            if end > self._at:
                found.append(Text(self._text[self._at : end]))
            self._at = end + 1
            if brace >= 0:
                found.append(self._steps())
        return found

    def _steps(self) -> Action:
        steps: list[Step] = []
        while not self._skip("}"):
            if self._skip("[?("):
                steps.append(self._filter())
            elif self._skip(".."):
                steps += self._recursive(steps)
            else:
                steps += self._step()
        return tuple(steps)

    def _step(self) -> Action:
        char = self._next()
        match char:
            case "\n" | "\r" | "":
                raise JsonPathError("unclosed action")
            case " " | "@" | "$":
                return ()
            case "[":
                return self._bracket()
            case '"' | "'":
                return (self._quoted(char),)
            case ".":
                return (self._field(),)
        self._at -= 1
        if char in "+-" or char.isdecimal():
            return (self._number(),)
        if _is_alphanumeric(char):
            return (self._word(),)
        raise JsonPathError(f"unrecognized character in action: {rune(char)}")

    def _next(self) -> str:
        char = self._peek()
        self._at += 1
        return char

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self, prefix: str) -> bool:
        if not self._text.startswith(prefix, self._at):
            return False
        self._at += len(prefix)
        return True

    def _word(self) -> Step:
        start = self._at
        while self._peek() not in _TERMINATORS:
            self._at += 1
        name = self._text[start : self._at]
        return Literal(name == "true") if name in ("true", "false") else Word(name)

    def _number(self) -> Step:
        start = self._at
        self._at += self._peek() in "+-"
        while (char := self._peek()) == "." or char.isdecimal():
            self._at += 1
        text = self._text[start : self._at]
        if not _NUMBER.fullmatch(text):
            raise JsonPathError(f"cannot parse number {text}")
        if "." not in text and -(1 << 63) <= int(text) < 1 << 63:
            return Literal(int(text))
        return Literal(float(text))

    def _recursive(self, before: list[Step]) -> Action:
        if before and isinstance(before[-1], Recursive):
            raise JsonPathError("invalid multiple recursive descent")
        return (Recursive(), self._field()) if _is_alphanumeric(self._peek()) else (Recursive(),)

    def _field(self) -> Step:
        start = self._at
        while (char := self._peek()) not in _TERMINATORS:
            self._at += 2 if char == "\\" else 1
        self._at = min(self._at, len(self._text))
        name = self._text[start : self._at]
        return Wildcard() if name == "*" else Field(name.replace("\\", ""))

    def _quoted(self, quote: str) -> Step:
        start = self._at - 1
        while (char := self._next()) != quote or self._text[self._at - 2] == "\\":
            if char in (END, "\n"):
                raise JsonPathError("unterminated quoted string")
        return Text(unquoted(self._text[start : self._at]))

    def _bracket(self) -> Action:
        start = self._at
        while (char := self._next()) != "]":
            if char in (END, "\n"):
                raise JsonPathError("unterminated array")
        text = self._text[start : self._at - 1]
        parts = text.split(",")
        if len(parts) > 1:
            return (Union(tuple(_action(f"[{part.strip(' ')}]") for part in parts)),)
        if key := _KEY.fullmatch(text):
            return _action(f".{key[1]}")
        return (_slice(text),)

    def _filter(self) -> Step:
        start = self._at
        self._pass_filter()
        text = self._text[start : self._at - 1]
        if self._next() != "]":
            raise JsonPathError("unclosed array expect ]")
        comparison = _COMPARISON.fullmatch(text)
        if comparison is None:
            return Filter(_action(text), (), "")
        left, operator, right = comparison.groups()
        return Filter(_action(left), _action(right), operator)

    def _pass_filter(self) -> None:
        """To behind its closing parenthesis, which within the first pair of quotes closes nothing."""
        quote = ""
        is_closed = False
        while True:
            char = self._next()
            if char in (END, "\n"):
                raise JsonPathError("unterminated filter")
            if char in "'\"":
                if quote and char == quote and self._text[self._at - 2] != "\\":
                    is_closed = True
                quote = quote or char
            elif char == ")" and bool(quote) == is_closed:
                return


def _slice(text: str) -> Step:
    match = _SLICE.fullmatch(":" if text == "*" else text)
    if match is None:
        raise JsonPathError(f"invalid array index {text}")
    numbers = [_index(part) for part in match.groups()]
    if match[2] is None:
        return Slice(numbers[0], (numbers[0] or 0) + 1, numbers[2], is_index=True)
    return Slice(numbers[0], numbers[1], numbers[2])


def _index(text: str | None) -> int | None:
    if not text:
        return None
    if text == "-" or not -(1 << 63) <= int(text) < 1 << 63:
        raise JsonPathError(f"array index {text} is not a number")
    return int(text)


def _is_alphanumeric(char: str) -> bool:
    return char == "_" or char.isalpha() or char.isdecimal()
