"""A pod that is resized counts with the larger of what it asks for and what it has, as Kubernetes 1.36 counts it."""

from typing import Any

import pytest

from dray.api.meta import Object
from dray.api.pod_requests import pod_requests

PENDING = {"type": "PodResizePending", "status": "True"}


def pod(asks: str, *, init: Object | None = None, status: Object | None = None, **spec: Any) -> Object:
    container = {"name": "c", "resources": {"requests": {"cpu": asks}}}
    whole = {"containers": [container], **({"initContainers": [init]} if init else {}), **spec}
    return {"spec": whole, "status": status or {}}


def told(allocated: str, has: str, name: str = "c") -> Object:
    resources = {"requests": {"cpu": has}} if has else {}
    return {"name": name, "allocatedResources": {"cpu": allocated}, "resources": resources}


@pytest.mark.parametrize(
    ("asks", "allocated", "has", "counts"),
    [("1", "1", "1", 1000), ("3", "1", "1", 3000), ("1", "2", "1", 2000), ("1", "1", "2", 2000), ("1", "2", "", 2000)],
)  # fmt: skip
def test_the_largest_of_asked_allocated_and_actual_counts(
    asks: str, allocated: str, has: str, counts: int
) -> None:
    assert pod_requests(pod(asks, status={"containerStatuses": [told(allocated, has)]}))["cpu"] == counts


@pytest.mark.parametrize(("reason", "counts"), [("Deferred", 9000), ("Infeasible", 1000)])
def test_what_the_node_will_never_grant_does_not_count(reason: str, counts: int) -> None:
    status = {"containerStatuses": [told("1", "1")], "conditions": [{**PENDING, "reason": reason}]}
    assert pod_requests(pod("9", status=status))["cpu"] == counts
    assert pod_requests(pod("9", status={"conditions": status["conditions"]}))["cpu"] == 9000


@pytest.mark.parametrize(("policy", "counts"), [({}, 1000), ({"restartPolicy": "Always"}, 5000)])
def test_of_init_containers_only_sidecars_are_followed(policy: Object, counts: int) -> None:
    init = {"name": "i", "resources": {"requests": {"cpu": "1"}}, **policy}
    status = {"initContainerStatuses": [told("4", "4", "i")]}
    assert pod_requests(pod("1", init=init, status=status))["cpu"] == counts


def test_a_pod_that_asks_as_a_whole_is_followed_as_a_whole() -> None:
    own = {"resources": {"requests": {"cpu": "3"}}}
    has = {"resources": {"requests": {"cpu": "4", "memory": "1"}}, "allocatedResources": {"cpu": "5"}}
    assert pod_requests(pod("1", **own)) == {"cpu": 3000}
    assert pod_requests(pod("1", **own, status=has)) == {"cpu": 5000}
    refused = {**has, "conditions": [{**PENDING, "reason": "Infeasible"}]}
    del refused["allocatedResources"]
    assert pod_requests(pod("1", **own, status=refused)) == {"cpu": 4000}
