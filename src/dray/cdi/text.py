"""CDI specs as YAML text, written the way Go's library writes them, so that files can be compared byte for byte.

Only what specs hold is handled: maps, lists, strings, integers, booleans. Reading is left to PyYAML.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

_INDENT: Final = 4
_PLAIN: Final = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.+@%=-]*(?::[A-Za-z0-9_/.+@%=-]+)*")
_VERSION: Final = re.compile(r"\d+\.\d+\.\d+|[0-9a-f]{8}-[0-9a-f]{4}-[A-Za-z0-9_.-]+")
_UNPRINTABLE: Final = re.compile(
    r"[^\x20-\x7e\u00a1-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_RESERVED: Final = re.compile(r"(?i)(?:true|false|yes|no|on|off|y|n|null|\.inf|\.nan|\.[0-9]*|=|<<|~)")


def to_yaml(document: Mapping[str, Any]) -> str:
    """`document` in block style after a `---` line."""
    return "---\n" + "".join(f"{line}\n" for line in _lines(document, 0))


def _lines(value: Mapping[str, Any] | Sequence[Any], column: int) -> Iterator[str]:
    """The lines of a collection whose members begin at `column`."""
    inner = _INDENT * (column // _INDENT + 1)  # always a multiple, also below the "- " of a list
    pad = " " * column
    if isinstance(value, Mapping):
        for key, member in value.items():
            if _is_block(member):
                yield f"{pad}{_scalar(key)}:"
                yield from _lines(member, inner)
            else:
                yield f"{pad}{_scalar(key)}: {_scalar(member)}"
        return
    for element in value:
        if _is_block(element):
            first, *rest = _lines(element, column + 2)
            yield f"{pad}- {first[column + 2 :]}"
            yield from rest
        else:
            yield f"{pad}- {_scalar(element)}"


def _is_block(value: Any) -> bool:
    return isinstance(value, (Mapping, list, tuple)) and bool(value)


def _scalar(value: Any) -> str:
    if isinstance(value, str) and (_VERSION.fullmatch(value) or _is_plain(value)):
        return value
    # JSON's strings, numbers, booleans and empty collections are YAML's, but for characters YAML wants escaped.
    return _UNPRINTABLE.sub(_escape, json.dumps(value, ensure_ascii=False))


def _escape(match: re.Match[str]) -> str:
    return f"\\U{ord(match.group()):08X}"


def _is_plain(text: str) -> bool:
    """Whether the text means itself without quotes in every version of YAML."""
    return bool(_PLAIN.fullmatch(text)) and not _RESERVED.fullmatch(text)
