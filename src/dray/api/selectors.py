"""Label and field selectors: their text forms, the LabelSelector object, and whether an object is selected.

Grammar and error texts follow Kubernetes' `labels` and `fields` packages. A selector is a value: parse it once, then
`matches` as often as needed. What the fields of a kind are called is for the kind to say; here a field selector only
compares strings.
"""

import dataclasses
import enum
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from dray.api import names
from dray.api.fields import FieldError, Path, invalid

KEY_PATH: Final = Path("<nil>")
VALUES_PATH: Final = Path("values")


class SelectorError(ValueError):
    """The text or object is no selector; the message is what Kubernetes answers."""


class Operator(enum.StrEnum):
    IN = "in"
    NOT_IN = "notin"
    EQUALS = "="
    NOT_EQUALS = "!="
    EXISTS = "exists"
    DOES_NOT_EXIST = "!"
    GREATER = "gt"
    LESS = "lt"


@dataclasses.dataclass(frozen=True, slots=True)
class Requirement:
    key: str
    operator: Operator
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case Operator.EQUALS | Operator.IN:
                return value is not None and value in self.values
            case Operator.NOT_EQUALS | Operator.NOT_IN:
                return value is None or value not in self.values
            case Operator.EXISTS:
                return value is not None
            case Operator.DOES_NOT_EXIST:
                return value is None
            case _:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        if value is None or not _is_integer(value):
            return False
        bound = int(next(iter(self.values)))
        return int(value) > bound if self.operator is Operator.GREATER else int(value) < bound


