"""Objects as `-o` wants them: YAML, JSON, names, a JSONPath, columns of one's own."""

from collections.abc import Callable, Sequence

import click

from dray.api.meta import Object
from dray.cli.kubectl import columns
from dray.cli.kubectl.jsonpath import NotApplicable, Template, explained
from dray.cli.kubectl.jsonpath_text import JsonPathError
from dray.cli.kubectl.session import Failure
from dray.cli.kubectl.yaml_text import dump_yaml
from dray.kits import go_json

TEMPLATES = ("jsonpath", "jsonpath-as-json", "jsonpath-file")
COLUMNS = ("custom-columns", "custom-columns-file")
FORMATS = (*COLUMNS, "json", *TEMPLATES, "name", "wide", "yaml")


Printer = Callable[[Object], None]
"""Prints one object, or a list of them. Raises Failure."""


def printer_for(
    output: str,
    display: Callable[[Object], str],
    *,
    no_headers: bool = False,
    show_managed_fields: bool = False,
    formats: Sequence[str] = FORMATS,
) -> Printer:
    """`display` names an object's type, as `-o name` shows it. Raises Failure for an unknown or wrong `output`."""
    if output.lower() in ("json", "yaml", "name") and output.lower() in formats:
        plain = {"json": _print_json, "yaml": _print_yaml, "name": _named(display)}
        show = plain[output.lower()]
        return show if show_managed_fields else lambda whole: show(_without_managed_fields(whole))
    name, _, argument = output.partition("=")
    if name in TEMPLATES and name in formats:
        return _templated(name, argument)
    if name in COLUMNS and name in formats:
        return columns.printer_for(name, argument, no_headers=no_headers)
    raise Failure(
        f'error: unable to match a printer suitable for the output format "{output}", '
        f"allowed formats are: {','.join(formats)}"
    )


def list_of(objects: Sequence[Object]) -> Object:
    """Several objects as kubectl shows them together: it writes and reads them for that."""
    items = [go_json.read_as_go(obj, again=True) for obj in objects]
    return {"apiVersion": "v1", "items": items, "kind": "List", "metadata": {"resourceVersion": ""}}


def _print_yaml(whole: Object) -> None:
    click.echo(dump_yaml(whole), nl=False)


def _print_json(whole: Object) -> None:
    click.echo(go_json.indented_text(whole, 4))


def _named(display: Callable[[Object], str]) -> Printer:
    def show(whole: Object) -> None:
        for obj in columns.objects_in(whole):
            click.echo(f"{display(obj)}/{obj['metadata']['name']}")

    return show


def _without_managed_fields(whole: Object) -> Object:
    if isinstance(whole.get("items"), list):
        return {**whole, "items": [_without_managed_fields(item) for item in whole["items"]]}
    if "managedFields" not in (whole.get("metadata") or {}):
        return whole
    meta = {key: value for key, value in whole["metadata"].items() if key != "managedFields"}
    return {**whole, "metadata": meta}


def _templated(name: str, argument: str) -> Printer:
    if not argument:
        raise Failure("error: template format specified but no template given")
    text = _from_file(argument) if name == "jsonpath-file" else argument
    try:
        template = Template(text)
    except JsonPathError as error:
        raise Failure(f"error: error parsing jsonpath {text}, {error}") from error
    render = template.render_json if name == "jsonpath-as-json" else template.render

    def show(whole: Object) -> None:
        try:
            shown = render(whole)
        except NotApplicable as error:
            raise Failure(f"error: {explained(text, whole, error)}".removesuffix("\n")) from error
        click.echo(shown.encode(errors="surrogateescape"), nl=False)

    return show


def _from_file(name: str) -> str:
    try:
        with open(name, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError as error:
        why = (error.strerror or "").lower()
        raise Failure(f"error: error reading --template {name}, open {name}: {why}") from error
