"""Regular expressions: `matches`, `find` and `findAll`, in RE2's dialect with Go's error texts."""

import functools
import re
from collections.abc import Callable
from typing import Any

import re2

from dray.cel.declarations import Function, member
from dray.cel.errors import EvalFailure, no_such_overload
from dray.cel.types import INT, LIST_STRING, STRING
from dray.cel.values.limits import check_list

_OPTIONS = re2.Options()
_OPTIONS.log_errors = False

_SINGLE_BYTE = re.compile(r"(?<!\\)(?:\\\\)*\\C")
"""`\\C` matches half a character in RE2; Go does not have it."""

_GO_TEXTS = {
    "invalid escape sequence": "invalid escape sequence",
    "invalid character class": "invalid character class",
    "invalid character class range": "invalid character class range",
    "missing ]": "missing closing ]",
    "missing )": "missing closing )",
    "unexpected )": "unexpected )",
    "trailing \\": "trailing backslash at end of expression",
    "no argument for repetition operator": "missing argument to repetition operator",
    "invalid repetition size": "invalid repeat count",
    "bad repetition operator": "invalid nested repetition operator",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid UTF-8": "invalid UTF-8",
    "invalid named capture group": "invalid named capture",
}


class InvalidPattern(ValueError):
    """The text is no regular expression; `str()` is Go's complaint."""


@functools.lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Any:
    """A compiled pattern with `search` and `finditer`. Raises InvalidPattern."""
    if _SINGLE_BYTE.search(pattern):
        raise InvalidPattern(r"error parsing regexp: invalid escape sequence: `\C`")
    try:
        return re2.compile(pattern, _OPTIONS)
    except re2.error as error:
        raise InvalidPattern(_go_text(error.args[0].decode("utf-8", "replace"))) from error


@functools.lru_cache(maxsize=256)
def text_test_of(pattern: str) -> Callable[[str], bool]:
    """Whether a text matches. Remembers texts, since the devices of a cluster have few models. Raises InvalidPattern."""
    search = compile_pattern(pattern).search
    return functools.lru_cache(maxsize=256)(lambda text: search(text) is not None)


def _go_text(complaint: str) -> str:
    """RE2's complaint in Go's words: `missing ): (x` becomes ``missing closing ): `(x` ``."""
    for known, text in _GO_TEXTS.items():
        if complaint == known or complaint.startswith(f"{known}: "):
            return f"error parsing regexp: {text}: `{complaint[len(known) + 2 :]}`"
    return f"error parsing regexp: {complaint}"


def matches(text: Any, pattern: Any) -> bool:
    if type(text) is not str:
        raise EvalFailure("no such overload: matches")
    if type(pattern) is not str:
        raise no_such_overload()
    try:
        return compile_pattern(pattern).search(text) is not None
    except InvalidPattern as error:
        raise EvalFailure(str(error)) from error


def _compiled(pattern: str) -> Any:
    try:
        return compile_pattern(pattern)
    except InvalidPattern as error:
        raise EvalFailure(f"Illegal regex: {error}") from error


def _find(text: str, pattern: str) -> str:
    found = _compiled(pattern).search(text)
    return found.group() if found else ""


def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    if limit == 0:
        return []
    found: list[str] = []
    last_end = -1
    for match in _compiled(pattern).finditer(text):
        # Go takes no empty match where the match before it ended.
        if match.end() == match.start() == last_end:
            continue
        last_end = match.end()
        found.append(match.group())
        check_list(len(found))
        if len(found) == limit:
            break
    return found


FUNCTIONS = (
    Function("find", member("string_find_string", (STRING, STRING), STRING, _find)),
    Function(
        "findAll",
        member("string_find_all_string", (STRING, STRING), LIST_STRING, _find_all),
        member("string_find_all_string_int", (STRING, STRING, INT), LIST_STRING, _find_all),
    ),
)
