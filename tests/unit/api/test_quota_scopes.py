"""Which pods and volume claims the scopes of a quota admit."""

from typing import Any

import pytest

from dray.api.quota_scopes import is_about
from dray.api.resources import PERSISTENT_VOLUME_CLAIMS, PODS, RESOURCE_CLAIMS, SERVICES

AMOUNTS = {"requests": {"memory": "1Gi"}}


def scoped(*scopes: str) -> dict[str, Any]:
    return {"spec": {"scopes": list(scopes)}}


def selecting(scope: str, operator: str, *values: str) -> dict[str, Any]:
    expression = {"scopeName": scope, "operator": operator, "values": list(values)}
    return {"spec": {"scopeSelector": {"matchExpressions": [expression]}}}


def pod(resources: Any = None, **spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "c", "resources": resources or {}}], **spec}}


def volume_claim(name: str = "", current: str = "", target: str = "") -> dict[str, Any]:
    status = {
        "currentVolumeAttributesClassName": current,
        "modifyVolumeStatus": {"targetVolumeAttributesClassName": target},
    }
    return {"spec": {"volumeAttributesClassName": name}, "status": status}


def elsewhere(kind: str, term: dict[str, Any]) -> dict[str, Any]:
    return {
        kind: {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": term}]}
    }


@pytest.mark.parametrize(
    ("quota", "obj", "expected"),
    [
        ({"spec": {}}, pod(), True),
        (scoped("Terminating"), pod(activeDeadlineSeconds=0), True),
        (scoped("Terminating"), pod(), False),
        (scoped("NotTerminating"), pod(), True),
        (scoped("BestEffort"), pod(), True),
        (scoped("BestEffort"), pod(AMOUNTS), False),
        (scoped("NotBestEffort"), pod(AMOUNTS), True),
        (scoped("NotBestEffort", "Terminating"), pod(AMOUNTS), False),
        (scoped("PriorityClass"), pod(priorityClassName="high"), True),
        (scoped("PriorityClass"), pod(), False),
        (scoped("CrossNamespacePodAffinity"), pod(), False),
        (scoped("CrossNamespacePodAffinity"), pod(affinity=elsewhere("podAffinity", {"topologyKey": "z"})), False),
        (
            scoped("CrossNamespacePodAffinity"),
            pod(affinity=elsewhere("podAntiAffinity", {"topologyKey": "z", "namespaceSelector": {}})),
            True,
        ),
        (selecting("PriorityClass", "In", "high", "low"), pod(priorityClassName="low"), True),
        (selecting("PriorityClass", "In", "high"), pod(), False),
        (selecting("PriorityClass", "NotIn", "high"), pod(priorityClassName="high"), False),
        (selecting("PriorityClass", "NotIn", "high"), pod(), True),
        (selecting("PriorityClass", "DoesNotExist"), pod(), True),
        (selecting("PriorityClass", "Exists"), pod(priorityClassName="x"), True),
        (selecting("VolumeAttributesClass", "Exists"), pod(), False),
    ],
)  # fmt: skip
def test_all_scopes_of_a_quota_must_hold_for_a_pod(quota, obj, expected) -> None:
    assert is_about(quota, PODS, obj) is expected


@pytest.mark.parametrize(
    ("quota", "claim", "expected"),
    [
        (selecting("VolumeAttributesClass", "In", "gold"), volume_claim("gold"), True),
        (selecting("VolumeAttributesClass", "In", "gold"), volume_claim("silver", current="gold"), True),
        (selecting("VolumeAttributesClass", "In", "gold"), volume_claim("silver", target="gold"), True),
        (selecting("VolumeAttributesClass", "In", "gold"), volume_claim(), False),
        (selecting("VolumeAttributesClass", "NotIn", "gold"), volume_claim("silver", current="gold"), True),
        (selecting("VolumeAttributesClass", "DoesNotExist"), volume_claim(), True),
        (scoped("VolumeAttributesClass"), volume_claim("silver"), True),
        (scoped("BestEffort"), volume_claim(), False),
    ],
)
def test_a_volume_claim_counts_for_each_class_that_it_has_or_had(quota, claim, expected) -> None:
    assert is_about(quota, PERSISTENT_VOLUME_CLAIMS, claim) is expected


@pytest.mark.parametrize("resource", [RESOURCE_CLAIMS, SERVICES])
def test_a_quota_with_scopes_is_never_about_other_things(resource) -> None:
    assert not is_about(selecting("PriorityClass", "DoesNotExist"), resource, {"spec": {}})
    assert is_about({"spec": {}}, resource, {"spec": {}})
