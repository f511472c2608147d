"""Reads YAML as the API server does: YAML 1.1 turned into JSON, timestamps left as text, keys made strings.

Values are built while the text is read, so that aliases, merge keys, depth and number are bounded before they cost
anything. What an unquoted word means is `yaml_scalars`'s; this decides the shape, and how a syntax error reads.
"""

import dataclasses
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from dray.api.fields import quote
from dray.api.meta import clone
from dray.api.schema import go_text, yaml_bytes
from dray.api.schema.yaml_scalars import BadScalar, plain, tagged

COPIES_MAX: Final = 100_000
"""Values that aliases and merge keys may add to a document: a few hundred bytes could else ask for all memory."""

VALUES_MAX: Final = 500_000
DEPTH_MAX: Final = 1000
TAG_DIRECTIVES_MAX: Final = 100
DUPLICATES_MAX: Final = 100
"""How many keys that came twice are told."""

_SLASH: Final = re.compile(r"(?<!\\)(?:\\\\)*\\/")
_TOO_MANY_ALIASES = "yaml: document contains excessive aliasing"
_MERGE: Final = "tag:yaml.org,2002:merge"


class BadYaml(ValueError):
    """No YAML, or YAML that JSON cannot hold; `str()` is upstream's text: `yaml: line 1: did not find ...`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Document:
    value: Any
    """JSON."""
    complaint: str = ""
    """Which keys came twice: what a strict reader refuses."""


def read_yaml(data: bytes) -> Document:
    """The first document; its value is null when there is none. Raises BadYaml."""
    import yaml  # here: most requests are JSON, and the import is slow

    if data.count(b"\n%TAG") > TAG_DIRECTIVES_MAX:  # each is compared with all before it
        raise BadYaml(f"yaml: document has more than {TAG_DIRECTIVES_MAX} %TAG directives")
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder(data if b"\\/" in data else b"")
    try:
        value = builder.document(yaml.parse(data, Loader=loader))
    except yaml.MarkedYAMLError as error:
        raise BadYaml(_describe(error)) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise BadYaml(f"yaml: {yaml_bytes.fault(data) or 'control characters are not allowed'}") from None
    except BadScalar as error:
        raise BadYaml(str(error)) from None
    except RecursionError:  # in the copy of something deep
        raise BadYaml("yaml: exceeded max depth") from None
    lines = "".join(f"\n  {line}" for line in builder.duplicates)
    return Document(value, f"yaml: unmarshal errors:{lines}" if lines else "")


def from_yaml(data: bytes, *, strict: bool = False) -> Any:
    """The JSON value of the first document; null when there is none. `strict` refuses duplicate keys."""
    document = read_yaml(data)
    if strict and document.complaint:
        raise BadYaml(document.complaint)
    return document.value


@dataclasses.dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not been read."""

    value: Any
    anchor: str | None
    counted: int
    """How many values there were before it."""
    key: str | None = None
    merges: bool = False
    """Whether the next value is merged into the mapping instead of being a member of it."""


def _sort(members: dict[str, Any]) -> None:
    """Put the members in the order of their keys, as a YAML document stands once it is JSON."""
    keys = list(members)
    in_turn = sorted(keys)
    if keys != in_turn:
        for key in in_turn:
            members[key] = members.pop(key)


@dataclasses.dataclass(frozen=True, slots=True)
class _Anchored:
    value: Any
    weight: int
    """How many values it is made of."""


_REFERRED_TO_ITSELF: Final = _Anchored(None, -1)


