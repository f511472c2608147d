"""YAML as kubectl prints it: keys sorted, lists not indented, ambiguous strings in double quotes."""

import re
from typing import Any

import yaml

_BASE: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_RESOLVER = yaml.SafeLoader.yaml_implicit_resolvers
# Go's library also quotes what YAML 1.1 readers would take for a boolean or a base-60 number.
_AMBIGUOUS = re.compile(
    r"(y|n|yes|no|on|off|true|false|null|~|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9]*)?)", re.IGNORECASE
)


class _Dumper(_BASE):  # type: ignore[misc]
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: Any, text: str) -> Any:
    style = None
    if text == "" or _is_ambiguous(text):
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _is_ambiguous(text: str) -> bool:
    if _AMBIGUOUS.fullmatch(text):
        return True
    return any(pattern.match(text) for _, pattern in _RESOLVER.get(text[0], ()))


_Dumper.add_representer(str, _represent_text)


def dump_yaml(obj: Any) -> str:
    text: str = yaml.dump(
        obj, Dumper=_Dumper, default_flow_style=False, sort_keys=True, allow_unicode=True, width=80
    )
    return text
