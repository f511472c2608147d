"""LimitRanges give, and refuse, what kube-apiserver 1.36.2 gave and refused with the same range."""

from typing import Any

import pytest

from dray.api.limits import ANNOTATION, apply_defaults, complaints, fill_in
from dray.api.resources import CONFIG_MAPS, PERSISTENT_VOLUME_CLAIMS, PODS
from dray.api.validation.core.limit_range import validate_limit_range

CONTAINERS = {
    "type": "Container",
    "default": {"cpu": "500m", "memory": "256Mi"},
    "defaultRequest": {"cpu": "100m"},
    "max": {"cpu": "2"},
    "min": {"cpu": "50m"},
    "maxLimitRequestRatio": {"cpu": "10"},
}


def limit_range() -> dict[str, Any]:
    items: list[dict[str, Any]] = [
        {key: dict(value) if isinstance(value, dict) else value for key, value in CONTAINERS.items()},
        {"type": "Pod", "max": {"cpu": "3", "memory": "1Gi"}},
        {"type": "PersistentVolumeClaim", "min": {"storage": "1Gi"}, "max": {"storage": "5Gi"}},
    ]
    for item in items:
        fill_in(item)
    return {"spec": {"limits": items}}


def pod(*resources: Any, first: Any = None, **spec: Any) -> dict[str, Any]:
    containers = [{"name": f"c{number}", "resources": each} for number, each in enumerate(resources)]
    if first is not None:
        spec["initContainers"] = [{"name": "i0", "resources": first}]
    return {"metadata": {"name": "p"}, "spec": {"containers": containers, **spec}}


def limited(**amounts: str) -> dict[str, Any]:
    """As the API server fills it in: what is limited is requested."""
    return {"limits": amounts, "requests": amounts}


def test_containers_that_say_nothing_get_the_defaults_and_a_note() -> None:
    made = pod({}, limited(memory="100Mi", cpu="200m"), first={})
    apply_defaults(limit_range(), made)
    given = {"limits": {"cpu": "500m", "memory": "256Mi"}, "requests": {"cpu": "100m", "memory": "256Mi"}}
    assert made["spec"]["containers"][0]["resources"] == given
    assert made["spec"]["containers"][1]["resources"] == limited(memory="100Mi", cpu="200m")
    assert made["metadata"]["annotations"][ANNOTATION] == (
        "LimitRanger plugin set: cpu, memory request for container c0; cpu, memory limit for container c0; "
        "cpu, memory request for init container i0; cpu, memory limit for init container i0"
    )


def test_pods_that_say_all_are_left_alone() -> None:
    made = pod(limited(memory="100Mi", cpu="200m"))
    apply_defaults(limit_range(), made)
    assert "annotations" not in made["metadata"]


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (pod({}), []),
        (
            pod({"requests": {"cpu": "10m"}}),
            [
                "minimum cpu usage per Container is 50m, but request is 10m",
                "cpu max limit to request ratio per Container is 10, but provided ratio is 50.000000",
            ],
        ),
        (pod(limited(cpu="3")), ["maximum cpu usage per Container is 2, but limit is 3"]),
        (
            pod({"requests": {"cpu": "100m"}, "limits": {"cpu": "2"}}),
            ["cpu max limit to request ratio per Container is 10, but provided ratio is 20.000000"],
        ),
        (pod(*[limited(cpu="1")] * 4), ["maximum cpu usage per Pod is 3, but limit is 4"]),
        (pod(limited(memory="2Gi")), ["maximum memory usage per Pod is 1Gi, but limit is 2Gi"]),
        (
            pod({}, first=limited(cpu="4")),
            ["maximum cpu usage per Container is 2, but limit is 4", "maximum cpu usage per Pod is 3, but limit is 4"],
        ),
        (
            pod({"requests": {"cpu": "0"}}),
            [
                "minimum cpu usage per Container is 50m, but request is 0",
                "cpu max limit to request ratio per Container is 10, but no request is specified or request is 0",
            ],
        ),
    ],
)  # fmt: skip
def test_pods_stay_within_the_range(made, found) -> None:
    apply_defaults(limit_range(), made)
    assert complaints(limit_range(), PODS, made) == found


