"""`kubectl explain`: what a kind's fields are and mean, from the server's own OpenAPI documents."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import click

from dray.cli.kubectl.naming import Served, UnknownResource
from dray.cli.kubectl.session import Failure, Session

Schema = Mapping[str, Any]
WIDTH: Final = 76
_GVK: Final = "x-kubernetes-group-version-kind"


async def explain(session: Session, text: str, api_version: str, *, recursive: bool) -> None:
    """`text` is `TYPE.field.field`. Raises Failure for a type or a field that there is not."""
    name, *path = text.removesuffix(".").split(".")
    if not name:
        raise Failure("error: invalid jsonpath syntax, first node must be field node")
    try:
        served = await session.find(name)
    except UnknownResource:
        raise Failure(f'the server doesn\'t have a resource type "{name}"') from None
    after_group = _without_group(served, text.removesuffix("."))
    path = path if after_group is None else after_group
    if api_version:
        try:
            served = (await session.discovery()).find_kind(api_version, served.resource.kind)
        except UnknownResource:
            group, _, version = api_version.rpartition("/")
            told = f"{group}/{version}, Resource={served.resource.plural}"
            raise Failure(f'error: couldn\'t find resource for "{told}"') from None
    document = await _document(session, served)
    page = Page(document, served)
    click.echo("".join(f"{line}\n" for line in page.head()), nl=False)
    click.echo("\n".join(page.body(path, recursive=recursive)))


def _without_group(served: Served, text: str) -> list[str] | None:
    """The fields of `deployments.apps.spec`; None where no group is told."""
    resource = served.resource
    whole = f"{resource.plural}.{resource.group}"
    if resource.group and (text == whole or text.startswith(f"{whole}.")):
        return text[len(whole) :].split(".")[1:]
    return None


async def _document(session: Session, served: Served) -> Schema:
    paths = (await session.client.request("GET", "/openapi/v3"))["paths"]
    resource = served.resource
    key = f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"
    path, _, query = paths[key]["serverRelativeURL"].partition("?")
    hash_name, _, value = query.partition("=")
    return await session.client.request("GET", path, query={hash_name: value} if value else {})


class Page:
    """What is told of one kind."""

    def __init__(self, document: Schema, served: Served) -> None:
        self._schemas: Mapping[str, Schema] = document["components"]["schemas"]
        self._resource = served.resource
        wanted = {
            "group": served.resource.group,
            "version": served.resource.version,
            "kind": served.resource.kind,
        }
        self._root = next(schema for schema in self._schemas.values() if wanted in schema.get(_GVK, ()))

    def head(self) -> Iterator[str]:
        if self._resource.group:
            yield f"GROUP:      {self._resource.group}"
        yield f"KIND:       {self._resource.kind}"
        yield f"VERSION:    {self._resource.version}"
        yield ""

    def body(self, path: Sequence[str], *, recursive: bool) -> Iterator[str]:
        schema = self._root
        for depth, name in enumerate(path):
            fields = self._fields(schema)
            if name not in fields:
                raise Failure(f'error: field "{path[-1]}" does not exist')
            if depth == len(path) - 1:
                yield f"FIELD: {name} <{self._type(fields[name])}>"
                yield from self._enumeration(fields[name], "")
                yield from ("", "")
            schema = fields[name]
        yield "DESCRIPTION:"
        yield from self._description(schema)
        if self._fields(schema):
            yield "FIELDS:"
            yield from self._recursive(schema, 1, ()) if recursive else self._listed(schema)
        yield ""

    def _listed(self, schema: Schema) -> Iterator[str]:
        required = self._structure(schema).get("required", ())
        for name, field in sorted(self._fields(schema).items()):
            yield f"  {name}\t<{self._type(field)}>{' -required-' if name in required else ''}"
            yield from self._enumeration(field, "  ")
            yield from _wrapped(field.get("description") or "<no description>")
            yield ""

    def _recursive(self, schema: Schema, depth: int, above: tuple[int, ...]) -> Iterator[str]:
        required = self._structure(schema).get("required", ())
        for name, field in sorted(self._fields(schema).items()):
            yield f"{'  ' * depth}{name}\t<{self._type(field)}>{' -required-' if name in required else ''}"
            yield from self._enumeration(field, "  " * depth)
            inner = self._structure(field)
            if id(inner) not in above:
                yield from self._recursive(field, depth + 1, (*above, id(inner)))

    def _enumeration(self, schema: Schema, indent: str) -> Iterator[str]:
        if values := self._resolved(schema).get("enum"):
            yield f"{indent}enum: {', '.join(map(str, values))}"

    def _description(self, schema: Schema) -> Iterator[str]:
        texts = self._texts(schema)
        if not texts:
            yield "    <empty>"
            return
        for text in texts:
            yield from _wrapped(text)
        yield "    "

    def _texts(self, schema: Schema) -> list[str]:
        """A field's own words, then those of its type, and of what its lists and maps hold."""
        found = [str(schema["description"])] if schema.get("description") else []
        if (inner := self._next(schema)) is not None:
            found += self._texts(inner)
        for part in ("items", "additionalProperties"):
            if isinstance(schema.get(part), Mapping):
                found += self._texts(schema[part])
        return found

    def _next(self, schema: Schema) -> Schema | None:
        """The schema that stands behind a reference."""
        if reference := schema.get("$ref"):
            return self._schemas[str(reference).rpartition("/")[2]]
        for part in schema.get("allOf") or ():
            return part if "$ref" not in part else self._schemas[str(part["$ref"]).rpartition("/")[2]]
        return None

    def _resolved(self, schema: Schema) -> Schema:
        inner = self._next(schema)
        return schema if inner is None else self._resolved(inner)

    def _structure(self, schema: Schema) -> Schema:
        """The object whose fields a path goes on with: through lists and maps."""
        resolved = self._resolved(schema)
        for part in ("items", "additionalProperties"):
            if isinstance(resolved.get(part), Mapping):
                return self._structure(resolved[part])
        return resolved

    def _fields(self, schema: Schema) -> Mapping[str, Schema]:
        found: Mapping[str, Schema] = self._structure(schema).get("properties") or {}
        return found

    def _type(self, schema: Schema) -> str:
        if (reference := self._reference(schema)) and self._schemas[reference].get("properties"):
            return reference.rpartition(".")[2]
        resolved = self._resolved(schema)
        match resolved.get("type"):
            case "array":
                return f"[]{self._type(resolved['items'])}"
            case "object" if isinstance(resolved.get("additionalProperties"), Mapping):
                return f"map[string]{self._type(resolved['additionalProperties'])}"
            case None:
                return reference.rpartition(".")[2] if reference else "Object"
            case str(name):
                return reference.rpartition(".")[2] if reference and name == "object" else name
        return "Object"

    @staticmethod
    def _reference(schema: Schema) -> str:
        for part in (schema, *(schema.get("allOf") or ())):
            if "$ref" in part:
                return str(part["$ref"]).rpartition("/")[2]
        return ""


def _wrapped(text: str) -> Iterator[str]:
    for paragraph in text.split("\n"):
        lines = textwrap.wrap(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False) or [""]
        yield from (f"    {line}" for line in lines)
