"""MutatingAdmissionPolicies: which are taken, and what they make of what is written, as kube-apiserver 1.36.2 answered.

`mutating-policies.jsonl` has policies and bindings with the answer to their creation. `mutations.jsonl` has policies with
their bindings, which are about objects with a label of the case alone, an object that was created (dry run), and the answer
without what differs from run to run. The order of policies is left open there, so that no case depends on it.
"""

import json
import pathlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from dray.api.meta import Object
from dray.api.resources import (
    CONFIG_MAPS,
    MUTATING_ADMISSION_POLICIES,
    MUTATING_ADMISSION_POLICY_BINDINGS,
    MUTATING_WEBHOOK_CONFIGURATIONS,
    PODS,
    RESOURCE_CLAIMS,
    SERVICE_ACCOUNTS,
)
from dray.apiserver.registry.catalog import catalog
from dray.testing.scenario_server import scenario_server
from tests.unit.apiserver.admission.cluster import ALL_WRITES, MAPS, Cluster, claim
from tests.unit.apiserver.admission.conftest import Hook, patch_of

CORPUS = pathlib.Path(__file__).parents[3] / "corpus" / "admission"
COLLECTIONS = {
    resource.kind: f"/apis/{resource.api_version}/{resource.plural}"
    for resource in (MUTATING_ADMISSION_POLICIES, MUTATING_ADMISSION_POLICY_BINDINGS)
}
VARYING = {"uid", "creationTimestamp", "managedFields", "resourceVersion", "volumes", "volumeMounts"}


def recorded(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (CORPUS / f"{name}.jsonl").read_text().splitlines()]


def lasting(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: lasting(item) for key, item in value.items() if key not in VARYING}
    return [lasting(item) for item in value] if isinstance(value, list) else value


class Client:
    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session, self._url = session, url

    async def create(self, path: str, obj: Object, *, dry_run: bool = True) -> tuple[int, Object]:
        url = f"{self._url}{path}{'?dryRun=All' if dry_run else ''}"
        async with self._session.post(url, json=obj) as answer:
            return answer.status, await answer.json(content_type=None)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with scenario_server() as (url, tokens):
        headers = {"Authorization": f"Bearer {tokens['admin']}"}
        async with aiohttp.ClientSession(headers=headers) as session:
            client = Client(session, url)
            # An ordinary account, for the pods.
            account = "/api/v1/namespaces/default/serviceaccounts"
            await client.create("/api/v1/namespaces", {"metadata": {"name": "default"}}, dry_run=False)
            await client.create(account, {"metadata": {"name": "default"}}, dry_run=False)
            yield client


async def test_policies_are_taken_and_refused_as_recorded(client: Client) -> None:
    cases = recorded("mutating-policies")
    wrong = {}
    for case in cases:
        code, answer = await client.create(COLLECTIONS[case["object"]["kind"]], case["object"])
        found = (code, answer.get("message", ""), answer.get("spec"))
        if found != (case["code"], case["message"], case["spec"]):
            wrong[case["case"]] = found
    assert wrong == {}
    assert len(cases) == 76


async def test_objects_are_changed_and_refused_as_recorded(client: Client) -> None:
    cases = recorded("mutations")
    for obj in (each for case in cases for each in case["policies"]):
        code, answer = await client.create(COLLECTIONS[obj["kind"]], obj, dry_run=False)
        assert code == 201, answer
    wrong = {}
    for case in cases:
        code, answer = await client.create(case["path"], case["object"])
        if (code, lasting(answer)) != (case["code"], lasting(case["answer"])):
            wrong[case["case"]] = (code, lasting(answer))
    assert wrong == {}
    assert len(cases) == 110


def configuration(expression: str) -> Object:
    return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}


def operations(expression: str) -> Object:
    return {"patchType": "JSONPatch", "jsonPatch": {"expression": expression}}


async def mutate(cluster: Cluster, name: str, *mutations: Object, rule: Any = None, **spec: Any) -> None:
    """A policy about configmaps, and its binding."""
    whole = {
        "matchConstraints": {"resourceRules": [rule or MAPS]},
        "mutations": list(mutations),
        "reinvocationPolicy": "Never",
        **spec,
    }
    await cluster.client.create(MUTATING_ADMISSION_POLICIES, {"metadata": {"name": name}, "spec": whole})
    binding = {"metadata": {"name": name}, "spec": {"policyName": name}}
    await cluster.client.create(MUTATING_ADMISSION_POLICY_BINDINGS, binding)


LOG = 'Object{{data: {{"log": (has(object.data.log) ? object.data.log : "") + "{}"}}}}'


async def test_policies_are_applied_by_name_each_to_what_those_before_it_made(cluster: Cluster) -> None:
    await mutate(cluster, "b", configuration(LOG.format("b")))
    await mutate(cluster, "a", configuration(LOG.format("a")), configuration(LOG.format("A")))
    assert (await cluster.write(data={"k": "v"}))["data"]["log"] == "aAb"


async def test_policy_that_asks_for_it_sees_once_more_what_came_after_it(cluster: Cluster) -> None:
    await mutate(cluster, "a", configuration(LOG.format("a")), reinvocationPolicy="IfNeeded")
    await mutate(cluster, "b", configuration(LOG.format("b")))
    assert (await cluster.write(data={"k": "v"}))["data"]["log"] == "aba"