@pytest.mark.parametrize(
    ("size", "found"),
    [
        ("500Mi", ["minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi"]),
        ("2Gi", []),
        ("6Gi", ["maximum storage usage per PersistentVolumeClaim is 5Gi, but request is 6Gi"]),
    ],
)
def test_volume_claims_stay_within_the_range(size, found) -> None:
    claim = {"spec": {"resources": {"requests": {"storage": size}}}}
    assert complaints(limit_range(), PERSISTENT_VOLUME_CLAIMS, claim) == found
    assert complaints(limit_range(), CONFIG_MAPS, claim) == []


def test_defaults_of_containers_follow_from_bounds() -> None:
    item = {
        "type": "Container",
        "max": {"cpu": "2"},
        "min": {"cpu": "1", "memory": "1Mi"},
        "default": {"memory": "3Mi"},
    }
    fill_in(item)
    assert item["default"] == {"memory": "3Mi", "cpu": "2"}
    assert item["defaultRequest"] == {"memory": "3Mi", "cpu": "2"}


L = "spec.limits[0]"
FORBIDDEN = "Forbidden: may not be specified when `type` is 'Pod'"


@pytest.mark.parametrize(
    ("item", "texts"),
    [
        ({"type": "Foo"}, [f'{L}.type: Invalid value: "Foo": must be a standard limit type or fully qualified']),
        (
            {"type": "Pod", "default": {"cpu": "1"}, "defaultRequest": {"cpu": "1"}},
            [f"{L}.default: {FORBIDDEN}", f"{L}.defaultRequest: {FORBIDDEN}"],
        ),
        (
            {"type": "PersistentVolumeClaim", "max": {"cpu": "1"}},
            [f"{L}.limits: Required value: either minimum or maximum storage value is required, but neither was provided"],
        ),
        (
            {"type": "Container", "default": {"cpu": "3"}, "defaultRequest": {"cpu": "4"}, "max": {"cpu": "2"}, "min": {"cpu": "5"}},
            [
                f'{L}.min[cpu]: Invalid value: "5": min value 5 is greater than max value 2',
                f'{L}.defaultRequest[cpu]: Invalid value: "4": min value 5 is greater than default request value 4',
                f'{L}.defaultRequest[cpu]: Invalid value: "4": default request value 4 is greater than max value 2',
                f'{L}.defaultRequest[cpu]: Invalid value: "4": default request value 4 is greater than default limit value 3',
                f'{L}.default[cpu]: Invalid value: "5": min value 5 is greater than default value 3',
                f'{L}.default[cpu]: Invalid value: "2": default value 3 is greater than max value 2',
            ],
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "0.5"}},
            [f'{L}.maxLimitRequestRatio[cpu]: Invalid value: "500m": ratio 500m is less than 1'],
        ),
        (
            {"type": "Container", "min": {"cpu": "1"}, "max": {"cpu": "2"}, "maxLimitRequestRatio": {"cpu": "3"}},
            [f'{L}.maxLimitRequestRatio[cpu]: Invalid value: "3": ratio 3 is greater than max/min = 2.000000'],
        ),
        (
            {"type": "Container", "default": {"example.com/gpu": "1"}, "defaultRequest": {"example.com/gpu": "2"}},
            [
                f'{L}.defaultRequest[example.com/gpu]: Invalid value: "2": default request value 2 is greater than default limit value 1',
                f'{L}.defaultRequest[example.com/gpu]: Invalid value: "2": default value 1 must equal to defaultRequest value 2 in example.com/gpu',
            ],
        ),
        ({"type": "Pod", "max": {"pods": "1"}}, [f'{L}.max[pods]: Invalid value: "pods": must be a standard resource for containers']),
        ({"type": "Pod", "min": {"cpu": "-1"}}, []),
    ],
)  # fmt: skip
def test_amounts_of_a_range_go_together(item, texts) -> None:
    assert [str(each) for each in validate_limit_range({"spec": {"limits": [item]}})] == texts