@dataclasses.dataclass(frozen=True, slots=True)
class LabelSelector:
    """All requirements must hold; none at all selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str] | None) -> bool:
        present = labels or {}
        return all(requirement.matches(present) for requirement in self.requirements)

    @property
    def is_everything(self) -> bool:
        return not self.requirements


EVERYTHING: Final = LabelSelector()


@dataclasses.dataclass(frozen=True, slots=True)
class FieldTerm:
    field: str
    value: str
    is_equal: bool


@dataclasses.dataclass(frozen=True, slots=True)
class FieldSelector:
    terms: tuple[FieldTerm, ...] = ()

    def matches(self, value_of: Callable[[str], str]) -> bool:
        return all((value_of(term.field) == term.value) == term.is_equal for term in self.terms)

    def required(self, field: str) -> str | None:
        """The value `field` must have, if the selector says so."""
        for term in self.terms:
            if term.field == field and term.is_equal:
                return term.value
        return None


# --- label selector text

_TOKEN: Final = re.compile(r"[=!<>(),]|[^=!<>(),\s]+")
_OPERATORS: Final = {
    "in": Operator.IN,
    "notin": Operator.NOT_IN,
    "=": Operator.EQUALS,
    "==": Operator.EQUALS,
    "!=": Operator.NOT_EQUALS,
    ">": Operator.GREATER,
    "<": Operator.LESS,
}
_SYMBOLS: Final = frozenset("=!<>(),") | {"==", "!="}


def parse_label_selector(text: str) -> LabelSelector:
    """`a=b,c!=d,e in (f,g),!h,i,j>1`. Raises SelectorError."""
    if not text.strip():
        return EVERYTHING
    # Kubernetes sorts the requirements by key; the result of matching is the same.
    return LabelSelector(tuple(_Parser(text).requirements()))


def _tokens(text: str) -> list[str]:
    """Words and symbols; two-character symbols are joined when they touch."""
    tokens: list[str] = []
    end = -1
    for match in _TOKEN.finditer(text):
        token = match.group()
        if match.start() == end and tokens and tokens[-1] + token in ("==", "!="):
            tokens[-1] += token
        else:
            tokens.append(token)
        end = match.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens; "" stands for the end."""

    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._position = 0

    def requirements(self) -> Iterator[Requirement]:
        while True:
            token = self._peek()
            if not token:
                return
            if token in _SYMBOLS and token != "!":
                raise SelectorError(f"found '{token}', expected: !, identifier, or 'end of string'")
            try:
                yield self._requirement()
            except SelectorError as error:
                raise SelectorError(f"unable to parse requirement: {error}") from None
            if not self._comma():
                return

    def _comma(self) -> bool:
        token = self._take()
        if not token:
            return False
        if token != ",":
            raise SelectorError(f"found '{token}', expected: ',' or 'end of string'")
        after = self._peek()
        if after != "!" and (not after or after in _SYMBOLS):
            raise SelectorError(f"found '{after}', expected: identifier after ','")
        return True

    def _requirement(self) -> Requirement:
        key = self._take()
        negated = key == "!"
        if negated:
            key = self._take()
        if not key or key in _SYMBOLS:
            raise SelectorError(f"found '{key}', expected: identifier")
        _raise(_key_errors(key))
        if negated:
            return Requirement(key, Operator.DOES_NOT_EXIST)
        if self._peek() in ("", ","):
            return Requirement(key, Operator.EXISTS)
        operator = self._operator()
        is_set = operator in (Operator.IN, Operator.NOT_IN)
        return _requirement(key, operator, self._values() if is_set else {self._exact_value()})

    def _operator(self) -> Operator:
        token = self._take()
        operator = _OPERATORS.get(token)
        if operator is None:
            raise SelectorError(f"found '{token}', expected: in, notin, =, ==, !=, gt, lt")
        return operator

    def _exact_value(self) -> str:
        if self._peek() in ("", ","):
            return ""
        token = self._take()
        if token in _SYMBOLS:
            raise SelectorError(f"found '{token}', expected: identifier")
        return token

    def _values(self) -> set[str]:
        token = self._take()
        if token != "(":
            raise SelectorError(f"found '{token}' expected: '('")
        values = {""} if self._peek() == ")" else self._value_list()
        token = self._take()
        if token != ")":
            raise SelectorError(f"found '{token}', expected: ')'")
        return values

    def _value_list(self) -> set[str]:
        """Words between commas; an empty place is the empty value."""
        values: set[str] = set()
        while True:
            token = self._peek()
            if token not in (",", ")"):
                if not token or token in _SYMBOLS:
                    raise SelectorError(f"found '{token}', expected: ',', ')' or identifier")
                self._take()
            values.add("" if token in (",", ")") else token)
            token = self._peek()
            if token == ")":
                return values
            if token != ",":
                raise SelectorError(f"found '{token}', expected: ',' or ')'")
            self._take()

    def _peek(self) -> str:
        return self._tokens[self._position] if self._position < len(self._tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self._position += 1
        return token


def _requirement(key: str, operator: Operator, values: set[str]) -> Requirement:
    """Raises SelectorError for values that are no label values, or no integers where they must be."""
    if operator in (Operator.GREATER, Operator.LESS):
        (value,) = values
        if not _is_integer(value):
            detail = "for 'Gt', 'Lt' operators, the value must be an integer"
            _raise([invalid(VALUES_PATH.index(0), value, detail)])
    for index, value in enumerate(sorted(values)):
        path = VALUES_PATH.index(index).key(key)
        _raise([invalid(path, value, text) for text in names.label_value(value)])
    return Requirement(key, operator, frozenset(values))


def _key_errors(key: str) -> list[FieldError]:
    return [invalid(KEY_PATH, key, text) for text in names.qualified_name(key)]


def _raise(errors: Sequence[FieldError]) -> None:
    if errors:
        raise SelectorError("; ".join(str(error) for error in errors))


def _is_integer(text: str) -> bool:
    return bool(re.fullmatch(r"[+-]?\d{1,19}", text, re.ASCII)) and -(2**63) <= int(text) < 2**63


# --- the LabelSelector object

_OBJECT_OPERATORS: Final = {
    "In": Operator.IN,
    "NotIn": Operator.NOT_IN,
    "Exists": Operator.EXISTS,
    "DoesNotExist": Operator.DOES_NOT_EXIST,
}


def label_selector_of(selector: Mapping[str, Any] | None) -> LabelSelector | None:
    """The selector that a metav1.LabelSelector means; an absent one selects nothing (None). Raises SelectorError."""
    if selector is None:
        return None
    requirements = [
        _requirement(key, Operator.IN, {value}) for key, value in (selector.get("matchLabels") or {}).items()
    ]
    for expression in selector.get("matchExpressions") or ():
        operator = _OBJECT_OPERATORS.get(expression.get("operator", ""))
        if operator is None:
            raise SelectorError(f'"{expression.get("operator", "")}" is not a valid label selector operator')
        values = expression.get("values") or ()
        requirements.append(Requirement(expression["key"], operator, frozenset(values)))
    return LabelSelector(tuple(requirements))


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str] | None) -> bool:
    """Whether a metav1.LabelSelector selects an object with these labels. Raises SelectorError."""
    parsed = label_selector_of(selector)
    return parsed is not None and parsed.matches(labels)


# --- field selector text


def parse_field_selector(text: str) -> FieldSelector:
    """`a.b=c,d!=e`; `\\`, `,` and `=` in values are escaped by a backslash. Raises SelectorError."""
    terms = []
    for part in _split_terms(text):
        if not part:
            continue
        match = re.match(r"((?:[^\\=!]|\\.|!(?!=))*)(==|!=|=)(.*)\Z", part, re.DOTALL)
        if match is None:
            raise SelectorError(f"invalid selector: '{text}'; can't understand '{part}'")
        field, operator, value = match.groups()
        terms.append(FieldTerm(field, _unescape(value), operator != "!="))
    return FieldSelector(tuple(terms))


def _split_terms(text: str) -> list[str]:
    """Split at commas that no backslash protects."""
    return re.findall(r"(?:[^\\,]|\\.|\\\Z)+", text, re.DOTALL)


def _unescape(value: str) -> str:
    unescaped = []
    characters = iter(value)
    for char in characters:
        if char == "\\":
            escaped = next(characters, "")
            if escaped not in ("\\", ",", "="):
                raise SelectorError(f"invalid field selector: invalid escape sequence: \\{escaped}")
            char = escaped
        elif char in ",=":
            raise SelectorError(
                f"invalid field selector: unescaped character in field selector value: {char}"
            )
        unescaped.append(char)
    return "".join(unescaped)
