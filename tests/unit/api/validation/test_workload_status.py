"""Counts in the states of workloads agree with each other, in the words of kube-apiserver 1.36.2."""

import pytest

from dray.api.meta import Object
from dray.api.validation.core.workload_status import (
    validate_daemon_set_status,
    validate_deployment_status,
    validate_replica_set_status,
    validate_stateful_set_status,
)

NEGATIVE = "must be greater than or equal to 0"
ALL = "cannot be greater than status.replicas"
OF = {
    "Deployment": validate_deployment_status,
    "ReplicaSet": validate_replica_set_status,
    "StatefulSet": validate_stateful_set_status,
    "DaemonSet": validate_daemon_set_status,
}


def told(kind: str, new: Object, old: Object | None = None, **meta: object) -> list[str]:
    at = {"name": "w", "namespace": "ns", "resourceVersion": "1"}
    found = OF[kind]({"metadata": {**at, **meta}, "status": new}, {"metadata": at, "status": old or {}})
    return [str(error) for error in found]


@pytest.mark.parametrize("kind", ["Deployment", "ReplicaSet", "StatefulSet"])
def test_no_count_of_pods_is_above_all_pods(kind: str) -> None:
    full = {"replicas": 2, "readyReplicas": 2, "availableReplicas": 2}
    assert told(kind, full) == []
    ready = "readyReplicas" if kind != "StatefulSet" else "status.readyReplicas"
    assert told(kind, {**full, "readyReplicas": 3, "availableReplicas": 0}) == [
        f"status.readyReplicas: Invalid value: 3: {ALL}"
    ]
    assert told(kind, {**full, "readyReplicas": 1}) == [
        f"status.availableReplicas: Invalid value: 2: cannot be greater than {ready}"
    ]


def test_a_count_that_is_not_given_is_zero_and_may_be_above_a_negative_one() -> None:
    assert told("Deployment", {"replicas": -1}) == [
        f"status.replicas: Invalid value: -1: {NEGATIVE}",
        f"status.updatedReplicas: Invalid value: 0: {ALL}",
        f"status.readyReplicas: Invalid value: 0: {ALL}",
        f"status.availableReplicas: Invalid value: 0: {ALL}",
    ]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("Deployment", "unavailableReplicas"),
        ("Deployment", "terminatingReplicas"),
        ("ReplicaSet", "terminatingReplicas"),
        ("ReplicaSet", "observedGeneration"),
        ("StatefulSet", "observedGeneration"),
        ("DaemonSet", "numberMisscheduled"),
        ("DaemonSet", "numberUnavailable"),
    ],
)
def test_counts_are_not_negative(kind: str, field: str) -> None:
    assert told(kind, {field: -1}) == [f"status.{field}: Invalid value: -1: {NEGATIVE}"]


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "DaemonSet"])
def test_collisions_are_only_ever_counted_up(kind: str) -> None:
    assert told(kind, {"collisionCount": 2}, {"collisionCount": 1}) == []
    for fewer, shown in (({"collisionCount": 1}, 1), ({}, 0)):
        assert told(kind, fewer, {"collisionCount": 2}) == [
            f"status.collisionCount: Invalid value: {shown}: cannot be decremented"
        ]


def test_what_is_wrong_with_the_metadata_of_a_stateful_set_is_told_last() -> None:
    counts = {"replicas": 1, "readyReplicas": 2}
    first, last = told("StatefulSet", counts, annotations={"a b": "c"})
    assert first == f"status.readyReplicas: Invalid value: 2: {ALL}"
    assert last.startswith("metadata.annotations: Invalid value")
