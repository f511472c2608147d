"""`dray cel`: what a selector means on this cluster, before a claim depends on it."""

import pathlib
from collections.abc import Iterator
from typing import Any

import click

from dray.api.resources import DEVICE_CLASSES, RESOURCE_CLAIM_TEMPLATES, RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.cli.insight.options import Source, questions
from dray.cli.insight.output import heading, show_data, table, wrapped
from dray.insight.derivation import Asked, check_derivation, derivations_of
from dray.insight.expression import Check, Miss, check_expression, expressions_of

_SHOWN = 5
NEEDED = (RESOURCE_SLICES, DEVICE_CLASSES, RESOURCE_CLAIMS, RESOURCE_CLAIM_TEMPLATES)


@click.command(
    epilog="""Examples:  dray cel 'device.attributes["gpu.example.com"].model == "H100"'  |  dray cel --claim gpus -n ml  |  """
    "dray cel --class gpu.example.com -o json  |  dray cel --file claim.yaml --snapshot cluster.json.gz"
)
@click.argument("expression", required=False)
@click.option("--claim", default="", help="Check the selectors and derived attributes of this claim.")
@click.option("--class", "class_name", default="", help="Check the selectors of this DeviceClass.")
@click.option(
    "--file",
    "-f",
    "manifest",
    type=click.Path(path_type=pathlib.Path, dir_okay=False),
    help="Check the expressions of classes, claims and templates in this manifest, before it is applied.",
)
@click.option("--derived", is_flag=True, help="EXPRESSION is that of a derived attribute, not a selector.")
@click.option("--driver", default="", help="Ask only about the devices of this driver.")
@questions
def command(
    source: Source,
    expression: str | None,
    claim: str,
    class_name: str,
    manifest: pathlib.Path | None,
    derived: bool,
    driver: str,
) -> None:
    """Compile a device selector and say what it costs, which devices it selects, and where it would fail.

    Of the expression of a derived attribute it says which value each device has.

    A selector that fails for one device keeps the whole claim from being scheduled, so attributes that some devices lack are
    named, with a way to write it safely. Exit code 1 if anything does not compile or is too costly. Needs `list` on
    resourceslices (and the kinds named by the flags).
    """
    if sum(bool(given) for given in (expression, claim, class_name, manifest)) != 1:
        raise click.UsageError("give one of EXPRESSION, --claim, --class and --file")
    if derived and not expression:
        raise click.UsageError("--derived is about EXPRESSION")
    snapshot = source.snapshot(NEEDED)
    if expression and derived:
        checks = [("", check_derivation(snapshot, Asked("", expression), driver=driver))]
    elif expression:
        checks = [("", check_expression(snapshot, expression, driver=driver))]
    else:
        objects = _objects(source, snapshot, claim, class_name, manifest)
        checks = [each for obj in objects for each in _checks(snapshot, obj, driver)]
    if source.output == "text":
        click.echo("\n\n".join("\n".join(lines_of(where, check)) for where, check in checks))
    else:
        answer = [check for _, check in checks]
        show_data(source.output, answer[0] if expression else answer, [_row(w, c) for w, c in checks])
    if any(check.error or check.too_costly for _, check in checks):
        raise SystemExit(1)


def _objects(
    source: Source, snapshot: Any, claim: str, class_name: str, manifest: pathlib.Path | None
) -> list[Any]:
    if manifest is not None:
        return _read(manifest)
    namespace = "" if class_name else source.default_namespace()
    resource, name = (DEVICE_CLASSES, class_name) if class_name else (RESOURCE_CLAIMS, claim)
    found = snapshot.find(resource, name, namespace)
    if found is None:
        place = f" in namespace {namespace}" if namespace else ""
        raise click.ClickException(f"{resource.plural} {name!r} not found{place}")
    return [{"kind": resource.kind, **found}]


def _checks(snapshot: Any, obj: Any, driver: str) -> Iterator[tuple[str, Check]]:
    title = f"{obj.get('kind')} {(obj.get('metadata') or {}).get('name', '')}"
    for where, text in expressions_of(obj):
        yield f"{title}: {where}", check_expression(snapshot, text, driver=driver)
    for asked in derivations_of(obj):
        yield f"{title}: {asked.where}", check_derivation(snapshot, asked, driver=driver)


