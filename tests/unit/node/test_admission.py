"""What a node refuses although the scheduler chose it."""

from dray.api.meta import Object
from dray.node.pods.admission import admission_failure
from tests.unit.node.builders import container, pod, sidecar

NODE: Object = {"metadata": {"name": "node", "labels": {"disk": "ssd"}}}
ALLOCATABLE = {"cpu": "2", "memory": "1Gi", "pods": "2"}


def asking(name: str = "main", **requests: str) -> Object:
    return container(name, resources={"requests": requests})


def test_a_pod_that_fits_is_admitted() -> None:
    assert admission_failure(pod(asking(cpu="1")), [pod(asking(cpu="1"))], NODE, ALLOCATABLE) is None


def test_a_pod_that_does_not_fit_is_refused_with_the_numbers() -> None:
    failure = admission_failure(pod(asking(cpu="1500m")), [pod(asking(cpu="1"))], NODE, ALLOCATABLE)
    assert failure is not None
    assert failure.reason == "OutOfcpu"
    assert failure.message == (
        "Pod was rejected: Node didn't have enough resource: cpu, requested: 1500, used: 1000, capacity: 2000"
    )


def test_every_pod_takes_one_of_the_nodes_places() -> None:
    failure = admission_failure(pod(), [pod(), pod()], NODE, ALLOCATABLE)
    assert failure is not None
    assert failure.reason == "OutOfpods"


def test_a_pod_for_another_kind_of_node_is_refused() -> None:
    assert admission_failure(pod(nodeSelector={"disk": "ssd"}), [], NODE, ALLOCATABLE) is None
    failure = admission_failure(pod(nodeSelector={"disk": "tape"}), [], NODE, ALLOCATABLE)
    assert failure is not None
    assert (failure.reason, failure.message) == (
        "NodeAffinity",
        "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector",
    )


def test_sidecars_count_beside_what_comes_after_them() -> None:
    hungry = pod(
        asking(cpu="1"),
        init=(
            sidecar("proxy", resources={"requests": {"cpu": "500m"}}),
            asking("setup", cpu="3"),
        ),
    )
    assert admission_failure(hungry, [], NODE, {"cpu": "3500m"}) is None
    failure = admission_failure(hungry, [], NODE, {"cpu": "3400m"})
    assert failure is not None
    assert "requested: 3500" in failure.message


def test_what_devices_take_of_the_node_counts_and_a_request_of_the_whole_pod_stands_for_all() -> None:
    taking: Object = {
        **pod(asking(cpu="500m"), nodeName="node"),
        "status": {
            "nodeAllocatableResourceClaimStatuses": [
                {"resourceClaimName": "a", "mapping": [{"name": "cpu", "quantity": "1"}]}
            ]
        },
    }
    assert admission_failure(taking, [pod(asking(cpu="500m"))], NODE, ALLOCATABLE) is None
    failure = admission_failure(pod(asking(cpu="600m")), [taking], NODE, ALLOCATABLE)
    assert failure is not None
    assert "requested: 600, used: 1500, capacity: 2000" in failure.message
    whole = pod(asking(cpu="500m"), resources={"requests": {"cpu": "1600m"}})
    failure = admission_failure(whole, [pod(asking(cpu="500m"))], NODE, ALLOCATABLE)
    assert failure is not None
    assert "requested: 1600" in failure.message
