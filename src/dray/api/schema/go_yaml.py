"""JSON values as YAML, laid out as Go's writer does it: keys in order, and quotes where a reader might see no text."""

import re
from typing import Any, Final

import yaml

from dray.api.schema.go_text import show
from dray.kits.go_json import number_text

_BASE: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_STR: Final = "tag:yaml.org,2002:str"
_PARTS: Final = re.compile(r"\d+|\D")
_NO_TEXT: Final = re.compile(
    r"""(?x) | ~ | null | Null | NULL | true | True | TRUE | false | False | FALSE | y | Y | n | N
    | yes | Yes | YES | no | No | NO | on | On | ON | off | Off | OFF | << | [-+]?\.(inf|Inf|INF) | \.(nan|NaN|NAN)
    | [-+]?(0b[01_]+ | 0x[0-9a-fA-F_]+ | 0o?[0-7_]+ | [0-9][0-9_]*)
    | [-+]?(\.[0-9]+ | [0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?
    | [-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(([Tt]|[ \t]+)[0-9]{1,2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([ \t]*(Z|[-+][0-9:]+))?)?"""
)
"""Texts that stand for something else where they are not quoted."""
_INTEGERS: Final = 2**63


class _Dumper(_BASE):  # type: ignore[misc]
    """Knows of texts alone: what is no text is written as one that needs no quotes."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012  the base class has it so

    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_yaml(value: Any) -> bytes:
    text: bytes = yaml.dump(
        _ordered(value), Dumper=_Dumper, sort_keys=False, allow_unicode=True, encoding="utf-8"
    )
    return text


def _ordered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value, key=_natural)}
    return [_ordered(item) for item in value] if isinstance(value, list) else value


def _natural(key: str) -> list[tuple[int, int, str]]:
    """Numbers in keys sort by size, before letters and after all else."""
    return [
        (1, int(part), part) if part.isdecimal() else (2 if part.isalpha() else 0, 0, part)
        for part in _PARTS.findall(key)
    ]


def _text(dumper: Any, value: str) -> Any:
    style = "|" if "\n" in value else '"' if _NO_TEXT.fullmatch(value) else None
    return dumper.represent_scalar(_STR, value, style)


def _word(dumper: Any, value: bool | int | float | None) -> Any:
    if value is None:
        text = "null"
    else:
        text = _number(value) if isinstance(value, float) else str(value).lower()
    return dumper.represent_scalar(_STR, text)


def _number(value: float) -> str:
    """What is whole and not too large for a machine has been a whole number on the way."""
    is_whole = value.is_integer() and -_INTEGERS <= value < 2 * _INTEGERS
    return number_text(value) if is_whole else show(value)


_Dumper.add_representer(str, _text)
for _kind in (bool, int, float, type(None)):
    _Dumper.add_representer(_kind, _word)
