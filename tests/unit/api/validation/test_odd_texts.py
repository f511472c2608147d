"""Texts of users that are far longer or stranger than they are meant to be: refused like any other, and at once."""

import json
from typing import Any

import pytest

from dray.api.certificates import pem
from dray.api.conversion.autoscaling import autoscaler_to_hub
from dray.api.fields import Path
from dray.api.patch import PatchError, parse_operations
from dray.api.patch.strategic import strategic_merge_patch
from dray.api.schema import schema_for
from dray.api.schema.duplicates import duplicate_members
from dray.api.validation.core.autoscaler import validate_autoscaler
from dray.api.validation.core.go_numbers import duration_problem, whole_number
from dray.api.validation.core.network_policy import validate_network_policy
from dray.api.validation.core.service_reach import validate_balancing
from dray.api.validation.core.storage_classes import validate_storage_class
from dray.api.validation.core.workload_parts import validate_portion
from dray.api.validation.pod.annotations import validate_pod_annotations

LONG = "9" * 5000
"""More digits than Python makes a number of."""


@pytest.mark.parametrize(
    ("text", "number"),
    [(LONG, "value out of range"), ("-" + LONG, "value out of range"), ("0" * 5000 + "7", 7), ("-0012", -12), ("+0", 0)],
)  # fmt: skip
def test_a_number_of_any_length_is_read_or_out_of_range(text: str, number: int | str) -> None:
    assert whole_number(text) == number


def test_durations_of_any_length_are_judged() -> None:
    assert duration_problem(f"{LONG}s") == f'time: invalid duration "{LONG}s"'
    assert duration_problem(f"1.{LONG}s") == ""
    assert duration_problem("0s" * 50_000) == ""


def test_a_percentage_of_any_length_is_above_all() -> None:
    (error,) = validate_portion(f"{LONG}%", Path("at"))
    assert error.detail == "must not be greater than 100%"


def test_a_block_with_a_prefix_of_any_length_is_none() -> None:
    policy = {"spec": {"podSelector": {}, "ingress": [{"from": [{"ipBlock": {"cidr": f"10.0.0.0/{LONG}"}}]}]}}
    assert [error.field for error in validate_network_policy(policy)] == [
        "spec.ingress[0].from[0].ipBlock.cidr"
    ]
    spec = {"type": "LoadBalancer", "loadBalancerSourceRanges": [f"10.0.0.0/{LONG}"]}
    assert len(validate_balancing({"metadata": {}, "spec": spec}, {})) == 1


def annotated(**annotations: str) -> list[str]:
    pod = {"metadata": {"annotations": annotations}, "spec": {}}
    return [error.detail for error in validate_pod_annotations(pod)]


def test_annotations_of_pods_are_read_as_what_they_are_to_be() -> None:
    assert annotated(**{"controller.kubernetes.io/pod-deletion-cost": LONG}) == ["must be a 32bit integer"]
    tolerations = "scheduler.alpha.kubernetes.io/tolerations"
    (detail,) = annotated(**{tolerations: '[{"key":5}]'})
    assert "cannot unmarshal number into Go struct field Toleration.key of type string" in detail


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("metrics", [{"type": ["a"]}]),
        ("metrics", [{"type": "Pods", "pods": {"metricName": 5}}]),
        ("metrics", [{"type": "Pods", "pods": {"metricName": "a", "targetAverageValue": "x"}}]),
        ("metrics", [{"type": "Object", "object": {"target": [1]}}]),
        ("behavior", {"scaleUp": 5}),
        ("behavior", {"scaleUp": {"policies": [{"type": 5, "value": "x"}]}}),
        ("conditions", [{"type": 5}]),
    ],
)
def test_what_an_autoscalers_annotation_holds_of_another_type_is_nothing(name: str, value: Any) -> None:
    annotations = {f"autoscaling.alpha.kubernetes.io/{name}": json.dumps(value)}
    target = {"kind": "Deployment", "name": "d", "apiVersion": "apps/v1"}
    spec = {"maxReplicas": 3, "scaleTargetRef": target}
    hub = autoscaler_to_hub({"metadata": {"name": "x", "annotations": annotations}, "spec": spec}, "v1")
    assert [metric["resource"]["name"] for metric in hub["spec"]["metrics"]] == ["cpu"]
    assert "behavior" not in hub["spec"]
    assert "conditions" not in hub["status"]
    assert validate_autoscaler({**hub, "metadata": {"name": "x", "namespace": "n"}}) == []


def test_terms_that_all_say_nothing_are_told_of_up_to_a_bound() -> None:
    obj = {
        "metadata": {"name": "s"},
        "provisioner": "a.b/c",
        "reclaimPolicy": "Delete",
        "volumeBindingMode": "Immediate",
    }
    terms = [{"matchLabelExpressions": []} for _ in range(3000)]
    assert 20_000 < len(validate_storage_class({**obj, "allowedTopologies": terms})) < 50_000
    assert len(validate_storage_class({**obj, "allowedTopologies": terms[:2]})) == 5


def test_numbers_of_any_length_beside_what_an_operation_has_do_not_matter() -> None:
    text = b'[{"op":"test","path":"/a","value":1,"x":' + LONG.encode() + b',"x":1}]'
    assert len(parse_operations(text)) == 1
    assert duplicate_members(text) == ["[0].x"]


def test_a_merge_key_may_not_be_nested_without_end() -> None:
    deep: Any = "x"
    for _ in range(300):
        deep = [deep]
    pod = schema_for("v1", "Pod")
    with pytest.raises(PatchError, match="exceeded max depth"):
        strategic_merge_patch({"spec": {"containers": []}}, {"spec": {"containers": [{"name": deep}]}}, pod)


@pytest.mark.parametrize(
    "text",
    [
        b"-----BEGIN A-----\n" * 20_000,
        b"-----BEGIN A:-----\n" * 20_000 + b"-----END B-----\n",
        b"-----BEGIN A-----\na:\n" * 20_000 + b"\n-----END B-----\n",
    ],
)
def test_lines_that_begin_blocks_without_end_hold_none(text: bytes) -> None:
    assert list(pem.blocks(text)) == []
