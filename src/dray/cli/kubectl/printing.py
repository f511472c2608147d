"""Objects as `-o` wants them: YAML, JSON, names, a JSONPath, columns of one's own."""

import json
from collections.abc import Callable, Sequence

import click

from dray.api.meta import Object
from dray.cli.kubectl import jsonpath
from dray.cli.kubectl.session import Failure
from dray.cli.kubectl.tables import layout
from dray.cli.kubectl.yaml_text import dump_yaml
from dray.kits import go_json

FORMATS = ("custom-columns", "json", "jsonpath", "name", "wide", "yaml")


def print_objects(
    objects: Sequence[Object],
    output: str,
    display: Callable[[Object], str],
    *,
    is_single: bool = False,
    no_headers: bool = False,
) -> None:
    """`display` names an object's type, as `-o name` shows it. Raises Failure for an unknown or wrong `output`."""
    whole: Object = (
        objects[0]
        if is_single
        else {"apiVersion": "v1", "items": objects, "kind": "List", "metadata": {"resourceVersion": ""}}
    )
    output, _, argument = output.partition("=")
    match output:
        case "yaml":
            click.echo(dump_yaml(whole), nl=False)
        case "json":
            click.echo(_dump_json(whole))
        case "name":
            for obj in objects:
                click.echo(f"{display(obj)}/{obj['metadata']['name']}")
        case "jsonpath":
            click.echo(_render(argument, whole), nl=False)
        case "custom-columns":
            _print_columns(objects, argument, no_headers)
        case _:
            raise Failure(
                f'error: unable to match a printer suitable for the output format "{output}", '
                f"allowed formats are: {','.join(FORMATS)}"
            )


def _dump_json(obj: Object) -> str:
    return go_json.escaped_text(json.dumps(obj, indent=4, sort_keys=True, ensure_ascii=False))


def _render(template: str, whole: Object) -> str:
    try:
        return jsonpath.render(jsonpath.normalise(template), whole)
    except jsonpath.JsonPathError as error:
        raise Failure(f"error: error parsing jsonpath {template}, {error}") from error


def _print_columns(objects: Sequence[Object], spec: str, no_headers: bool) -> None:
    if not spec:
        raise Failure("error: custom-columns format specified but no custom columns given")
    columns = [entry.partition(":") for entry in spec.split(",")]
    if wrong := next((name for name, _, path in columns if not path), None):
        raise Failure(f"error: unexpected custom-columns spec: {wrong}, expected <header>:<json-path-expr>")
    rows = [[name for name, _, _ in columns]]
    for obj in objects:
        rows.append([_column(path, obj) for _, _, path in columns])
    click.echo(layout(rows[1:] if no_headers else rows))


def _column(path: str, obj: Object) -> str:
    values = jsonpath.find_all(jsonpath.normalise(path)[1:-1], obj)
    return (
        ",".join(str(value) if not isinstance(value, dict | list) else _go_map(value) for value in values)
        or "<none>"
    )


def _go_map(value: object) -> str:
    """Structures inside a column, as Go prints them."""
    if isinstance(value, dict):
        return "map[" + " ".join(f"{key}:{_go_map(each)}" for key, each in sorted(value.items())) + "]"
    if isinstance(value, list):
        return "[" + " ".join(_go_map(each) for each in value) + "]"
    return str(value)
