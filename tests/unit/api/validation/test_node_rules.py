"""Rules of nodes and of what a node's update may change."""

import pytest

from dray.api.validation.core.node import validate_node, validate_node_update


@pytest.mark.parametrize(
    ("node", "found"),
    [
        (
            {"status": {"capacity": {"cpu": "-1", "example.com/gpu": "500m", "pods": "1500m", "memory": "1500m"}}},
            [
                'status.capacity.cpu: Invalid value: "-1": must be greater than or equal to 0',
                'status.capacity.example.com/gpu: Invalid value: "500m": must be an integer',
                'status.capacity.pods: Invalid value: "1500m": must be an integer',
            ],
        ),
        (
            {"spec": {"podCIDRs": ["10.0.0.0/24", "10.0.0.0/24"]}},
            [
                'spec.podCIDRs: Invalid value: ["10.0.0.0/24","10.0.0.0/24"]: may specify no more than one CIDR for '
                "each IP family",
                'spec.podCIDRs[1]: Duplicate value: "10.0.0.0/24"',
            ],
        ),
        ({"spec": {"podCIDRs": ["10.0.0.0/24", "fd00::/64"]}}, []),
        (
            {"spec": {"taints": [{"key": "k", "effect": "x"}]}},
            [
                'metadata.taints[0].effect: Unsupported value: "x": supported values: "NoSchedule", '
                '"PreferNoSchedule", "NoExecute"'
            ],
        ),
    ],
)  # fmt: skip
def test_node(node, found):
    assert [str(error) for error in validate_node(node)] == found


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        ({}, {"spec": {"podCIDRs": ["10.0.0.0/24"], "providerID": "p"}}, []),
        (
            {"spec": {"podCIDRs": ["10.0.0.0/24"], "providerID": "p"}},
            {"spec": {"podCIDRs": ["10.0.1.0/24"], "providerID": "q"}},
            [
                'spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid',
                'spec.providerID: Forbidden: node updates may not change providerID except from "" to valid',
            ],
        ),
        (
            {},
            {"status": {"addresses": 2 * [{"type": "InternalIP", "address": "1.1.1.1"}]}},
            ['status.addresses[1]: Duplicate value: {"Type":"InternalIP","Address":"1.1.1.1"}'],
        ),
    ],
)
def test_change_of_a_node(old, new, found):
    assert [str(error) for error in validate_node_update(new, old)] == found


@pytest.mark.parametrize(
    ("features", "found"),
    [
        (["A", "B", "Ba/b"], []),
        (["B", "A"], ['[1]: Invalid value: "A": list must be sorted alphabetically']),
        (["A", "A"], ['[1]: Duplicate value: "A"']),
        (["A", "B", "A"], ['[2]: Invalid value: "A": list must be sorted alphabetically']),
    ],
)
def test_features_that_a_node_declares_are_sorted_and_told_once(
    features: list[str], found: list[str]
) -> None:
    told = [str(error) for error in validate_node({"status": {"declaredFeatures": features}})]
    assert told == [f"status.declaredFeatures{text}" for text in found]
