"""`kubectl apply --server-side`, `create` and `delete`."""

import asyncio
from collections.abc import Sequence

import click

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import NAMESPACES
from dray.cli.kubectl.manifests import read_manifests
from dray.cli.kubectl.naming import Served
from dray.cli.kubectl.session import Failure, Session, server_error, split_arguments
from dray.client.protocol import Selection

POLL_SECONDS = 0.05


async def apply(session: Session, files: Sequence[str], *, force: bool, manager: str, dry_run: bool) -> None:
    failures: list[str] = []
    for obj in read_manifests(files):
        try:
            await _apply_one(session, obj, force=force, manager=manager, dry_run=dry_run)
        except errors.StatusError as error:
            failures.append(
                _conflict_text(error) if isinstance(error, errors.Conflict) else server_error(error)
            )
    for failure in failures:
        click.echo(failure, err=True)
    if failures:
        raise Failure("", 1)


async def _apply_one(session: Session, obj: Object, *, force: bool, manager: str, dry_run: bool) -> None:
    served = (await session.discovery()).find_kind(obj["apiVersion"], obj["kind"])
    namespace = _namespace_of(session, served, obj)
    name = (obj.get("metadata") or {}).get("name")
    if not name:
        raise Failure("error: resource name may not be empty")
    query = {"fieldManager": manager, "fieldValidation": "Strict", "force": str(force).lower()}
    if dry_run:
        query["dryRun"] = "All"
    path = served.resource.path(namespace, name)
    await session.client.request(
        "PATCH", path, body=obj, query=query, content_type="application/apply-patch+yaml"
    )
    click.echo(f"{served.display}/{name} serverside-applied{' (server dry run)' if dry_run else ''}")


def _namespace_of(session: Session, served: Served, obj: Object) -> str:
    if not served.resource.namespaced:
        return ""
    own = str((obj.get("metadata") or {}).get("namespace") or "")
    if own and session.is_namespace_given and own != session.namespace:
        raise Failure(
            f'error: the namespace from the provided object "{own}" does not match the namespace "{session.namespace}". '
            f"You must pass '--namespace={own}' to perform this operation."
        )
    return own or session.namespace


def _conflict_text(error: errors.Conflict) -> str:
    return (
        f"error: {error.message}\n"
        "Please review the fields above--they currently have other managers. Here\n"
        "are the ways you can resolve this warning:\n"
        "* If you intend to manage all of these fields, please re-run the apply\n"
        "  command with the `--force-conflicts` flag.\n"
        "* If you do not intend to manage all of the fields, please edit your\n"
        "  manifest to remove references to the fields that should keep their\n"
        "  current managers.\n"
        "* You may co-own fields by updating your manifest to match the existing\n"
        "  value; in this case, you'll become the manager if the other manager(s)\n"
        "  stop managing the field (remove it from their configuration).\n"
        "See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts"
    )


async def create_namespace(session: Session, name: str) -> None:
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await session.client.request(
        "POST", NAMESPACES.path(), body=obj, query={"fieldManager": "kubectl-create"}
    )
    click.echo(f"namespace/{name} created")


async def create_from_files(session: Session, files: Sequence[str]) -> None:
    for obj in read_manifests(files):
        served = (await session.discovery()).find_kind(obj["apiVersion"], obj["kind"])
        path = served.resource.path(_namespace_of(session, served, obj))
        query = {"fieldManager": "kubectl-create", "fieldValidation": "Strict"}
        created = await session.client.request("POST", path, body=obj, query=query)
        click.echo(f"{served.display}/{created['metadata']['name']} created")


async def delete(
    session: Session,
    words: tuple[str, ...],
    files: Sequence[str],
    *,
    selector: str,
    every: bool,
    wait: bool,
    force: bool,
    grace_period: int | None,
    ignore_not_found: bool,
) -> None:
    targets = await _deletion_targets(session, words, files, selector, every)
    failed = False
    waits: list[tuple[Served, str, str, str]] = []
    for served, namespace, name in targets:
        try:
            uid = await _delete_one(session, served, namespace, name, force=force, grace_period=grace_period)
        except errors.NotFound as error:
            if not ignore_not_found:
                click.echo(server_error(error), err=True)
                failed = True
            continue
        waits.append((served, namespace, name, uid))
    if wait and not force:
        await asyncio.gather(*(_wait_gone(session, *target) for target in waits))
    if not targets and not words and not files:
        raise Failure("error: You must provide one or more resources by argument or filename.")
    if not targets:
        click.echo("No resources found", err=True)
    if failed:
        raise Failure("", 1)


async def _deletion_targets(
    session: Session, words: tuple[str, ...], files: Sequence[str], selector: str, every: bool
) -> list[tuple[Served, str, str]]:
    if files:
        discovery = await session.discovery()
        found = [(discovery.find_kind(obj["apiVersion"], obj["kind"]), obj) for obj in read_manifests(files)]
        return [
            (served, _namespace_of(session, served, obj), obj["metadata"]["name"]) for served, obj in found
        ]
    targets: list[tuple[Served, str, str]] = []
    for kind, name in split_arguments(words):
        served = await session.find(kind)
        namespace = session.namespace if served.resource.namespaced else ""
        if name:
            targets.append((served, namespace, name))
        elif every or selector:
            selected = await session.client.list(served.resource, Selection(namespace, selector))
            targets += [(served, namespace, obj["metadata"]["name"]) for obj in selected.items]
        else:
            raise Failure("error: resource(s) were provided, but no name was specified")
    return targets


async def _delete_one(
    session: Session, served: Served, namespace: str, name: str, *, force: bool, grace_period: int | None
) -> str:
    options: Object = {"propagationPolicy": "Background"}
    if force:
        options["gracePeriodSeconds"] = 0
    elif grace_period is not None and grace_period >= 0:
        options["gracePeriodSeconds"] = grace_period
    if force:
        click.echo(
            "Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. "
            "The resource may continue to run on the cluster indefinitely.",
            err=True,
        )
    answer = await session.client.request("DELETE", served.resource.path(namespace, name), body=options)
    click.echo(f'{served.display} "{name}" {"force deleted" if force else "deleted"}')
    meta = answer.get("metadata") or {}
    return str(meta.get("uid") or (answer.get("details") or {}).get("uid") or "")


async def _wait_gone(session: Session, served: Served, namespace: str, name: str, uid: str) -> None:
    delay = POLL_SECONDS
    while True:
        try:
            obj = await session.client.get(served.resource, name, namespace)
        except errors.NotFound:
            return
        if uid and obj["metadata"].get("uid") != uid:
            return
        await asyncio.sleep(delay)
        delay = min(delay * 1.5, 0.5)
