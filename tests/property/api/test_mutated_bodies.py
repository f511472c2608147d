"""Bodies that were right once and were changed at random: read or refused, in little time, and never a failure.

The seed is fixed. `DRAY_MUTATIONS=200000 pytest tests/property/api/test_mutated_bodies.py` looks for longer.
"""

import asyncio
import os
import random
import time
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from tests.property.api.mutation import changed_bytes, changed_tree, written

from dray.api import errors
from dray.apiserver.access import ADMIN
from dray.apiserver.admission.chain import default_admission
from dray.apiserver.authorization.chain import AuthorizerChain
from dray.apiserver.bootstrap import bootstrap
from dray.apiserver.core import Call, Core, WriteOptions
from dray.apiserver.http.body import READERS, configuration
from dray.apiserver.http.negotiation import JSON, PROTOBUF, YAML
from dray.apiserver.local import LocalClient
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.structure import structured, to_hub
from dray.apiserver.type_name import type_name
from dray.apiserver.verbs.create import create
from dray.apiserver.verbs.patch import apply, patch, read_patch
from dray.client.protocol import PatchType
from dray.store.memory import MemoryStore
from dray.testing.go_bodies import encode_object

MUTATIONS = int(os.environ.get("DRAY_MUTATIONS", "600"))
LONGEST_SECONDS = 2.0
CLAIM = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceClaim",
    "metadata": {"name": "c", "namespace": "default", "labels": {"a": "b"}, "annotations": {"x": "y"}},
    "spec": {
        "devices": {
            "requests": [
                {
                    "name": "g",
                    "exactly": {
                        "deviceClassName": "x",
                        "count": 2,
                        "allocationMode": "ExactCount",
                        "selectors": [{"cel": {"expression": 'device.driver == "a.b"'}}],
                        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoSchedule"}],
                        "capacity": {"requests": {"memory": "1Gi"}},
                    },
                },
                {"name": "h", "firstAvailable": [{"name": "i", "deviceClassName": "x"}]},
            ],
            "constraints": [{"requests": ["g"], "matchAttribute": "a.b/c"}],
            "config": [
                {"requests": ["g"], "opaque": {"driver": "a.b", "parameters": {"a": [1, {"b": "c"}]}}}
            ],
        }
    },
}
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "p",
        "namespace": "default",
        "finalizers": ["a/b"],
        "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": "n", "uid": "1"}],
    },
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "i",
                "env": [{"name": "A", "value": "b"}],
                "ports": [{"containerPort": 80, "name": "http"}],
                "resources": {"limits": {"cpu": "1"}, "claims": [{"name": "g"}]},
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
                "livenessProbe": {"httpGet": {"path": "/", "port": "http"}},
            }
        ],
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}],
        "resourceClaims": [{"name": "g", "resourceClaimName": "c"}],
        "tolerations": [{"key": "k", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 3}],
        "nodeSelector": {"a": "b"},
        "terminationGracePeriodSeconds": 5,
    },
}
SLICE = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceSlice",
    "metadata": {"name": "s"},
    "spec": {
        "driver": "a.b",
        "nodeName": "n",
        "pool": {"name": "n", "generation": 1, "resourceSliceCount": 1},
        "devices": [
            {
                "name": "d",
                "attributes": {"m": {"string": "x"}, "v": {"version": "1.0.0"}, "n": {"int": 1}},
                "capacity": {"memory": {"value": "1Gi"}},
                "taints": [{"key": "k", "effect": "NoExecute"}],
            }
        ],
    },
}
POLICY = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "v"},
    "spec": {
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
            ]
        },
        "validations": [{"expression": "object.metadata.name.startsWith('a')", "message": "no"}],
    },
}
OBJECTS = (CLAIM, POD, SLICE, POLICY)
PATCHES: dict[PatchType, Any] = {
    PatchType.JSON: [
        {"op": "add", "path": "/metadata/labels", "value": {"c": "d"}},
        {"op": "replace", "path": "/spec/containers/0/image", "value": "j"},
        {"op": "copy", "from": "/metadata/name", "path": "/metadata/labels/e"},
        {"op": "move", "from": "/metadata/labels/e", "path": "/metadata/labels/f"},
        {"op": "test", "path": "/spec/containers/0/name", "value": "c"},
        {"op": "remove", "path": "/metadata/labels/f"},
    ],
    PatchType.MERGE: {"metadata": {"labels": {"a": None, "c": "d"}}, "spec": {"tolerations": [{"key": "l"}]}},
    PatchType.STRATEGIC: {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["a/b"]},
        "spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "d"}],
            "containers": [{"name": "c", "image": "k"}, {"name": "d", "image": "l"}],
            "volumes": [{"name": "v", "$patch": "delete"}],
            "$retainKeys": ["containers", "volumes"],
        },
    },
}


