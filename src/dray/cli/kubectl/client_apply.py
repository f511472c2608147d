"""`kubectl apply` without --server-side: the patch is worked out here, from the manifest as it was applied last.

That one is kept in an annotation of the object, as kubectl keeps it, so either may go on where the other was.
"""

import json

import click

from dray.api import errors
from dray.api.meta import Object
from dray.api.patch.three_way import three_way_patch
from dray.api.schema.registry import schema_for
from dray.cli.kubectl.describe import LAST_APPLIED
from dray.cli.kubectl.dry_run import dry_query, dry_words
from dray.cli.kubectl.manifests import Manifest
from dray.cli.kubectl.naming import Served
from dray.cli.kubectl.session import Failure, Session, server_error
from dray.cli.kubectl.targets import namespace_of_manifest, served_manifest
from dray.kits import go_json

MANAGER = "kubectl-client-side-apply"
STRATEGIC = "application/strategic-merge-patch+json"


async def apply_here(session: Session, manifest: Manifest, dry_run: str) -> None:
    """Raises Failure for what the server refuses, in kubectl's words."""
    served = await served_manifest(session, manifest)
    namespace = namespace_of_manifest(session, served, manifest.object)
    wanted = _with_annotation(manifest.object, namespace)
    name = wanted["metadata"].get("name")
    if not name:
        raise Failure(
            f"error: {_retrieving(served, '', namespace, manifest.source)}resource name may not be empty"
        )
    path = served.resource.path(namespace, name)
    try:
        live = await session.client.request("GET", path)
    except errors.NotFound:
        done = await _create(session, served, namespace, wanted, manifest.source, dry_run)
    except errors.StatusError as error:
        doing = _retrieving(served, name, namespace, manifest.source)
        raise Failure(server_error(error, doing)) from error
    else:
        done = await _patch(session, served, wanted, live, manifest.source, dry_run)
    click.echo(f"{served.display}/{name} {done}{dry_words(dry_run)}")


def _retrieving(served: Served, name: str, namespace: str, source: str) -> str:
    resource = served.resource
    version = resource.api_version if resource.group else f"/{resource.version}"
    return (
        "error when retrieving current configuration of:\n"
        f'Resource: "{version}, Resource={resource.plural}", GroupVersionKind: "{version}, Kind={resource.kind}"\n'
        f'Name: "{name}", Namespace: "{namespace}"\nfrom server for: "{source}": '
    )


def _with_annotation(obj: Object, namespace: str) -> Object:
    """The manifest as it is to be stored: in its namespace, and with itself in an annotation."""
    meta = {**(obj.get("metadata") or {}), **({"namespace": namespace} if namespace else {})}
    annotations = {
        key: value for key, value in (meta.get("annotations") or {}).items() if key != LAST_APPLIED
    }
    bare = {**obj, "metadata": {**meta, "annotations": annotations}}
    text = go_json.encode_text(bare, is_sorted=True) + "\n"
    return {**bare, "metadata": {**bare["metadata"], "annotations": {**annotations, LAST_APPLIED: text}}}


def _query(dry_run: str) -> dict[str, str]:
    return {"fieldManager": MANAGER, "fieldValidation": "Strict", **dry_query(dry_run)}


async def _create(
    session: Session, served: Served, namespace: str, wanted: Object, source: str, dry_run: str
) -> str:
    if dry_run != "client":
        path = served.resource.path(namespace)
        try:
            await session.client.request("POST", path, body=wanted, query=_query(dry_run))
        except errors.StatusError as error:
            raise Failure(server_error(error, f'error when creating "{source}": ')) from error
    return "created"


async def _patch(
    session: Session, served: Served, wanted: Object, live: Object, source: str, dry_run: str
) -> str:
    resource = served.resource
    name, namespace = live["metadata"]["name"], live["metadata"].get("namespace", "")
    kept = (live["metadata"].get("annotations") or {}).get(LAST_APPLIED)
    if kept is None:
        click.echo(
            f"Warning: resource {resource.plural}/{name} is missing the {LAST_APPLIED} annotation which is required by "
            "kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl "
            "create --save-config or kubectl apply. The missing annotation will be patched automatically.",
            err=True,
        )
    before = json.loads(kept) if kept else {}
    patch = three_way_patch(before, wanted, live, schema_for(resource.api_version, resource.kind))
    if not patch:
        return "unchanged"
    if dry_run == "client":
        return "configured"
    path, query = resource.path(namespace, name), _query(dry_run)
    try:
        await session.client.request("PATCH", path, body=patch, query=query, content_type=STRATEGIC)
    except errors.StatusError as error:
        version = resource.api_version if resource.group else f"/{resource.version}"
        doing = (
            f"error when applying patch:\n{go_json.encode_text(patch, is_sorted=True)}\nto:\n"
            f'Resource: "{version}, Resource={resource.plural}", GroupVersionKind: "{version}, Kind={resource.kind}"\n'
            f'Name: "{name}", Namespace: "{namespace}"\nfor: "{source}": error when patching "{source}": '
        )
        raise Failure(server_error(error, doing)) from error
    return "configured"
