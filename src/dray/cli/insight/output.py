"""Answers on paper: tables and wrapped text of at most 100 columns, or data for programs."""

import csv
import dataclasses
import datetime as dt
import enum
import io
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import IO, Any

import click

from dray.api.quantity import Quantity

WIDTH = 100
_WORD = re.compile(r"(?:[^\s']|'[^']*')+")
_GAP = 3
_NAME_MIN = 8
_NARROW = 12
"""Columns that are no wider stay as they are while others can give way."""


class NoAnswer(click.ClickException):
    """The question cannot be answered; told within the width of all answers. Exit code 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        text = "\n".join(wrapped(self.message, hang=7, mark="Error: "))
        click.echo(text, file=file, err=file is None)


def plain(value: Any) -> Any:
    """A typed answer as JSON values; field names as Kubernetes spells them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {_camel(f.name): plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.repr}
    if isinstance(value, enum.Enum):
        return value.value
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, Quantity):
        return str(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value


def _camel(name: str) -> str:
    head, *tail = name.split("_")
    return head + "".join(part.title() for part in tail)


def show_data(
    output: str, answer: Any, rows: Sequence[Mapping[str, Any]], *, with_header: bool = True
) -> None:
    """`answer` as JSON or YAML, or `rows` as CSV."""
    if output == "csv":
        click.echo(_csv(rows, with_header), nl=False)
        return
    data = plain(answer)
    if output == "json":
        import json

        click.echo(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        import yaml

        click.echo(yaml.safe_dump(data, sort_keys=False, allow_unicode=True), nl=False)


def _csv(rows: Sequence[Mapping[str, Any]], with_header: bool) -> str:
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, names, lineterminator="\n")
    if with_header:
        writer.writeheader()
    for row in rows:
        writer.writerow({name: _cell(row.get(name)) for name in names})
    return text.getvalue()


def _cell(value: Any) -> Any:
    data = plain(value)
    if isinstance(data, list):
        return "; ".join(map(str, data))
    if isinstance(data, dict):
        return "; ".join(f"{key}={item}" for key, item in data.items())
    return "" if data is None else data


def table(
    headers: Sequence[str], rows: Iterable[Sequence[Any]], *, indent: int = 0, gap: int = _GAP
) -> list[str]:
    """Aligned lines. Columns of numbers go to the right; the widest ones give way until all fit the width."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not cells:
        return []
    widths = [max(map(len, column)) for column in zip(headers, *cells, strict=True)]
    room = WIDTH - indent - gap * (len(widths) - 1)
    while sum(widths) > room:
        wide = [i for i in range(len(widths)) if widths[i] > _NARROW] or range(len(widths))
        widest = max(wide, key=widths.__getitem__)
        # Down to the next widest of those that give way, then both of them.
        others = [widths[i] for i in wide if i != widest]
        step = widths[widest] - max(others, default=0)
        widths[widest] -= max(1, min(sum(widths) - room, step))
    numeric = [_are_numbers([row[i] for row in cells]) for i in range(len(widths))]
    lines = [headers, *cells]
    return [" " * indent + _line(line, widths, numeric, gap) for line in lines]


def _are_numbers(cells: Sequence[str]) -> bool:
    return all(map(_is_number, cells)) and any(cell[:1].isdigit() for cell in cells)


def _is_number(text: str) -> bool:
    return text.removesuffix("%").replace(".", "", 1).isdigit() or text in ("", "-")


def _line(cells: Sequence[str], widths: Sequence[int], numeric: Sequence[bool], gap: int) -> str:
    shown = [
        _clip(cell, width).rjust(width) if right else _clip(cell, width).ljust(width)
        for cell, width, right in zip(cells, widths, numeric, strict=True)
    ]
    return (" " * gap).join(shown).rstrip()


def _clip(text: str, width: int) -> str:
    """Prose loses its end, a name its middle: names that are alike at their beginning differ at the end."""
    if len(text) <= width:
        return text
    if " " in text or width < _NAME_MIN:
        return text[: width - 1] + "…"
    tail = (width - 1) // 2
    return text[: width - 1 - tail] + "…" + text[-tail:]


def wrapped(text: str, *, indent: int = 0, hang: int | None = None, mark: str = "") -> list[str]:
    """A paragraph; `mark` stands before its first line."""
    start = " " * indent + mark
    rest = " " * (len(start) if hang is None else hang)
    lines: list[str] = []
    for paragraph in text.splitlines() or [""]:
        lines += textwrap.wrap(
            paragraph, WIDTH, initial_indent=start if not lines else rest, subsequent_indent=rest,
            break_long_words=False, break_on_hyphens=False,
        ) or [""]  # fmt: skip
    return lines


def shell(command: str, *, indent: int = 0) -> list[str]:
    """A command line to copy: broken with backslashes between words, and inside a quoted JSON where it may have blanks."""
    prompt, rest = " " * indent + "$ ", " " * (indent + 4)
    lines = [prompt]
    for word in _WORD.findall(command):
        after = lines[-1].endswith("&&")
        if (after or len(lines[-1]) + len(word) + 3 > WIDTH) and lines[-1] != prompt:
            # The shell reads on by itself after `&&`.
            lines[-1] += "" if after else " \\"
            lines.append(rest)
        lines[-1] += word if lines[-1] in (prompt, rest) else f" {word}"
    return [part for line in lines for part in _broken_json(line, rest)]


def _broken_json(line: str, indent: str) -> list[str]:
    """JSON does not mind line breaks after its brackets and commas, nor does the quote around it."""
    parts = []
    while len(line) > WIDTH:
        end = max(line.rfind(mark, 0, WIDTH - 2) for mark in ("{", "[", ","))
        if end < len(indent) + 2:
            break
        parts.append(line[: end + 1])
        line = indent + line[end + 1 :]
    return [*parts, line]


def sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def heading(text: str) -> str:
    """Bold on a terminal, plain elsewhere."""
    return click.style(text, bold=True)


def age(then: dt.datetime | None, now: dt.datetime) -> str:
    """As kubectl shows ages: 45s, 12m, 3h, 4d."""
    if then is None:
        return ""
    seconds = max(int((now - then).total_seconds()), 0)
    for size, letter in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size:
            return f"{seconds // size}{letter}"
    return f"{seconds}s"
