"""`-o custom-columns`: a table whose columns are JSONPaths."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import click

from dray.api.meta import Object
from dray.api.schema.go_text import show
from dray.cli.kubectl.jsonpath import NotApplicable, Template, relaxed
from dray.cli.kubectl.jsonpath_text import JsonPathError
from dray.cli.kubectl.session import Failure
from dray.cli.kubectl.tables import escaped, layout

_TEMPLATE_LINES = (
    "Expected format is one line of space separated headers, one line of space separated column specs."
)


class Column(NamedTuple):
    header: str
    path: str


def printer_for(name: str, argument: str, *, no_headers: bool) -> Callable[[Object], None]:
    """Raises Failure for columns that cannot be read."""
    if not argument:
        raise Failure("error: custom-columns format specified but no custom columns given")
    is_file = name == "custom-columns-file"
    found = _in_file(argument) if is_file else _in_argument(argument)
    shows_headers = is_file or not no_headers

    def show_columns(whole: Object) -> None:
        rows = [[column.header for column in found]] if shows_headers else []
        try:
            templates = [Template(column.path) for column in found]
            for obj in objects_in(whole):
                rows.append([_cell(template, obj) for template in templates])
        except (JsonPathError, NotApplicable) as error:
            if rows:
                click.echo(layout(rows))
            raise Failure(f"error: {error}") from error
        if rows:
            click.echo(layout(rows))

    return show_columns


def objects_in(whole: Object) -> Sequence[Object]:
    """Those of a list; an object alone."""
    items: Sequence[Object] = whole["items"] if isinstance(whole.get("items"), list) else [whole]
    return items


def _in_argument(spec: str) -> list[Column]:
    columns = []
    for entry in spec.split(","):
        header, colon, path = entry.partition(":")
        if not colon:
            raise Failure(
                f"error: unexpected custom-columns spec: {entry}, expected <header>:<json-path-expr>"
            )
        columns.append(_column(header, path))
    return columns


def _in_file(name: str) -> list[Column]:
    try:
        with open(name, encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().splitlines()
    except OSError as error:
        why = (error.strerror or "").lower()
        raise Failure(f"error: error reading template {name}, open {name}: {why}") from error
    for at, line in enumerate(("header", "spec")):
        if len(lines) <= at:
            raise Failure(f"error: invalid template, missing {line} line. {_TEMPLATE_LINES}")
    headers, paths = lines[0].split(), lines[1].split()
    if len(headers) != len(paths):
        raise Failure(
            f"error: number of headers ({len(headers)}) and field specifications ({len(paths)}) don't match"
        )
    return [_column(header, path) for header, path in zip(headers, paths, strict=True)]


def _column(header: str, path: str) -> Column:
    try:
        return Column(header, relaxed(path))
    except JsonPathError as error:
        raise Failure(f"error: {error}") from error


def _cell(template: Template, obj: Object) -> str:
    results = template.results(obj)
    found = [] if results and results[0] else ["<none>"]
    return ",".join([*found, *(escaped(show(value)) for values in results for value in values)])
