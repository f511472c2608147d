"""Which writes a policy is about: rules, selectors, versions and match conditions."""

from typing import Any

import pytest

from dray.api import errors
from dray.api.resources import (
    CONFIG_MAPS,
    NAMESPACES,
    RESOURCE_CLAIMS,
)
from tests.unit.apiserver.admission.cluster import (
    MAPS,
    NEVER,
    Cluster,
    claim,
    denied,
    rule,
)


@pytest.mark.parametrize(
    ("match", "matches"),
    [
        ({"resourceRules": [{**MAPS, "operations": ["UPDATE", "DELETE"]}]}, False),
        ({"resourceRules": [{**MAPS, "operations": ["*"]}]}, True),
        ({"resourceRules": [{**MAPS, "apiGroups": ["apps"]}]}, False),
        ({"resourceRules": [{**MAPS, "resources": ["*"]}]}, True),
        ({"resourceRules": [{**MAPS, "resources": ["configmaps/*"]}]}, True),
        ({"resourceRules": [{**MAPS, "resources": ["*/status"]}]}, False),
        ({"resourceRules": [{**MAPS, "scope": "Cluster"}]}, False),
        ({"resourceRules": [{**MAPS, "scope": "Namespaced"}]}, True),
        ({"resourceRules": [{**MAPS, "resourceNames": ["other"]}]}, False),
        ({"resourceRules": [{**MAPS, "resourceNames": ["m"]}]}, True),
        ({"excludeResourceRules": [{**MAPS, "resourceNames": ["m"]}]}, False),
        ({"excludeResourceRules": [{**MAPS, "operations": ["UPDATE"]}]}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "a"}}}, True),
        ({"namespaceSelector": {"matchLabels": {"team": "b"}}}, False),
        ({"objectSelector": {"matchLabels": {"strict": "yes"}}}, True),
        ({"objectSelector": {"matchExpressions": [{"key": "strict", "operator": "DoesNotExist"}]}}, False),
    ],
)
async def test_which_writes_are_meant(cluster: Cluster, match: Any, matches: bool) -> None:
    await cluster.policy(match=match, validations=NEVER)
    writing = cluster.write(labels={"strict": "yes"})
    if matches:
        with pytest.raises(errors.StatusError):
            await writing
    else:
        await writing


async def test_a_binding_narrows_what_its_policy_is_about(cluster: Cluster) -> None:
    narrow = {"matchResources": {"objectSelector": {"matchLabels": {"strict": "yes"}}}}
    await cluster.policy(bind=narrow, validations=NEVER)
    await cluster.write()
    await cluster.refusal(lambda: cluster.write("other", labels={"strict": "yes"}))


async def test_removing_a_label_does_not_escape_the_object_selector(cluster: Cluster) -> None:
    await cluster.write(labels={"strict": "yes"})
    await cluster.policy(match={"objectSelector": {"matchLabels": {"strict": "yes"}}}, validations=NEVER)
    patch = {"metadata": {"labels": {"strict": None}}}
    await cluster.refusal(lambda: cluster.client.patch(CONFIG_MAPS, "m", patch, "default"))


async def test_a_namespace_is_judged_by_the_labels_it_will_have(cluster: Cluster) -> None:
    namespaces = {**MAPS, "resources": ["namespaces"], "scope": "Cluster"}
    selector = {"matchLabels": {"closed": "yes"}}
    await cluster.policy(
        match={"resourceRules": [namespaces], "namespaceSelector": selector},
        validations=[rule("request.namespace != object.metadata.name")],
    )
    closed = {"metadata": {"name": "n", "labels": {"closed": "yes"}}}
    await cluster.refusal(lambda: cluster.client.create(NAMESPACES, closed))
    await cluster.client.create(NAMESPACES, {"metadata": {"name": "open"}})


@pytest.mark.parametrize("policy", ["Equivalent", "Exact"])
async def test_a_rule_about_another_version_sees_the_object_in_that_version(
    cluster: Cluster, policy: str
) -> None:
    claims = {
        "apiGroups": ["resource.k8s.io"],
        "apiVersions": ["v1beta1"],
        "operations": ["CREATE"],
        "resources": ["resourceclaims"],
    }
    await cluster.policy(
        match={"resourceRules": [claims], "matchPolicy": policy},
        validations=[
            rule(
                "false",
                messageExpression="object.apiVersion + ' ' + object.spec.devices.requests[0].deviceClassName + ' ' "
                "+ request.kind.version + ' ' + request.requestKind.version",
            )
        ],
    )
    if policy == "Exact":
        await cluster.client.create(RESOURCE_CLAIMS, claim(), "default")
        return
    refused = await cluster.refusal(lambda: cluster.client.create(RESOURCE_CLAIMS, claim(), "default"))
    assert str(refused).endswith("denied request: resource.k8s.io/v1beta1 gpu.example.com v1beta1 v1")


async def test_match_conditions_leave_writes_out(cluster: Cluster) -> None:
    conditions = [{"name": "by-jane", "expression": "request.userInfo.username == 'jane'"}]
    await cluster.policy(matchConditions=conditions, validations=NEVER)
    await cluster.write()


async def test_one_false_condition_decides_before_one_that_fails(cluster: Cluster) -> None:
    conditions = [
        {"name": "fails", "expression": "object.data.absent == ''"},
        {"name": "is-false", "expression": "false"},
    ]
    await cluster.policy(matchConditions=conditions, validations=NEVER)
    await cluster.write(data={"a": "b"})


async def test_a_condition_that_fails_refuses(cluster: Cluster) -> None:
    conditions = [{"name": "fails", "expression": "object.data.absent == ''"}]
    await cluster.policy(matchConditions=conditions, validations=[rule("true")])
    refused = await cluster.refusal(lambda: cluster.write(data={"a": "b"}))
    assert str(refused) == denied(
        "expression 'object.data.absent == ''' resulted in error: no such key: absent"
    )
