"""`kubectl apply` and `create`."""

import dataclasses
from collections.abc import Sequence

import click

from dray.api import errors
from dray.api.resources import NAMESPACES
from dray.cli.kubectl.client_apply import apply_here
from dray.cli.kubectl.dry_run import dry_query, dry_words
from dray.cli.kubectl.failures import tell
from dray.cli.kubectl.manifests import Manifest, read_sources
from dray.cli.kubectl.session import Failure, Session, server_error
from dray.cli.kubectl.targets import namespace_of_manifest, served_manifest


@dataclasses.dataclass(frozen=True, slots=True)
class Applying:
    server_side: bool
    force_conflicts: bool
    field_manager: str
    dry_run: str
    recursive: bool = False


async def apply(session: Session, files: Sequence[str], options: Applying) -> None:
    """Everything in `files`; what fails is told at the end. Raises Failure then."""
    if options.server_side and options.dry_run == "client":
        raise Failure(
            "error: --dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)"
        )
    if options.force_conflicts and not options.server_side:
        raise Failure("error: --force-conflicts only works with --server-side")
    failures: list[str] = []
    for manifest in read_sources(files, recursive=options.recursive):
        try:
            _refuse_generated(manifest)
            if options.server_side:
                await _apply_one(session, manifest, options)
            else:
                await apply_here(session, manifest, options.dry_run)
        except Failure as refused:
            failures.append(str(refused))
        except errors.StatusError as error:
            is_conflict = isinstance(error, errors.Conflict)
            failures.append(_conflict_text(error) if is_conflict else server_error(error))
    for failure in failures:
        # kubectl says `error: ` before a failure of its own that is the only one.
        is_own = len(failures) == 1 and failure.startswith("Apply failed")
        click.echo(f"error: {failure}" if is_own else failure, err=True)
    if failures:
        raise Failure("")


def _refuse_generated(manifest: Manifest) -> None:
    meta = manifest.object.get("metadata") or {}
    if meta.get("generateName") and not meta.get("name"):
        raise Failure(f"error: from {meta['generateName']}: cannot use generate name with apply")


async def _apply_one(session: Session, manifest: Manifest, options: Applying) -> None:
    obj = manifest.object
    served = await served_manifest(session, manifest)
    namespace = namespace_of_manifest(session, served, obj)
    meta = obj.get("metadata") or {}
    name = meta.get("name")
    if namespace:
        obj = {**obj, "metadata": {**meta, "namespace": namespace}}
    if not name:
        raise Failure("error: resource name may not be empty")
    query = {
        "fieldManager": options.field_manager,
        "fieldValidation": "Strict",
        "force": str(options.force_conflicts).lower(),
        **dry_query(options.dry_run),
    }
    path = served.resource.path(namespace, name)
    await session.client.request(
        "PATCH", path, body=obj, query=query, content_type="application/apply-patch+yaml"
    )
    click.echo(f"{served.display}/{name} serverside-applied{dry_words(options.dry_run)}")


def _conflict_text(error: errors.StatusError) -> str:
    return (
        f"{error.message}\n"
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


async def create_namespace(session: Session, names: Sequence[str], dry_run: str) -> None:
    if len(names) != 1:
        raise Failure(
            f"error: exactly one NAME is required, got {len(names)}\n"
            "See 'kubectl create namespace -h' for help and examples"
        )
    [name] = names
    obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    if dry_run != "client":
        query = {"fieldManager": "kubectl-create", **dry_query(dry_run)}
        await session.client.request("POST", NAMESPACES.path(), body=obj, query=query)
    click.echo(f"namespace/{name} created{dry_words(dry_run)}")


async def create_from_files(session: Session, files: Sequence[str], dry_run: str) -> None:
    """Everything in `files`; what fails is told at the end. Raises Failure then."""
    failures: list[str] = []
    for manifest in read_sources(files):
        try:
            await _create_one(session, manifest, dry_run)
        except errors.StatusError as error:
            failures.append(server_error(error, f'error when creating "{manifest.source}": '))
    tell(failures)


async def _create_one(session: Session, manifest: Manifest, dry_run: str) -> None:
    obj = manifest.object
    served = await served_manifest(session, manifest)
    path = served.resource.path(namespace_of_manifest(session, served, obj))
    query = {"fieldManager": "kubectl-create", "fieldValidation": "Strict", **dry_query(dry_run)}
    created = obj
    if dry_run != "client":
        created = await session.client.request("POST", path, body=obj, query=query)
    click.echo(f"{served.display}/{created['metadata'].get('name', '')} created{dry_words(dry_run)}")
