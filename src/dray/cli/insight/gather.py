"""Reading what an answer needs from an API server or from a snapshot file.

Only lists are made. A kind that may not be read is noted in the snapshot, so that the answer can say what it cannot
know; DRA's own kinds come as v1 whatever version the server speaks.
"""

import asyncio
import datetime as dt
import gzip
import pathlib
from collections.abc import Sequence
from typing import Any

import orjson

from dray.api import errors
from dray.api.meta import Object, name_of
from dray.api.resources import (
    DEVICE_TAINT_RULES,
    NODES,
    POD_GROUPS,
    POD_GROUPS_BETA,
    RESOURCE_SLICES,
    Resource,
)
from dray.cli.insight.kubelets import ask_kubelets, gates_in, read_metrics
from dray.client.config import load_config
from dray.client.http import HttpClient
from dray.client.protocol import Selection
from dray.client.versions import VersionedClient
from dray.insight import NoSnapshot, Snapshot, from_document, to_document

PAGE = 2000
OPTIONAL = (DEVICE_TAINT_RULES, POD_GROUPS, POD_GROUPS_BETA)
"""What most servers leave out: then there are none."""
_GZIP_MAGIC = b"\x1f\x8b"


async def gather(
    client: VersionedClient,
    resources: Sequence[Resource],
    namespaces: dict[str, str],
    *,
    kubelets: bool = False,
) -> Snapshot:
    """The objects of `resources`; `namespaces` limits some, by plural name, to one namespace.

    With `kubelets`, what the kubelets of the nodes tell of their drivers is asked through the API server.
    """
    # All in one, so that of many failures one is told.
    facts, *lists = await asyncio.gather(
        _server(client),
        *(_list(client, resource, namespaces.get(resource.plural, "")) for resource in resources),
    )
    objects: dict[str, Sequence[Object]] = {}
    unknown: dict[str, str] = {}
    for resource, (items, reason) in zip(resources, lists, strict=True):
        objects[resource.plural] = items
        if reason:
            unknown[resource.plural] = reason
    if kubelets:
        facts["kubelets"] = await ask_kubelets(
            client.inner, [name_of(node) for node in objects[NODES.plural]]
        )
    return Snapshot(dt.datetime.now(dt.UTC), objects, unknown, server=facts)


async def _list(client: VersionedClient, resource: Resource, namespace: str) -> tuple[list[Object], str]:
    """All objects of a kind, or why they cannot be read."""
    selection = Selection(namespace)
    try:
        return await _pages(client, resource, selection), ""
    except errors.Forbidden:
        verb = f"list {resource.qualified}"
        return [], f"you may not {verb}" + (f" in namespace {namespace}" if namespace else "")
    except errors.NotFound as error:
        if resource is POD_GROUPS:
            # What is asked of groups reads the same in either version.
            return await _list(client, POD_GROUPS_BETA, namespace)
        if resource is RESOURCE_SLICES:
            return [], error.message
        return [], "" if resource in OPTIONAL else "the API server does not serve them"


async def _pages(client: VersionedClient, resource: Resource, selection: Selection) -> list[Object]:
    found: list[Object] = []
    token = ""
    while True:
        page = await client.list(resource, selection, limit=PAGE, continue_token=token)
        found += page.items
        token = page.continue_token
        if not token:
            return found


async def _server(client: VersionedClient) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    try:
        facts["version"] = (await client.inner.request("GET", "/version")).get("gitVersion", "")
    except errors.StatusError:
        facts["version"] = ""
    try:
        group = await client.inner.request("GET", "/apis/resource.k8s.io")
        facts["resource"] = [entry["version"] for entry in group.get("versions") or ()]
    except errors.StatusError:
        facts["resource"] = []
    gates = await _gates(client)
    if gates is not None:
        facts["gates"] = gates
    return facts


async def _gates(client: VersionedClient) -> dict[str, bool] | None:
    """The feature gates that the API server tells in its metrics; None where these may not be read."""
    text, _ = await read_metrics(client.inner, "/metrics")
    return gates_in(text) or None


def connect(kubeconfig: str | None, context: str, user: str) -> VersionedClient:
    """Raises ConfigError."""
    import dataclasses

    config = load_config(kubeconfig, context=context)
    if user:
        config = dataclasses.replace(config, impersonate=user)
    # Warnings about old versions are for whoever writes manifests, not for whoever asks a question.
    return VersionedClient(HttpClient(config, user_agent="dray/insight", on_warning=lambda text: None))


def read_file(path: pathlib.Path) -> Snapshot:
    """A snapshot from a file, compressed or not. Raises NoSnapshot and OSError."""
    data = path.read_bytes()
    try:
        text = gzip.decompress(data) if data.startswith(_GZIP_MAGIC) else data
        document = orjson.loads(text)
    except (gzip.BadGzipFile, EOFError, orjson.JSONDecodeError) as error:
        raise NoSnapshot(f"{path} cannot be read as a snapshot: {error}") from error
    return from_document(document)


def write_file(path: pathlib.Path, snapshot: Snapshot) -> int:
    """Write compressed; the number of bytes."""
    data = gzip.compress(orjson.dumps(to_document(snapshot)), mtime=0)
    path.write_bytes(data)
    return len(data)
