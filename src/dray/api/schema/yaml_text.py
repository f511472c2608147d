"""Reads YAML as the API server does: YAML 1.1 turned into JSON, timestamps left as text, keys made strings.

Decides what an unquoted word means (`yes`, `on` and `y` are booleans) and how a syntax error reads.
"""

import functools
from typing import Any

from dray.api.fields import quote

COPIES_MAX = 100_000
"""Values that aliases and merge keys may add to a document: a few hundred bytes could else ask for all memory."""

_TOO_MANY_ALIASES = "yaml: document contains excessive aliasing"


class BadYaml(ValueError):
    """No YAML, or YAML that JSON cannot hold; `str()` is upstream's text: `yaml: line 1: did not find ...`."""


def from_yaml(data: bytes, *, strict: bool = False) -> Any:
    """The JSON value of the first document; null when there is none. `strict` refuses duplicate keys."""
    import yaml  # here: most requests are JSON, and the import is slow

    try:
        loader = _loader_type(strict)(data)
        try:
            return _Plain().value(loader.get_data() if loader.check_data() else None)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise BadYaml(_describe(error)) from None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        raise BadYaml("yaml: control characters are not allowed") from None


@functools.cache
def _loader_type(strict: bool) -> Any:
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc]
        def flatten_mapping(self, node: Any) -> None:
            written = len(node.value)
            super().flatten_mapping(node)
            if len(node.value) - written > COPIES_MAX:
                raise BadYaml(_TOO_MANY_ALIASES)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            self.flatten_mapping(node)
            members: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                key = _key(self.construct_object(key_node, deep=True))
                if strict and key in members:
                    line = key_node.start_mark.line + 1
                    raise yaml.constructor.ConstructorError(
                        None, None, f"line {line}: key {quote(key)} already set in map", None
                    )
                members[key] = self.construct_object(value_node, deep=deep)
            return members

    resolvers: dict[Any, Any] = {}
    for first, rules in base.yaml_implicit_resolvers.items():
        resolvers[first] = [rule for rule in rules if not rule[0].endswith((":timestamp", ":value"))]
    Loader.yaml_implicit_resolvers = resolvers
    for letter in "yYnN":
        Loader.add_implicit_resolver("tag:yaml.org,2002:bool", _single(letter), [letter])
    Loader.bool_values = {**base.bool_values, "y": True, "n": False}
    return Loader


def _single(letter: str) -> Any:
    import re

    return re.compile(f"^{letter}$")


def _key(key: Any) -> str:
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, str | int | float):
        return str(key)
    if key is None:
        return "null"
    raise BadYaml(f"yaml: invalid map key: {key!r}")


class _Plain:
    """Makes JSON values of what was read, each alias a copy of what it stands for, but not without limit."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._copied = 0

    def value(self, value: Any, *, copied: bool = False) -> Any:
        if isinstance(value, bytes):
            return value.decode("latin-1")
        if not isinstance(value, dict | list | set | tuple):
            return value
        copied = copied or id(value) in self._known
        self._known.add(id(value))
        if copied:
            self._copied += 1 + len(value)
            if self._copied > COPIES_MAX:
                raise BadYaml(_TOO_MANY_ALIASES)
        if isinstance(value, dict):
            return {key: self.value(item, copied=copied) for key, item in value.items()}
        return [self.value(item, copied=copied) for item in value]


def _describe(error: Any) -> str:
    """libyaml's text with Go's line: counted from 0 by the parser, from 1 by the scanner, absent on the first line."""
    problem = str(error.problem or error.context or "malformed document")
    if problem.startswith("line "):
        return f"yaml: unmarshal errors:\n  {problem}"
    line = error.problem_mark.line if error.problem_mark else 0
    if line and type(error).__name__ == "ScannerError":
        line += 1
    elif not line and error.context_mark:
        line = error.context_mark.line
    return f"yaml: line {line}: {problem}" if line else f"yaml: {problem}"
