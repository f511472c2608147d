"""Functions of strings: contains, matches and the like of the standard, and the strings extension, version 2."""

from typing import Any

from dray.cel.declarations import Function, Overload, member, overload
from dray.cel.errors import EvalFailure, no_such_overload
from dray.cel.library.formatting import format_string
from dray.cel.library.regex import matches
from dray.cel.types import BOOL, INT, LIST_DYN, LIST_STRING, STRING
from dray.cel.values.display import show
from dray.cel.values.limits import check_list, check_string

_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000"
"""What Unicode calls white space, which is what Go trims."""
_QUOTED = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
    "\\": "\\\\", '"': '\\"',
}  # fmt: skip
_ESCAPES = str.maketrans(_QUOTED)


def _strings_only(left: Any, right: Any) -> None:
    if type(left) is not str or type(right) is not str:
        raise no_such_overload()


def _contains(text: Any, part: Any) -> bool:
    _strings_only(text, part)
    return part in text


def _starts_with(text: Any, prefix: Any) -> bool:
    _strings_only(text, prefix)
    return bool(text.startswith(prefix))


def _ends_with(text: Any, suffix: Any) -> bool:
    _strings_only(text, suffix)
    return bool(text.endswith(suffix))


def _out_of_range(index: int) -> EvalFailure:
    return EvalFailure(f"index out of range: {index}")


def _char_at(text: str, index: int) -> str:
    if not 0 <= index <= len(text):
        raise _out_of_range(index)
    return text[index : index + 1]


def _index_of(text: str, part: str, offset: int = 0) -> int:
    if not part:
        return offset
    if offset < 0:
        raise _out_of_range(offset)
    return text.find(part, offset)


def _last_index_of(text: str, part: str, offset: int | None = None) -> int:
    if offset is None:
        return text.rfind(part) if part else len(text)
    if not part:
        return offset
    if offset < 0:
        raise _out_of_range(offset)
    if offset >= len(text):
        return -1
    return text.rfind(part, 0, offset + len(part))


def _replace(text: str, old: str, new: str, count: int = -1) -> str:
    found = text.count(old) if old else len(text) + 1
    found = found if count < 0 else min(found, count)
    check_string(len(text) + found * (len(new) - len(old)))
    return text.replace(old, new, found)


def _split(text: str, separator: str, count: int = -1) -> list[str]:
    if count == 0:
        return []
    if not separator:
        check_list(len(text))
        if count < 0 or count >= len(text):
            return list(text)
        return [*text[: count - 1], text[count - 1 :]]
    check_list(text.count(separator))
    return text.split(separator, count - 1 if count > 0 else -1)


def _substring(text: str, start: int, end: int | None = None) -> str:
    if end is not None and start > end:
        raise EvalFailure(f"invalid substring range. start: {start}, end: {end}")
    for index in (start, len(text) if end is None else end):
        if not 0 <= index <= len(text):
            raise _out_of_range(index)
    return text[start:end]


def _join(items: list[Any], separator: str = "") -> str:
    size = len(separator) * max(0, len(items) - 1)
    for item in items:
        if type(item) is not str:
            raise EvalFailure(f"join: invalid input: {show(item)}")
        size += len(item)
    check_string(size)
    return separator.join(items)


def _quote(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


STANDARD = (
    Function(
        "contains", Overload("contains_string", (STRING, STRING), BOOL, _contains, member=True, guarded=False)
    ),
    Function(
        "endsWith",
        Overload("ends_with_string", (STRING, STRING), BOOL, _ends_with, member=True, guarded=False),
    ),
    Function(
        "startsWith",
        Overload("starts_with_string", (STRING, STRING), BOOL, _starts_with, member=True, guarded=False),
    ),
    Function(
        "matches",
        Overload("matches", (STRING, STRING), BOOL, guarded=False),
        Overload("matches_string", (STRING, STRING), BOOL, member=True, guarded=False),
        operator=matches,
    ),
)

VERSION_0 = (
    Function("charAt", member("string_char_at_int", (STRING, INT), STRING, _char_at)),
    Function(
        "indexOf",
        member("string_index_of_string", (STRING, STRING), INT, _index_of),
        member("string_index_of_string_int", (STRING, STRING, INT), INT, _index_of),
    ),
    Function(
        "lastIndexOf",
        member("string_last_index_of_string", (STRING, STRING), INT, _last_index_of),
        member("string_last_index_of_string_int", (STRING, STRING, INT), INT, _last_index_of),
    ),
    Function(
        "lowerAscii", member("string_lower_ascii", (STRING,), STRING, lambda text: text.translate(_LOWER))
    ),
    Function(
        "replace",
        member("string_replace_string_string", (STRING, STRING, STRING), STRING, _replace),
        member("string_replace_string_string_int", (STRING, STRING, STRING, INT), STRING, _replace),
    ),
    Function(
        "split",
        member("string_split_string", (STRING, STRING), LIST_STRING, _split),
        member("string_split_string_int", (STRING, STRING, INT), LIST_STRING, _split),
    ),
    Function(
        "substring",
        member("string_substring_int", (STRING, INT), STRING, _substring),
        member("string_substring_int_int", (STRING, INT, INT), STRING, _substring),
    ),
    Function("trim", member("string_trim", (STRING,), STRING, lambda text: text.strip(_SPACE))),
    Function(
        "upperAscii", member("string_upper_ascii", (STRING,), STRING, lambda text: text.translate(_UPPER))
    ),
    Function(
        "join",
        member("list_join", (LIST_STRING,), STRING, _join),
        member("list_join_string", (LIST_STRING, STRING), STRING, _join),
    ),
)

VERSION_2 = (
    *VERSION_0[:-1],
    Function("format", member("string_format", (STRING, LIST_DYN), STRING, format_string)),
    Function("strings.quote", overload("strings_quote", (STRING,), STRING, _quote)),
    VERSION_0[-1],
)
