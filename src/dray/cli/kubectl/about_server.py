"""What a server is and serves: `kubectl version`, `api-resources` and `api-versions`."""

import dataclasses
import json

import click

import dray
from dray.api.meta import Object
from dray.cli.kubectl.naming import Served
from dray.cli.kubectl.session import Failure, Session
from dray.cli.kubectl.tables import layout
from dray.cli.kubectl.yaml_text import dump_yaml

COLUMNS = ["NAME", "SHORTNAMES", "APIVERSION", "NAMESPACED", "KIND"]


async def version(session: Session, output: str, *, client_only: bool) -> None:
    known: Object = {"clientVersion": {"gitVersion": f"{dray.KUBERNETES_VERSION}+dray-{dray.__version__}"}}
    if not client_only:
        known["serverVersion"] = await session.client.request("GET", "/version")
    match output:
        case "json":
            click.echo(json.dumps(known, indent=2))
        case "yaml":
            click.echo(dump_yaml(known))
        case "":
            for side in ("client", "server"):
                if told := known.get(f"{side}Version"):
                    click.echo(f"{side.title()} Version: {told['gitVersion']}")
        case _:
            raise Failure("error: --output must be 'yaml' or 'json'")


async def api_versions(session: Session) -> None:
    found = {each.resource.api_version for each in (await session.discovery()).preferred(any_version=True)}
    click.echo("\n".join(sorted(found)))


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    output: str = ""
    api_group: str | None = None
    """"" is the core group."""
    namespaced: bool | None = None
    no_headers: bool = False


async def api_resources(session: Session, options: Options) -> None:
    found = [
        each
        for each in (await session.discovery()).preferred()
        if options.api_group in (None, each.resource.group)
        and options.namespaced in (None, each.resource.namespaced)
    ]
    if options.output == "name":
        click.echo("\n".join(_full_name(each) for each in sorted(found, key=_order)))
        return
    if options.output not in ("", "wide"):
        raise Failure(f"error: --output {options.output} is not available")
    is_wide = options.output == "wide"
    rows = [_row(each, is_wide=is_wide) for each in sorted(found, key=_order)]
    header = COLUMNS + (["VERBS", "CATEGORIES"] if is_wide else [])
    click.echo(layout(rows if options.no_headers else [header, *rows]))


def _order(served: Served) -> tuple[str, str]:
    return served.resource.group, served.resource.plural


def _full_name(served: Served) -> str:
    resource = served.resource
    return f"{resource.plural}.{resource.group}" if resource.group else resource.plural


def _row(served: Served, *, is_wide: bool) -> list[str]:
    resource = served.resource
    cells = [
        resource.plural,
        ",".join(served.short_names),
        resource.api_version,
        str(resource.namespaced).lower(),
        resource.kind,
    ]
    return [*cells, ",".join(served.verbs), ",".join(served.categories)] if is_wide else cells