class Server:
    """Verbs without a wire, on a server whose objects no test changes."""

    def __init__(self) -> None:
        store = MemoryStore()
        authorizer = AuthorizerChain(store)
        self.core = Core(
            store, catalog(), authorizer=authorizer, admission=default_admission(authorizer.rbac)
        )

    async def fill(self) -> None:
        client = LocalClient(self.core)
        await bootstrap(self.core, client)
        await client.create(
            self.core.kinds.find("", "v1", "serviceaccounts").resource,  # type: ignore[union-attr]
            {"metadata": {"name": "default"}},
            "default",
        )
        for obj in OBJECTS:
            await create(*self.created(orjson.loads(orjson.dumps(obj)), dry_run=False))

    def call(self, obj: Any, verb: str, name: str = "", *, dry_run: bool = True, strict: bool = True) -> Call:
        kind = next(each for each in self.core.kinds.kinds if each.resource.kind == obj["kind"])
        options = WriteOptions(dry_run, "test", "Strict" if strict else "Warn")
        namespace = "default" if kind.resource.namespaced else ""
        return Call(self.core, ADMIN, verb, kind, kind.resource.version, namespace, name, options=options)

    def created(self, obj: Any, *, dry_run: bool) -> tuple[Call, Any]:
        call = self.call(obj, "create", dry_run=dry_run)
        read = structured(READERS[JSON](orjson.dumps(obj), ""), type_name(call.kind, call.version))
        return call, to_hub(call.kind, read, call.version)

    async def post(self, obj: Any, data: bytes, content_type: str, *, strict: bool) -> None:
        call = self.call(obj, "create", strict=strict)
        body = READERS[content_type](data, obj["kind"])
        wanted = type_name(call.kind, call.version)
        read = structured(body, wanted, call.options.field_validation, call.warnings)
        await create(call, to_hub(call.kind, read, call.version), sent=body.tree)

    async def patched(self, obj: Any, kind_of_patch: PatchType, data: bytes, *, strict: bool) -> None:
        call = self.call(obj, "patch", obj["metadata"]["name"], strict=strict)
        await patch(call, kind_of_patch, read_patch(data))

    async def applied(self, obj: Any, data: bytes) -> None:
        await apply(self.call(obj, "patch", obj["metadata"]["name"]), configuration(data))


@pytest.fixture(scope="module")
def run() -> Any:
    loop = asyncio.new_event_loop()
    server = Server()
    loop.run_until_complete(server.fill())
    yield lambda work: loop.run_until_complete(_judged(work(server)))
    loop.close()


async def _judged(work: Any) -> None:
    """Anything but success or a StatusError is a failure, as is taking long."""
    start = time.process_time()
    refusal = None
    try:
        await work
    except errors.StatusError as error:
        refusal = error
    assert time.process_time() - start < LONGEST_SECONDS
    if refusal is not None:
        assert refusal.status_code != 500 or "Internal error" not in refusal.message
        orjson.dumps(refusal.status)


def _packed(obj: Any) -> bytes:
    return encode_object({**obj})


def _yaml(obj: Any) -> bytes:
    from dray.api.schema.go_yaml import to_yaml

    return to_yaml(obj)


FORMS: dict[str, Callable[[Any], bytes]] = {JSON: written, YAML: _yaml, PROTOBUF: _packed}


@pytest.mark.parametrize("content_type", FORMS)
def test_changed_bytes_of_objects(run: Any, content_type: str) -> None:
    source = random.Random(1)
    bodies = [(obj, FORMS[content_type](obj)) for obj in OBJECTS]
    for number in range(MUTATIONS):
        obj, good = source.choice(bodies)
        data = changed_bytes(good, source)
        run(lambda server: server.post(obj, data, content_type, strict=number % 2 == 0))  # noqa: B023  run at once


@pytest.mark.parametrize("content_type", [JSON, YAML])
def test_changed_members_of_objects(run: Any, content_type: str) -> None:
    source = random.Random(2)
    for number in range(MUTATIONS):
        obj = source.choice(OBJECTS)
        data = written(changed_tree(obj, source))
        run(lambda server: server.post(obj, data, content_type, strict=number % 2 == 0))  # noqa: B023


@pytest.mark.parametrize("kind_of_patch", PATCHES)
def test_changed_patches(run: Any, kind_of_patch: PatchType) -> None:
    source = random.Random(3)
    good = PATCHES[kind_of_patch]
    for number in range(MUTATIONS):
        data = written(changed_tree(good, source))
        if number % 3 == 0:
            data = changed_bytes(data, source)
        obj = source.choice(OBJECTS)
        run(lambda server: server.patched(obj, kind_of_patch, data, strict=number % 2 == 0))  # noqa: B023


def test_changed_configurations(run: Any) -> None:
    source = random.Random(4)
    for _ in range(MUTATIONS):
        obj = source.choice(OBJECTS)
        data = written(changed_tree(obj, source))
        run(lambda server: server.applied(obj, data))  # noqa: B023
