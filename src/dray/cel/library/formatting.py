"""`"%s is %d".format([...])`: the clauses, at run time and when the arguments are literals at compile time.

The reading of a format text is shared: `read_clauses` yields what to do, one reader formats values, the other checks
types. Texts of faults are cel-go's.
"""

import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from dray.api.fields import quote
from dray.cel.errors import EvalFailure
from dray.cel.values.container import keys_of
from dray.cel.values.kind import type_name
from dray.cel.values.limits import check_string
from dray.cel.values.named import TypeValue
from dray.cel.values.number import shortest
from dray.cel.values.time import Duration, Timestamp
from dray.cel.values.uint import Uint

_DEFAULT_PRECISION = 6
_MAX_PRECISION = 1000

FAULTS = {
    "s": "string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, "
    "and timestamps, was given",
    "d": "decimal clause can only be used on integers, was given",
    "f": "fixed-point clause can only be used on doubles, was given",
    "e": "scientific clause can only be used on doubles, was given",
    "b": "only integers and bools can be formatted as binary, was given",
    "x": "only integers, byte buffers, and strings can be formatted as hex, was given",
    "o": "octal clause can only be used on integers, was given",
}
"""What a clause says of an argument of a wrong type, before the type's name."""


class Clause(NamedTuple):
    """`verb` is one of s d f e b x X o; `precision` is given for f and e."""

    verb: str
    precision: int
    argument: int


def read_clauses(text: str, count: int) -> Iterator[str | Clause]:
    """Literal stretches and clauses in turn. Raises EvalFailure for a malformed text or too few arguments."""
    index = argument = 0
    literal = 0
    while (percent := text.find("%", index)) >= 0:
        if text[percent + 1 : percent + 2] == "%":
            yield text[literal : percent + 1]
            index = literal = percent + 2
            continue
        yield text[literal:percent]
        if argument >= count:
            raise EvalFailure(f"index {argument} out of range")
        if percent + 1 >= len(text):
            raise EvalFailure("unexpected end of string")
        precision, index = _read_precision(text, percent + 1)
        verb = text[index]
        if verb not in "sdfebxXo":
            shown = verb if ord(verb) < 0x80 else chr(verb.encode()[0])
            raise EvalFailure(f'could not parse formatting clause: unrecognized formatting clause "{shown}"')
        yield Clause(verb, precision, argument)
        argument += 1
        index = literal = index + 1
    yield text[literal:]


def _read_precision(text: str, index: int) -> tuple[int, int]:
    if text[index] != ".":
        return _DEFAULT_PRECISION, index
    end = index + 1
    while end < len(text) and text[end] in "0123456789":
        end += 1
    why = "could not parse formatting clause: error while parsing precision: "
    if end >= len(text):
        raise EvalFailure(why + "could not find end of precision specifier")
    digits = text[index + 1 : end]
    if not digits or len(digits) > 9 or int(digits) > _MAX_PRECISION:
        fault = "invalid syntax" if not digits else "value out of range"
        raise EvalFailure(
            f'{why}error while converting precision to integer: strconv.Atoi: parsing "{digits}": {fault}'
        )
    return int(digits), end


def format_string(text: str, args: list[Any]) -> str:
    """Raises EvalFailure where clauses and arguments do not fit."""
    out: list[str] = []
    size = 0
    for part in read_clauses(text, len(args)):
        if isinstance(part, Clause):
            try:
                part = _format(part, args[part.argument])
            except EvalFailure as failure:
                raise EvalFailure(f"error during formatting: {failure}") from failure
        size += len(part)
        check_string(size)
        out.append(part)
    return "".join(out)


def _fault(verb: str, value: Any) -> EvalFailure:
    return EvalFailure(f"{FAULTS[verb.lower()]} {type_name(value)}")


def _format(clause: Clause, value: Any) -> str:
    verb = clause.verb
    if verb == "s":
        return _text(value)
    if verb in "fe":
        return _floating(verb, clause.precision, value)
    if type(value) in (int, Uint):
        return f"{int(value):{verb}}"
    if verb == "b" and type(value) is bool:
        return "1" if value else "0"
    if verb in "xX" and type(value) in (str, bytes):
        data = value.encode() if type(value) is str else value
        return str(data.hex().upper() if verb == "X" else data.hex())
    raise _fault(verb, value)


def _floating(verb: str, precision: int, value: Any) -> str:
    number = value
    if type(value) is str and value in ("NaN", "Infinity", "-Infinity"):
        number = float(value)
    if type(number) is not float:
        raise _fault(verb, value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "∞" if number > 0 else "-∞"
    if verb == "f":
        return f"{number:,.{precision}f}"
    return _scientific(f"{number:.{precision}e}")


def _scientific(text: str) -> str:
    """`1.234568e+04` as the English locale of Go's printer writes it, with narrow no-break spaces."""
    mantissa, _, exponent = text.partition("e")
    sign = "⁻" if exponent[0] == "-" else ""
    digits = exponent[1:].translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{mantissa}\u202f×\u202f10{sign}{digits}"


_Show = Callable[[Any], str]


def _text(value: Any) -> str:
    """What %s gives."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return int.__repr__(value)
        case float():
            return shortest(value)
        case bytes():
            return _decoded(value)
        case list():
            return f"[{', '.join(map(_nested, value))}]"
        case dict():
            return _map_text(value)
        case Timestamp() | Duration():
            return str(value)
        case TypeValue():
            return value.name
    raise _fault("s", value)


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        why = "invalid UTF-8 in bytes, cannot convert to string"
        raise EvalFailure(f'could not convert argument "{why}" to string') from error


def _map_text(mapping: dict[Any, Any]) -> str:
    entries = []
    for key, value in zip(keys_of(mapping), mapping.values(), strict=True):
        if type(key) not in (str, bool, int, Uint):
            raise EvalFailure(f"no formatting function for map key of type {type_name(key)}")
        entries.append((quote(key) if type(key) is str else _text(key), _nested(value)))
    return f"{{{', '.join(f'{key}:{value}' for key, value in sorted(entries, key=lambda entry: entry[0]))}}}"


def _nested(value: Any) -> str:
    """A value inside a list or map: strings quoted, doubles with six digits."""
    match value:
        case str():
            return quote(value)
        case bytes():
            return "b" + quote(_decoded(value))
        case float():
            return _nested_double(value)
        case Timestamp():
            return f"timestamp({quote(str(value))})"
        case Duration():
            return f"duration({quote(str(value))})"
    try:
        return _text(value)
    except EvalFailure as failure:
        if not isinstance(value, list | dict):
            raise EvalFailure(f"no formatting function for {type_name(value)}") from failure
        raise


def _nested_double(value: float) -> str:
    if math.isnan(value):
        return '"NaN"'
    if math.isinf(value):
        return '"+Inf"' if value > 0 else '"-Inf"'
    return f"{value:.6f}"