async def test_webhooks_see_what_policies_made_and_policies_what_webhooks_changed(
    cluster: Cluster, hook: Hook
) -> None:
    seen: list[str] = []

    def reply(request: Any) -> Object:
        seen.append(request["object"]["data"]["log"])
        return patch_of({"op": "add", "path": "/data/hook", "value": "was here"})

    hook.reply = reply
    await hook.register(cluster, MUTATING_WEBHOOK_CONFIGURATIONS)
    await mutate(
        cluster,
        "a",
        configuration('Object{data: {"log": has(object.data.hook) ? "after" : "before"}}'),
        reinvocationPolicy="IfNeeded",
    )
    made = await cluster.write(data={"k": "v"})
    assert made["data"] == {"k": "v", "log": "after", "hook": "was here"}
    assert seen == ["before"]


async def test_updates_are_changed_and_deletions_are_left_alone(cluster: Cluster) -> None:
    made = await cluster.write(data={"a": "1"})
    every = {**ALL_WRITES, "operations": ["CREATE", "UPDATE", "CONNECT"]}
    await mutate(cluster, "p", configuration('Object{data: {"op": request.operation}}'), rule=every)
    changed = await cluster.client.update(CONFIG_MAPS, made)
    assert changed["data"] == {"a": "1", "op": "UPDATE"}
    await cluster.client.delete(CONFIG_MAPS, "m", "default")


async def test_parts_of_an_object_may_stand_in_a_list_of_a_patch(cluster: Cluster) -> None:
    """At which 1.36.2 drops the connection."""
    pods = {**MAPS, "resources": ["pods"]}
    tolerations = '[Object.spec.tolerations{key: "a", operator: "Exists"}]'
    patch = f'[JSONPatch{{op: "add", path: "/spec/tolerations", value: {tolerations}}}]'
    await mutate(cluster, "p", operations(patch), rule=pods)
    await cluster.client.create(SERVICE_ACCOUNTS, {"metadata": {"name": "default"}}, "default")
    spec = {"containers": [{"name": "c", "image": "i"}]}
    made = await cluster.client.create(PODS, {"metadata": {"name": "p"}, "spec": spec}, "default")
    assert {"key": "a", "operator": "Exists"} in made["spec"]["tolerations"]


async def test_values_without_a_form_in_json_are_never_stored(cluster: Cluster) -> None:
    parameters = 'Object.spec.devices.config.opaque.parameters{when: timestamp("2026-01-01T00:00:00Z")}'
    opaque = f'Object.spec.devices.config.opaque{{driver: "d.example.com", parameters: {parameters}}}'
    expression = f"Object{{spec: Object.spec{{devices: Object.spec.devices{{config: [Object.spec.devices.config{{opaque: {opaque}}}]}}}}}}"
    claims = {**MAPS, "apiGroups": ["resource.k8s.io"], "resources": ["resourceclaims"]}
    await mutate(cluster, "p", configuration(expression), rule=claims)
    refused = await cluster.refusal(lambda: cluster.client.create(RESOURCE_CLAIMS, claim(), "default"))
    assert str(refused).endswith("there is a value that has no form in JSON")


async def test_opaque_parameters_are_changed_as_a_whole_only(cluster: Cluster) -> None:
    part = "Object.spec.devices.config"
    opaque = f'{part}.opaque{{driver: "d.example.com", parameters: {part}.opaque.parameters{{a: 1}}}}'
    expression = (
        f"Object{{spec: Object.spec{{devices: Object.spec.devices{{config: [{part}{{opaque: {opaque}}}]}}}}}}"
    )
    claims = {**MAPS, "apiGroups": ["resource.k8s.io"], "resources": ["resourceclaims"]}
    await mutate(cluster, "p", configuration(expression), rule=claims)
    refused = await cluster.refusal(lambda: cluster.client.create(RESOURCE_CLAIMS, claim(), "default"))
    assert str(refused).endswith(": .spec.devices.config, .spec.devices.config[0].opaque.parameters")


async def test_policies_are_never_changed_by_policies(cluster: Cluster) -> None:
    await mutate(
        cluster,
        "p",
        configuration('Object{metadata: Object.metadata{labels: {"a": "b"}}}'),
        rule={**ALL_WRITES, "operations": ["CREATE"]},
    )
    other = {"metadata": {"name": "q"}, "spec": {"policyName": "none"}}
    made = await cluster.client.create(MUTATING_ADMISSION_POLICY_BINDINGS, other)
    assert "labels" not in made["metadata"]


def test_kinds_are_there_from_1_36_on() -> None:
    def served(release: str) -> list[str]:
        return [kind.resource.kind for kind in catalog(release) if kind.resource.kind in COLLECTIONS]

    assert (served("1.35"), served("1.36")) == ([], list(COLLECTIONS))


@pytest.mark.parametrize(
    "mutation",
    [
        configuration("Object{metadata: Object.metadata{generateName: string(1), name: 0.0/0.0}}"),
        configuration("Object{metadata: Object.metadata{name: 1.0/0.0}}"),
        configuration("Object{metadata: Object.metadata{finalizers: [null]}}"),
        configuration('Object{metadata: Object.metadata{finalizers: [b"x"]}}'),
        configuration('Object{metadata: Object.metadata{ownerReferences: [{"uid": duration("1s")}]}}'),
        configuration("([Object{}] + dyn([1]))[1]"),
        operations('[JSONPatch{op: "test", path: "/data"}] + dyn([1])'),
    ],
)
async def test_odd_values_are_faults_of_the_policy_which_may_ignore_them(
    cluster: Cluster, mutation: Object
) -> None:
    await mutate(cluster, "p", mutation)
    refused = await cluster.refusal(lambda: cluster.write("m", {"a": "1"}))
    assert refused.status_code == 403
    await cluster.client.delete(MUTATING_ADMISSION_POLICIES, "p")
    await cluster.client.delete(MUTATING_ADMISSION_POLICY_BINDINGS, "p")
    await mutate(cluster, "q", mutation, failurePolicy="Ignore")
    assert (await cluster.write("n", {"a": "1"}))["data"] == {"a": "1"}