class _Builder:
    """Makes one JSON value of the events of one document."""

    def __init__(self, slashed: bytes = b"") -> None:
        """`slashed`: the document, if there may be an escaped slash in it."""
        self._slashed = slashed.decode("utf-8", "replace")
        self.duplicates: list[str] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, _Anchored] = {}
        self._values = 0
        self._copied = 0
        self._result: Any = None

    def document(self, events: Iterator[Any]) -> Any:
        for event in events:
            name = event.__class__.__name__
            if name == "ScalarEvent":
                self._scalar(event)
            elif name == "MappingStartEvent":
                self._begin({}, event)
            elif name == "SequenceStartEvent":
                self._begin([], event)
            elif name in ("MappingEndEvent", "SequenceEndEvent"):
                self._end(event)
            elif name == "AliasEvent":
                self._put(self._copy(event.anchor), event)
            elif name == "DocumentEndEvent":
                break
        return self._result

    def _count(self) -> None:
        self._values += 1
        if self._values > VALUES_MAX:
            raise BadYaml(f"yaml: document has more than {VALUES_MAX} values")

    def _scalar(self, event: Any) -> None:
        self._count()
        text, tag = event.value, event.tag
        if self._slashed and event.style == '"':
            self._refuse_slash(event.start_mark, event.end_mark)
        if text == "<<" and (tag == _MERGE or event.implicit[0]) and self._awaits_key():
            self._open[-1].merges = True
            return
        value = tagged(tag, text) if tag is not None else plain(text) if event.implicit[0] else text
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(value, 1)
        self._put(value, event)

    def _refuse_slash(self, start: Any, end: Any) -> None:
        """YAML 1.1 has no escape of a slash, which later versions have, and JSON."""
        escape = _SLASH.search(self._slashed, start.index, end.index)
        if escape is not None:
            line = self._slashed.count("\n", 0, escape.end())
            raise BadYaml(f"yaml: {f'line {line + 1}: ' if line else ''}found unknown escape character")

    def _awaits_key(self) -> bool:
        top = self._open[-1] if self._open else None
        return top is not None and top.value.__class__ is dict and top.key is None and not top.merges

    def _begin(self, value: Any, event: Any) -> None:
        self._count()
        if len(self._open) >= DEPTH_MAX:
            raise BadYaml("yaml: exceeded max depth")
        if event.anchor:
            self._anchors[event.anchor] = _REFERRED_TO_ITSELF
        self._open.append(_Open(value, event.anchor, self._values - 1))

    def _end(self, event: Any) -> None:
        ended = self._open.pop()
        if ended.value.__class__ is dict:
            _sort(ended.value)
        if ended.anchor:
            self._anchors[ended.anchor] = _Anchored(ended.value, self._values - ended.counted)
        self._put(ended.value, event)

    def _copy(self, anchor: str) -> Any:
        anchored = self._anchors.get(anchor)
        if anchored is None:
            raise BadYaml(f"yaml: unknown anchor '{anchor}' referenced")
        if anchored is _REFERRED_TO_ITSELF:
            raise BadYaml(f"yaml: anchor '{anchor}' value contains itself")
        # Counted first: what is refused must not have been made.
        self._values += anchored.weight
        self._copied += anchored.weight
        if self._copied > COPIES_MAX:
            raise BadYaml(_TOO_MANY_ALIASES)
        return clone(anchored.value)

    def _put(self, value: Any, event: Any) -> None:
        """Into the list or mapping that is open, as an element, a key or a member."""
        if not self._open:
            self._result = _finite(value)
            return
        top = self._open[-1]
        if top.value.__class__ is list:
            top.value.append(_finite(value))
        elif top.merges:
            top.merges = False
            self._merge(top.value, value, event)
        elif top.key is None:
            top.key = _key(value)
            self._note_duplicate(top.value, top.key, event)
        else:
            top.value[top.key] = _finite(value)
            top.key = None

    def _merge(self, mapping: dict[str, Any], value: Any, event: Any) -> None:
        """The members of one mapping, or of several of which the first to have a key gives its value."""
        for merged in reversed(value) if value.__class__ is list else [value]:
            if merged.__class__ is not dict:
                raise BadYaml("yaml: map merge requires map or sequence of maps as the value")
            for key, item in merged.items():
                self._note_duplicate(mapping, key, event)
                mapping[key] = item

    def _note_duplicate(self, mapping: dict[str, Any], key: str, event: Any) -> None:
        if key in mapping and len(self.duplicates) < DUPLICATES_MAX:
            self.duplicates.append(f"line {event.start_mark.line + 1}: key {quote(key)} already set in map")


def _finite(value: Any) -> Any:
    """As JSON has it: a number without a fraction is written without one."""
    if value.__class__ is not float:
        return value
    if not math.isfinite(value):
        raise BadYaml(f"json: unsupported value: {_written(value)}")
    return go_text.reread(value)


def _written(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{'+' if value > 0 else '-'}Inf"


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, float):
        return (
            go_text.show(key)
            if math.isfinite(key)
            else {"+Inf": ".inf", "-Inf": "-.inf"}.get(_written(key), ".nan")
        )
    if isinstance(key, str | int):
        return str(key)
    if key is None:
        raise BadYaml("unsupported map key of type: %!s(<nil>), key: <nil>")
    raise BadYaml(f"yaml: invalid map key: {go_text.show_typed(key)}")


def _describe(error: Any) -> str:
    """libyaml's text with Go's line: counted from 0 by the parser, from 1 by the scanner, absent on the first line."""
    problem = str(error.problem or error.context or "malformed document")
    line = error.problem_mark.line if error.problem_mark else 0
    if line and type(error).__name__ == "ScannerError":
        line += 1
    elif not line and error.context_mark:
        line = error.context_mark.line
    return f"yaml: line {line}: {problem}" if line else f"yaml: {problem}"
