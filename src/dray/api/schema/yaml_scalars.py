"""What a YAML scalar means to the API server: which words are numbers, booleans or nothing, and what a tag asks for.

Numbers in base 60 are text, and so are times. Source of the rules: go.yaml.in/yaml/v2 `resolve.go`.
"""

import base64
import binascii
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

_TAG: Final = "tag:yaml.org,2002:"
_NONE: Final = ("", "~", "null", "Null", "NULL")
_TRUE: Final = ("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON")
_FALSE: Final = ("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF")
_INFINITE: Final = (".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF")
_WORDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(_NONE),
    **dict.fromkeys(_TRUE, True),
    **dict.fromkeys(_FALSE, False),
    **dict.fromkeys(_INFINITE, math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_NUMERIC: Final = frozenset("0123456789+-.")
_INTEGER: Final = re.compile(r"([+-]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?![0-9])")
_LONGEST_INTEGER: Final = 66
"""Characters: a sign and 64 bits, written in binary."""


class BadScalar(ValueError):
    """A scalar that is not what its tag says."""


def plain(text: str) -> Any:
    """The JSON value of a scalar without quotes and tag; infinities and NaN as they are."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMERIC:
        number = _number(text)
        return text if number is None else number
    return text


def _number(text: str) -> int | float | None:
    digits = text.replace("_", "") if text[0] != "." else text
    integer = _INTEGER.fullmatch(digits) if len(digits) <= _LONGEST_INTEGER else None
    if integer is not None:
        sign, hexadecimal, binary, octal, decimal = integer.groups()
        value = _of_base(hexadecimal, binary, octal, decimal)
        value = -value if sign == "-" else value
        if -(2**63) <= value < (2**63 if sign else 2**64):
            return value
    if _FLOAT.fullmatch(digits):
        number = float(digits)
        return None if math.isinf(number) else number
    return None


def _of_base(hexadecimal: str | None, binary: str | None, octal: str | None, decimal: str | None) -> int:
    if hexadecimal is not None:
        return int(hexadecimal, 16)
    if binary is not None:
        return int(binary, 2)
    return int(octal, 8) if octal is not None else int(decimal or "0")


def tagged(tag: str, text: str) -> Any:
    """The value of a scalar with a tag. Raises BadScalar where the two do not go together."""
    name = tag.removeprefix(_TAG)
    if name == "binary":
        return _binary(text)
    read = _READ.get(name) if tag.startswith(_TAG) else None
    if read is None:
        return text
    value = plain(text)
    if not read(value):
        raise BadScalar(f"yaml: cannot decode !!{_kind(value)} `{text}` as a !!{name}")
    return float(value) if name == "float" else value


def _binary(text: str) -> str:
    try:
        return base64.b64decode("".join(text.split()), validate=True).decode("utf-8", "replace")
    except binascii.Error:
        raise BadScalar("yaml: !!binary value contains invalid base64 data") from None


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int"
    return "float" if isinstance(value, float) else "str"


_READ: Final[Mapping[str, Callable[[Any], bool]]] = {
    "null": lambda value: value is None,
    "bool": lambda value: isinstance(value, bool),
    "int": lambda value: _kind(value) == "int",
    "float": lambda value: _kind(value) in ("int", "float"),
    "timestamp": lambda value: isinstance(value, str) and _DATE.match(value) is not None,
}
"""Whether a value is what a tag says; every other tag leaves the text as it is."""