def _read(manifest: pathlib.Path) -> list[Any]:
    import yaml

    try:
        documents = [doc for doc in yaml.safe_load_all(manifest.read_text()) if isinstance(doc, dict)]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise click.ClickException(f"cannot read {manifest}: {error}") from error
    objects = [item for doc in documents for item in (doc.get("items") or [doc])]
    if not any(True for obj in objects for _ in (*expressions_of(obj), *derivations_of(obj))):
        raise click.ClickException(
            f"{manifest} has no DeviceClass, claim or template with a selector or derived attribute"
        )
    return objects


def lines_of(where: str, check: Check) -> Iterator[str]:
    """The answer for people."""
    if where:
        yield heading(where)
        yield from wrapped(check.expression, indent=2)
    if check.error:
        yield "It does not compile:" if not where else "  does not compile:"
        # Lines with a caret below them stay as they are.
        lines = check.error.splitlines()
        yield from wrapped(check.error, indent=2) if len(lines) == 1 else (f"  {line}" for line in lines)
        yield from _suggestions(check)
        return
    verdict = f" more than {check.cost_limit}: the API server refuses it" if check.too_costly else ""
    yield f"It compiles (type {check.type}) and costs at most {check.cost}{verdict or f' of {check.cost_limit}'}."
    if not check.devices:
        yield "There are no devices to ask about."
        return
    missed = sum(len(miss.devices) for miss in check.misses)
    failed = sum(len(miss.devices) for miss in check.failures)
    if check.derives:
        yield f"Of {check.devices} devices {check.devices - failed} have a value, and for {failed} it fails."
        yield from _devices("Values", check.values)
        yield from _devices("Fails, and with it every claim that asks", check.failures)
        return
    yield f"Of {check.devices} devices {len(check.matches)} are selected, {missed} are not, and for {failed} it fails."
    yield from _devices("Selected", [Miss("", check.matches)] if check.matches else [])
    yield from _devices("Not selected", check.misses)
    yield from _devices("Fails, and with it every claim that asks", check.failures)
    yield from _uses(check)
    yield from _suggestions(check)


def _devices(title: str, groups: Any) -> Iterator[str]:
    if not groups:
        return
    yield ""
    yield heading(title)
    for group in groups[:_SHOWN]:
        names = ", ".join(str(device) for device in group.devices[:_SHOWN])
        more = f", … ({len(group.devices) - _SHOWN} more)" if len(group.devices) > _SHOWN else ""
        reason = f"{group.reason}: " if group.reason else ""
        yield from wrapped(f"{len(group.devices):4}  {reason}{names}{more}", indent=2, hang=8)
    if len(groups) > _SHOWN:
        yield f"  … and {len(groups) - _SHOWN} more reasons (all: -o json)"


def _uses(check: Check) -> Iterator[str]:
    rows = [
        (use.kind, use.name, f"{use.present} of {use.present + use.absent}", ", ".join(use.values[:4]) + (", …" if len(use.values) > 4 else ""))
        for use in check.uses
    ]  # fmt: skip
    if rows:
        yield ""
        yield heading("What it reads")
        yield from table(("KIND", "NAME", "EXISTS ON", "VALUES"), rows, indent=2)


def _suggestions(check: Check) -> Iterator[str]:
    for suggestion in check.suggestions:
        yield ""
        yield from wrapped(suggestion[:1].upper() + suggestion[1:])


def _row(where: str, check: Check) -> dict[str, Any]:
    return {
        "where": where, "expression": check.expression, "error": check.error, "type": check.type, "cost": check.cost,
        "devices": check.devices, "selected": len(check.matches),
        "notSelected": sum(len(miss.devices) for miss in check.misses),
        "failed": sum(len(miss.devices) for miss in check.failures), "values": len(check.values),
        "suggestions": list(check.suggestions),
    }  # fmt: skip
