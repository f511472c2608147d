"""Fields of pods behind gates: left out while these are off, kept where they are in use."""

import copy

import pytest

from dray.api.features import FeatureGates
from dray.apiserver.registry.pod import POD

from .recorded import Context

DEVICE = {"resourceID": "d/p/x", "health": "Unhealthy", "message": "hot"}
HEALTH = [{"name": "claim:a", "resources": [DEVICE]}]
NODE_CLAIM = {"resourceClaimName": "x", "containers": ["c"], "resources": {"cpu": "1"}}


def pod(status=None, **spec):
    claims = [{"name": "a", "resourceClaimName": "x"}]
    container = {"name": "c", "image": "i", "resources": {"claims": [{"name": "a"}]}}
    return {
        "metadata": {"name": "p", "namespace": "ns"},
        "spec": {"containers": [container], "resourceClaims": claims, **spec},
        "status": {"qosClass": "BestEffort", **(status or {})},
    }


def written(status, features, stored=None):
    """What becomes of `status` when it is written to a pod that has `stored`."""
    old, new = pod(copy.deepcopy(stored or {})), pod(copy.deepcopy(status))
    POD.status.prepare_update(Context(features=features, old=old), new)
    return {key: value for key, value in new["status"].items() if key != "qosClass"}


@pytest.mark.parametrize(
    ("gate", "status", "left"),
    [
        ("DRAExtendedResource", {"extendedResourceClaimStatus": {"resourceClaimName": "x"}}, {}),
        ("DRANodeAllocatableResources", {"nodeAllocatableResourceClaimStatuses": [NODE_CLAIM]}, {}),
        (
            "ResourceHealthStatus",
            {"containerStatuses": [{"name": "c", "allocatedResourcesStatus": HEALTH}]},
            {"containerStatuses": [{"name": "c"}]},
        ),
        (
            "ResourceHealthStatusMessage",
            {"containerStatuses": [{"name": "c", "allocatedResourcesStatus": HEALTH}]},
            {
                "containerStatuses": [
                    {
                        "name": "c",
                        "allocatedResourcesStatus": [
                            {"name": "claim:a", "resources": [{"resourceID": "d/p/x", "health": "Unhealthy"}]}
                        ],
                    }
                ]
            },
        ),
    ],
)
def test_status_of_a_feature_that_is_off_is_left_out_unless_in_use(gate, status, left):
    off, on = FeatureGates({gate: False}), FeatureGates({gate: True})
    assert written(status, off) == left
    assert written(status, off, stored=status) == status
    assert written(status, on) == status


def test_pod_belongs_to_no_group_while_there_are_none():
    group = {"podGroupName": "g"}
    fresh = pod(schedulingGroup=group)
    POD.prepare_create(Context(), fresh)
    assert "schedulingGroup" not in fresh["spec"]
    update = pod(schedulingGroup=group)
    POD.prepare_update(Context(old=pod(schedulingGroup=group)), update)
    assert update["spec"]["schedulingGroup"] == group
    grouped = pod(schedulingGroup=group)
    POD.prepare_create(Context(features=FeatureGates({"GenericWorkload": True})), grouped)
    assert grouped["spec"]["schedulingGroup"] == group


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"resourceClaimName": "z"}, ['resourceClaimName: Invalid value: "z": no mapping found in pod reference']),
        ({"containers": []}, ["containers: Required value: must not be empty"]),
        (
            {"resources": {"example.com/x": "1", "memory": "-1"}},
            [
                'resources[example.com/x]: Invalid value: "example.com/x": must be a node allocatable resource name',
                'resources[memory]: Invalid value: "-1": must be non-negative',
            ],
        ),
    ],
)  # fmt: skip
def test_what_claims_take_of_the_node_is_of_claims_that_the_pod_has(changes, found):
    new = pod({"nodeAllocatableResourceClaimStatuses": [{**NODE_CLAIM, **changes}]})
    context = Context(features=FeatureGates({"DRANodeAllocatableResources": True}), old=pod())
    texts = [str(error) for error in POD.status.validate_update(context, new)]
    assert texts == [f"status.nodeAllocatableResourceClaimStatuses[0].{text}" for text in found]
