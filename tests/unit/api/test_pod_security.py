"""Levels of pod security say of 28 pods what kube-apiserver 1.36.2 said of them."""

import json
import pathlib
from typing import Any

import pytest

from dray.api.pod_security.evaluation import details, violations
from dray.api.pod_security.policy import Demand, Policy, read_policy
from dray.api.pod_security.subject import Subject

RECORDED = json.loads(
    (pathlib.Path(__file__).parents[2] / "corpus" / "api" / "pod-security.json").read_text()
)
L = "pod-security.kubernetes.io/"


@pytest.mark.parametrize("demand", RECORDED["answers"])
def test_pods_are_judged_as_recorded(demand: str) -> None:
    level, _, version = demand.partition(":")
    for name, expected in RECORDED["answers"][demand].items():
        found = violations(Demand(level, version), Subject.of(_stored(RECORDED["pods"][name])))
        assert details(found) == expected, name


def _stored(pod: dict[str, Any]) -> dict[str, Any]:
    """Kubernetes reads AppArmor's old annotation into the field before anything else is judged."""
    notes = pod.get("metadata", {}).get("annotations", {})
    if not any(container["securityContext"].get("appArmorProfile") for container in _named(pod, notes)):
        for container in _named(pod, notes):
            container["securityContext"]["appArmorProfile"] = {"type": "Unconfined"}
    return pod


def _named(pod: dict[str, Any], notes: dict[str, str]) -> list[dict[str, Any]]:
    names = {key.rpartition("/")[2] for key in notes}
    return [container for container in pod["spec"]["containers"] if container["name"] in names]


def test_no_labels_allow_everything() -> None:
    policy, wrong = read_policy({"a": "b", f"{L}foo": "bar"})
    assert policy.allows_everything
    assert not wrong


def test_what_is_enforced_is_warned_of() -> None:
    both = read_policy({f"{L}enforce": "baseline", f"{L}enforce-version": "v1.30"})[0]
    assert both == Policy(Demand("baseline", "v1.30"), Demand(), Demand("baseline", "v1.30"))
    own = read_policy({f"{L}enforce": "baseline", f"{L}warn": "privileged"})[0]
    assert own.warn == Demand()


@pytest.mark.parametrize(
    ("labels", "texts", "policy"),
    [
        (
            {f"{L}enforce": "foo"},
            [
                f'metadata.labels[{L}enforce]: Invalid value: "foo": must be one of privileged, baseline, restricted'
            ],
            Policy(enforce=Demand("restricted")),
        ),
        (
            {f"{L}enforce-version": "v1.01"},
            [f'metadata.labels[{L}enforce-version]: Invalid value: "v1.01": must be "latest" or "v1.x"'],
            Policy(),
        ),
        (
            {f"{L}audit": "y", f"{L}audit-version": "1.2", f"{L}warn": "x"},
            [
                f'metadata.labels[{L}audit]: Invalid value: "y": must be one of privileged, baseline, restricted',
                f'metadata.labels[{L}audit-version]: Invalid value: "1.2": must be "latest" or "v1.x"',
                f'metadata.labels[{L}warn]: Invalid value: "x": must be one of privileged, baseline, restricted',
            ],
            Policy(),
        ),
    ],
)
def test_wrong_labels_are_told_and_enforce_the_most(labels, texts, policy) -> None:
    found, wrong = read_policy(labels)
    assert list(map(str, wrong)) == texts
    assert found == policy
