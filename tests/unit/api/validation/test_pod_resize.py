"""What may change through pods/resize, as kube-apiserver 1.36.2 answered."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from dray.api.features import FeatureGates
from dray.api.meta import Object
from dray.api.validation.pod.resize import validate_resize
from dray.api.validation.pod.spec import validate_pod

Change = Callable[[Object], Any]
RESTART = [{"resourceName": "cpu", "restartPolicy": "RestartContainer"}]
ONLY = "Forbidden: only cpu and memory resources are mutable"


def container(name: str = "c", **more: Any) -> Object:
    resources = {
        "requests": {"cpu": "100m", "memory": "64Mi"},
        "limits": {"cpu": "200m", "memory": "128Mi"},
    }
    return {
        "name": name,
        "image": "i",
        "imagePullPolicy": "Always",
        "terminationMessagePolicy": "File",
        "resources": resources,
        **more,
    }


def pod(**spec: Any) -> Object:
    whole = {
        "containers": [container()],
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "terminationGracePeriodSeconds": 30,
        **spec,
    }
    return {"metadata": {"name": "p"}, "spec": whole, "status": {"qosClass": "Burstable"}}


def with_init() -> Object:
    return pod(initContainers=[container("a"), container("s", restartPolicy="Always")])


def findings(old: Object, change: Change, gates: dict[str, bool] | None = None) -> list[str]:
    new = copy.deepcopy(old)
    change(new)
    return [str(found) for found in validate_resize(new, old, FeatureGates(gates or {}))]


def requests(field: str = "containers", index: int = 0, **amounts: str) -> Change:
    return lambda obj: obj["spec"][field][index]["resources"]["requests"].update(
        {name.replace("_", "-"): amount for name, amount in amounts.items()}
    )


@pytest.mark.parametrize(
    ("old", "change"),
    [
        (pod(), requests(cpu="150m", memory="32Mi")),
        (pod(), lambda obj: obj["spec"]["containers"][0]["resources"]["limits"].update(memory="256Mi")),
        (with_init(), requests("initContainers", 0, cpu="150m")),
        (with_init(), requests("initContainers", 1, cpu="150m")),
        (
            pod(resources={"requests": {"cpu": "1"}}),
            lambda obj: obj["spec"]["resources"]["requests"].update(cpu="2"),
        ),
        (pod(), lambda obj: obj["spec"].update(resources={"requests": {"cpu": "1"}})),
    ],
)
def test_cpu_and_memory_may_change(old: Object, change: Change) -> None:
    assert findings(old, change) == []


@pytest.mark.parametrize(
    ("old", "change", "found"),
    [
        (pod(), requests(ephemeral_storage="1Gi"), [f"spec: {ONLY}"]),
        (
            pod(),
            lambda obj: obj["spec"]["containers"][0]["resources"].pop("limits"),
            ["spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed"],
        ),
        (
            pod(),
            lambda obj: obj["spec"]["containers"][0].pop("resources"),
            [
                'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
                "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
                "spec.containers[0].resources.limits: Forbidden: resource limits cannot be removed",
            ],
        ),
        (
            pod(),
            lambda obj: obj["spec"]["containers"][0].update(name="other"),
            [
                "spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize",
            ],
        ),
        (
            pod(),
            lambda obj: obj["spec"]["containers"].append(container("d")),
            ["spec.containers: Forbidden: containers may not be added or removed on resize"],
        ),
        (
            pod(),
            lambda obj: obj["spec"]["containers"][0].update(
                resizePolicy=[{"resourceName": "cpu", "restartPolicy": "NotRequired"}]
            ),
            [f"spec: {ONLY}"],
        ),
        (
            with_init(),
            lambda obj: obj["spec"]["initContainers"].reverse(),
            [
                f"spec.initContainers[{index}].name: Forbidden: "
                "initContainers may not be renamed or reordered on resize"
                for index in (0, 1)
            ],
        ),
        (
            with_init(),
            requests("initContainers", 0, ephemeral_storage="1"),
            [
                "spec.initContainers[0]: Forbidden: only cpu and memory resources for init or sidecar containers are mutable"
            ],
        ),
        (
            pod(resources={"requests": {"cpu": "1"}}),
            lambda obj: obj["spec"].pop("resources"),
            ["spec.resources: Forbidden: pod-level resources cannot be removed"],
        ),
        (
            pod(resources={"requests": {"cpu": "1"}, "limits": {"cpu": "1", "memory": "1Gi"}}),
            lambda obj: obj["spec"]["resources"]["limits"].pop("memory"),
            ["spec.resources.limits: Forbidden: pod-level resource limits cannot be removed"],
        ),
        (
            pod(resources={"requests": {"cpu": "1"}, "limits": {"cpu": "1"}}),
            lambda obj: obj["spec"]["resources"]["limits"].update({"hugepages-2Mi": "2Mi"}),
            ["spec: Forbidden: only cpu and memory resources are mutable at pod-level"],
        ),
        (pod(), lambda obj: obj["spec"].update(hostNetwork=True), [f"spec: {ONLY}"]),
    ],
)
def test_nothing_else_may_change(old: Object, change: Change, found: list[str]) -> None:
    assert findings(old, change) == found


def test_a_guaranteed_pod_stays_guaranteed() -> None:
    same = {"cpu": "1", "memory": "1Gi"}
    old = pod(containers=[container(resources={"requests": dict(same), "limits": dict(same)})])
    old["status"]["qosClass"] = "Guaranteed"
    text = 'spec: Invalid value: "Guaranteed": Pod QOS Class may not change as a result of resizing'
    assert findings(old, requests(cpu="500m")) == [text]

    def both(obj: Object) -> None:
        for part in ("requests", "limits"):
            obj["spec"]["containers"][0]["resources"][part]["cpu"] = "2"

    assert findings(old, both) == []


def test_a_container_that_uses_claims_is_never_resized() -> None:
    old = pod(
        resourceClaims=[{"name": "gpu", "resourceClaimName": "g"}],
        containers=[container(resources={"requests": {"cpu": "1"}, "claims": [{"name": "gpu"}]})],
    )
    assert findings(old, requests(cpu="2")) == [f"spec: {ONLY}"]


@pytest.mark.parametrize(
    ("old", "found"),
    [
        (
            {**pod(), "metadata": {"name": "p", "annotations": {"kubernetes.io/config.mirror": "x"}}},
            "[]: Forbidden: static pods cannot be resized",
        ),
        (pod(os={"name": "windows"}), "[]: Forbidden: windows pods cannot be resized"),
        (
            {
                **pod(),
                "status": {
                    "qosClass": "Burstable",
                    "containerStatuses": [{"name": "c", "state": {"running": {}}}],
                },
            },
            "spec: Forbidden: Pod running on node without support for resize",
        ),
        (
            {**pod(), "status": {"qosClass": "Burstable", "nodeAllocatableResourceClaimStatuses": [{}]}},
            "spec: Forbidden: pods with node allocatable resource claims cannot be resized",
        ),
    ],
)
def test_some_pods_are_never_resized(old: Object, found: str) -> None:
    assert findings(old, requests(cpu="150m")) == [found]


def test_pod_whose_devices_are_part_of_its_node_is_resized_since_1_37() -> None:
    old = {**pod(), "status": {"qosClass": "Burstable", "nodeAllocatableResourceClaimStatuses": [{}]}}
    new = copy.deepcopy(old)
    requests(cpu="150m")(new)
    assert len(validate_resize(new, old, FeatureGates())) == 1
    assert validate_resize(new, old, FeatureGates(release="1.37")) == []


def test_gates_decide_of_init_containers_and_of_the_pod_as_a_whole() -> None:
    off = {"InPlacePodVerticalScalingInitContainers": False, "InPlacePodLevelResourcesVerticalScaling": False}
    text = "spec: Forbidden: resources for non-sidecar init containers are immutable"
    assert findings(with_init(), requests("initContainers", 0, cpu="150m"), off) == [text]
    assert findings(with_init(), requests("initContainers", 1, cpu="150m"), off) == []
    own = pod(resources={"requests": {"cpu": "1"}})
    (found,) = findings(own, requests(cpu="150m"), off)
    assert found.startswith("[]: Forbidden: resize of pods with pod-level resources is forbidden when ")


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        (
            {"initContainers": [container("a", resizePolicy=RESTART)]},
            'spec.initContainers[0].resizePolicy[0].restartPolicy: Invalid value: "RestartContainer": '
            "must not be set to 'RestartContainer' for non-sidecar initContainers",
        ),
        (
            {"containers": [container(resizePolicy=RESTART)], "restartPolicy": "Never"},
            'spec.containers[0].resizePolicy: Invalid value: "RestartContainer": '
            "must be 'NotRequired' when pod `restartPolicy` is 'Never'",
        ),
    ],
)
def test_only_what_may_begin_anew_may_do_so_to_be_resized(spec: Object, found: str) -> None:
    assert [str(each) for each in validate_pod(pod(**spec))] == [found]


def test_sidecars_may_begin_anew_to_be_resized() -> None:
    sidecar = container("s", restartPolicy="Always", resizePolicy=RESTART)
    assert validate_pod(pod(initContainers=[sidecar])) == []
