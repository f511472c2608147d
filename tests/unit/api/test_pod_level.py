"""Resources of a pod as a whole beside those of its containers, as kube-apiserver 1.36.2 defaulted and judged them."""

import copy
from typing import Any

import pytest

from dray.api.fields import Path
from dray.api.meta import Object
from dray.api.pod_level import default_requests
from dray.api.validation.pod.pod_level import validate_pod_level

PAGES = "hugepages-2Mi"


def container(name: str = "c", requests: Object | None = None, limits: Object | None = None) -> Object:
    parts = {"requests": requests, "limits": limits}
    return {"name": name, "resources": {part: amounts for part, amounts in parts.items() if amounts}}


SMALL = container(requests={"cpu": "100m", "memory": "64Mi"}, limits={"cpu": "200m", "memory": "128Mi"})
PAGED = container("p", {"cpu": "100m", PAGES: "4Mi"}, {"cpu": "200m", PAGES: "4Mi"})


def spec(*containers: Object, init: tuple[Object, ...] = (), **resources: Any) -> Object:
    found: Object = {"containers": list(containers), "resources": resources}
    return copy.deepcopy(found | ({"initContainers": list(init)} if init else {}))


@pytest.mark.parametrize(
    ("given", "after"),
    [
        (
            spec(SMALL, limits={"cpu": "2", "memory": "2Gi"}),
            {"limits": {"cpu": "2", "memory": "2Gi"}, "requests": {"cpu": "100m", "memory": "64Mi"}},
        ),
        (
            spec(container(), limits={"cpu": "2", "memory": "2Gi"}),
            {"limits": {"cpu": "2", "memory": "2Gi"}, "requests": {"cpu": "2", "memory": "2Gi"}},
        ),
        (
            spec(SMALL, limits={"memory": "1Gi"}),
            {"limits": {"memory": "1Gi"}, "requests": {"cpu": "100m", "memory": "64Mi"}},
        ),
        (spec(SMALL, requests={"cpu": "1"}), {"requests": {"cpu": "1"}}),
        (spec(SMALL), {}),
        (
            spec(SMALL, PAGED, limits={"cpu": "1"}),
            {
                "limits": {"cpu": "1", PAGES: "4Mi"},
                "requests": {"cpu": "200m", "memory": "64Mi", PAGES: "4Mi"},
            },
        ),
        (
            spec(PAGED, requests={"cpu": "1"}),
            {"limits": {PAGES: "4Mi"}, "requests": {"cpu": "1", PAGES: "4Mi"}},
        ),
        (
            spec(container("d", {"cpu": "10m", "ephemeral-storage": "1Gi"}), limits={"cpu": "1"}),
            {"limits": {"cpu": "1"}, "requests": {"cpu": "10m"}},
        ),
        (
            spec(SMALL, init=(container("i", {"cpu": "500m", "memory": "1Gi"}),), limits={"cpu": "1"}),
            {"limits": {"cpu": "1"}, "requests": {"cpu": "500m", "memory": "1Gi"}},
        ),
    ],
)
def test_what_a_pod_asks_for_as_a_whole_is_completed(given: Object, after: Object) -> None:
    default_requests(given)
    assert given["resources"] == after


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (spec(SMALL, requests={"cpu": "100m"}, limits={"cpu": "200m"}), []),
        (
            spec(SMALL, {**SMALL, "name": "d"}, requests={"cpu": "199m"}),
            [
                'r.requests[cpu]: Invalid value: "199m": '
                "must be greater than or equal to aggregate container requests of 200m"
            ],
        ),
        (
            spec(SMALL, limits={"cpu": "100m"}),
            [
                'r.containers[0][cpu].limits: Invalid value: "200m": '
                "must be less than or equal to pod limits of 100m"
            ],
        ),
        (
            spec(PAGED, limits={PAGES: "2Mi"}, requests={PAGES: "2Mi"}),
            [
                f'r.requests[{PAGES}]: Invalid value: "2Mi": '
                "must be greater than or equal to aggregate container requests of 4Mi",
                f'r.limits[{PAGES}]: Invalid value: "2Mi": '
                "must be greater than or equal to aggregate container limits of 4Mi",
                f'r.containers[0][{PAGES}].limits: Invalid value: "4Mi": '
                "must be less than or equal to pod limits of 2Mi",
            ],
        ),
    ],
)
def test_no_container_goes_beyond_its_pod(given: Object, found: list[str]) -> None:
    assert [str(each) for each in validate_pod_level(given, Path("r"))] == found
