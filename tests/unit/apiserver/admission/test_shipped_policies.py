"""The policies that come with dray - manifests, charts, the project of a new driver - are accepted, and the types agree."""

import pathlib
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from dray.api.resources import (
    RESOURCE_SLICES,
    VALIDATING_ADMISSION_POLICIES,
    VALIDATING_ADMISSION_POLICY_BINDINGS,
)
from dray.apiserver.registry.kind import User
from dray.cel.admission.advice import expression_warnings
from tests.unit.apiserver.admission.cluster import Cluster

ROOT = pathlib.Path(__file__).parents[4]
FOLDERS = (ROOT / "deploy", ROOT / "src" / "dray" / "cli" / "driver" / "project")
KINDS = (VALIDATING_ADMISSION_POLICIES, VALIDATING_ADMISSION_POLICY_BINDINGS)


def shipped() -> Iterator[pathlib.Path]:
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and "kind: ValidatingAdmissionPolicy\n" in path.read_text():
                yield path


def objects(path: pathlib.Path) -> list[dict[str, Any]]:
    """What a template would be with "x" for every value."""
    text = re.sub(r"^\s*\{\{.*\}\}\s*$", "", path.read_text(), flags=re.MULTILINE)
    return list(yaml.safe_load_all(re.sub(r"\{\{.*?\}\}", "x", text)))


PATHS = list(shipped())


def test_there_are_some_to_look_at() -> None:
    assert {path.name for path in PATHS} >= {"driver.yaml", "resourceslices-policy.yaml", "policy.yaml.tmpl"}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: str(path.relative_to(ROOT)))
async def test_a_shipped_policy_keeps_a_driver_to_its_node(cluster: Cluster, path: pathlib.Path) -> None:
    by_kind = {resource.kind: resource for resource in KINDS}
    policies = [obj for obj in objects(path) if obj and obj["kind"] in by_kind]
    for obj in policies:
        await cluster.client.create(by_kind[obj["kind"]], obj)
    (policy,) = [obj for obj in policies if obj["kind"] == VALIDATING_ADMISSION_POLICIES.kind]
    assert expression_warnings(policy, lambda group, version, plural: "ResourceSlice") == []
    account = policy["spec"]["matchConditions"][0]["expression"].split('"')[1]
    extra = {"authentication.kubernetes.io/node-name": ("n1",)}
    driver = cluster.acting_as(User(account, ("system:masters",), extra=extra))
    await driver.create(RESOURCE_SLICES, _slice("n1"))
    refused = await cluster.refusal(lambda: driver.create(RESOURCE_SLICES, _slice("n2")))
    assert "the driver on node 'n1' may not touch slices of node 'n2'" in str(refused)
    nobody = cluster.acting_as(User(account, ("system:masters",), extra={"other": ("x",)}))
    await cluster.refusal(lambda: nobody.delete(RESOURCE_SLICES, "slice-n1"))


def _slice(node: str) -> dict[str, Any]:
    pool = {"name": node, "generation": 1, "resourceSliceCount": 1}
    spec = {"driver": "gpu.example.com", "pool": pool, "nodeName": node, "devices": [{"name": "gpu-0"}]}
    return {"metadata": {"name": f"slice-{node}"}, "spec": spec}
