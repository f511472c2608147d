"""kubectl's JSONPath templates: `{.items[*].metadata.name}`, `{range ...}{end}`, quoted text, filters.

The subset people type: fields, `['quoted']`, indexes and slices, `*`, `..`, `?(@.a=="b")`, unions of indexes.
Source: the kubectl JSONPath reference page.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from dray.kits import go_json

_STEP = re.compile(
    r"""\.\.(?P<deep>[\w-]+|\*) | \.(?P<field>(?:\\.|[\w/-])+|\*) | \[(?P<bracket>(?:'[^']*'|"[^"]*"|\?\([^)]*\)|[^\]])*)\]""",
    re.VERBOSE,
)
_FILTER = re.compile(r"""\?\(\s*@(?P<path>[^\s=!<>]*)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<value>.+?))?\s*\)""")


class JsonPathError(ValueError):
    """A template that cannot be understood; says where."""


def render(template: str, data: Any) -> str:
    """The text that the template makes of `data`."""
    return "".join(_render_parts(_parse(template), data, data))


def normalise(template: str) -> str:
    """Accept what kubectl accepts for a single path: `x.y`, `.x.y` and `{.x.y}` are one."""
    if template.startswith("{"):
        return template
    return "{" + (template if template.startswith(".") else f".{template}") + "}"


def find_all(path: str, data: Any) -> list[Any]:
    """Every value at `path` (without braces); absent ones are left out."""
    values = [data]
    for step in _steps(path):
        values = [found for value in values for found in _follow(step, value)]
    return values


Part = tuple[str, Any]


def _parse(template: str) -> list[Part]:
    tokens = iter(_tokens(template))
    return _block(tokens, top=True)


def _tokens(template: str) -> Iterator[Part]:
    position = 0
    while position < len(template):
        start = template.find("{", position)
        if start < 0:
            yield "text", template[position:]
            return
        if start > position:
            yield "text", template[position:start]
        end = _closing_brace(template, start)
        yield "action", template[start + 1 : end].strip()
        position = end + 1


def _closing_brace(template: str, start: int) -> int:
    quote = ""
    for index in range(start + 1, len(template)):
        char = template[index]
        if quote:
            quote = "" if char == quote and template[index - 1] != "\\" else quote
        elif char in "'\"":
            quote = char
        elif char == "}":
            return index
    is_in_array = template.rfind("[", start) > template.rfind("]", start)
    raise JsonPathError("unterminated array" if is_in_array else "unclosed action")


def _block(tokens: Iterator[Part], *, top: bool) -> list[Part]:
    parts: list[Part] = []
    for kind, text in tokens:
        if kind == "text":
            parts.append((kind, text))
        elif text == "end":
            if top:
                raise JsonPathError("{end} without {range}")
            return parts
        elif text.startswith("range"):
            parts.append(("range", (text[5:].strip(), _block(tokens, top=False))))
        elif text[:1] in "'\"":
            parts.append(("text", _unquote(text)))
        else:
            parts.append(("path", text))
    if not top:
        raise JsonPathError("{range} without {end}")
    return parts


def _unquote(text: str) -> str:
    inner = text[1:-1]
    return inner.replace("\\n", "\n").replace("\\t", "\t").replace('\\"', '"').replace("\\'", "'")


def _render_parts(parts: list[Part], data: Any, root: Any) -> Iterator[str]:
    for kind, content in parts:
        if kind == "text":
            yield content
        elif kind == "path":
            yield " ".join(
                _show(value)
                for value in find_all(_rooted(content), root if content.startswith("$") else data)
            )
        else:
            path, body = content
            for value in find_all(_rooted(path), data):
                yield from _render_parts(body, value, root)


def _rooted(path: str) -> str:
    return path.lstrip("$@")


def _show(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    return go_json.encode_text(value, is_sorted=True)


def _steps(path: str) -> list[re.Match[str]]:
    steps: list[re.Match[str]] = []
    position = 0
    if path and path[0] not in ".[":
        path = f".{path}"
    while position < len(path):
        if path[position:] == ".":
            break
        match = _STEP.match(path, position)
        if match is None:
            raise JsonPathError(f"cannot understand {path[position:]!r}")
        steps.append(match)
        position = match.end()
    return steps


def _follow(step: re.Match[str], value: Any) -> Iterator[Any]:
    if step.group("deep") is not None:
        yield from _search(step.group("deep"), value)
    elif step.group("field") is not None:
        yield from _fields(step.group("field").replace("\\", ""), value)
    else:
        yield from _bracket(step.group("bracket").strip(), value)


def _fields(name: str, value: Any) -> Iterator[Any]:
    if name == "*":
        yield from value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    elif isinstance(value, dict) and name in value:
        yield value[name]


def _search(name: str, value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        if name in value:
            yield value[name]
        for child in value.values():
            yield from _search(name, child)
    elif isinstance(value, list):
        for child in value:
            yield from _search(name, child)


def _bracket(text: str, value: Any) -> Iterator[Any]:
    if text.startswith("?"):
        yield from _filtered(text, value)
    elif text[:1] in "'\"":
        yield from _fields(text[1:-1], value)
    elif text == "*":
        yield from _fields("*", value)
    elif isinstance(value, list):
        for part in text.split(","):
            yield from _indexed(part.strip(), value)


def _indexed(text: str, values: list[Any]) -> Iterator[Any]:
    try:
        if ":" in text:
            yield from values[slice(*(int(part) if part else None for part in text.split(":")))]
        elif -len(values) <= int(text) < len(values):
            yield values[int(text)]
    except ValueError as error:
        raise JsonPathError(f"[{text}] is no index") from error


def _filtered(text: str, value: Any) -> Iterator[Any]:
    match = _FILTER.fullmatch(text)
    if match is None:
        raise JsonPathError(f"cannot understand the filter {text!r}")
    for element in value if isinstance(value, list) else ():
        found = find_all(match.group("path"), element)
        if match.group("op") is None:
            if found:
                yield element
        elif any(_compare(match.group("op"), each, _literal(match.group("value"))) for each in found):
            yield element


def _literal(text: str) -> Any:
    if text[:1] in "'\"":
        return text[1:-1]
    try:
        return json.loads(text)
    except ValueError:
        return text


def _compare(operator: str, left: Any, right: Any) -> bool:
    if operator in ("==", "!="):
        return bool((left == right) == (operator == "=="))
    if type(left) is not type(right):
        return False
    return bool({"<": left < right, ">": left > right, "<=": left <= right, ">=": left >= right}[operator])
