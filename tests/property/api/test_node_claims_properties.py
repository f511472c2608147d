"""What a pod takes of its node with its devices: the same as counting each moment of its life by hand."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dray.api.pod_requests import pod_requests

CONTAINERS = ("c0", "c1", "c2")
INITS = ("i0", "i1", "i2")
RESOURCES = ("cpu", "memory")
FEW = settings(max_examples=300)


def quantity(amount: int) -> str:
    return f"{amount}m"


def amount_in(amounts: dict[str, int]) -> dict[str, str]:
    return {name: quantity(amount) for name, amount in amounts.items()}


requests = st.dictionaries(st.sampled_from(RESOURCES), st.integers(0, 9).map(lambda n: n * 1000), max_size=2)
"""Whole units, so that nothing is rounded."""


@st.composite
def entries(draw: Any, name: str) -> dict[str, Any]:
    users = draw(st.lists(st.sampled_from((*CONTAINERS, *INITS, "gone")), unique=True, max_size=4))
    mapping = draw(requests)
    costs = {
        resource: {
            cost: draw(st.integers(0, 5)) * 1000 for cost in ("perPod", "perContainer") if draw(st.booleans())
        }
        for resource in draw(st.sets(st.sampled_from(RESOURCES)))
    }
    return {"name": name, "users": users, "mapping": mapping, "costs": costs, "older": draw(requests)}


@st.composite
def pods(draw: Any) -> dict[str, Any]:
    return {
        "containers": [(name, draw(requests)) for name in CONTAINERS[: draw(st.integers(1, 3))]],
        "inits": [(name, draw(requests), draw(st.booleans())) for name in INITS[: draw(st.integers(0, 3))]],
        "claims": [draw(entries(f"claim-{number}")) for number in range(draw(st.integers(0, 3)))],
        "budget": draw(requests),
        "overhead": draw(requests),
    }


def as_api(pod: dict[str, Any]) -> dict[str, Any]:
    def container(name: str, asked: dict[str, int], **more: Any) -> dict[str, Any]:
        return {"name": name, "resources": {"requests": amount_in(asked)}, **more}

    def status(entry: dict[str, Any]) -> dict[str, Any]:
        return {
            "resourceClaimName": entry["name"],
            "containers": entry["users"],
            "resources": amount_in(entry["older"]),
            "mapping": [{"name": name, "quantity": quantity(n)} for name, n in entry["mapping"].items()],
            "overhead": [{"name": name, **amount_in(costs)} for name, costs in entry["costs"].items()],
        }

    inits = [
        container(name, asked, **({"restartPolicy": "Always"} if lasts else {}))
        for name, asked, lasts in pod["inits"]
    ]
    spec = {
        "nodeName": "n",
        "containers": [container(*each) for each in pod["containers"]],
        "initContainers": inits,
        "resources": {"requests": amount_in(pod["budget"])},
        "overhead": amount_in(pod["overhead"]),
    }
    statuses = [status(entry) for entry in pod["claims"]]
    return {
        "metadata": {"name": "p"},
        "spec": spec,
        "status": {"nodeAllocatableResourceClaimStatuses": statuses},
    }


def needs(pod: dict[str, Any], resource: str, running: list[tuple[str, dict[str, int]]]) -> int:
    """While these containers run: what they ask for, and what each claim takes because they use it."""
    total = sum(asked.get(resource, 0) for _, asked in running)
    names = {name for name, _ in running}
    known = {name for name, _ in pod["containers"]} | {name for name, _, _ in pod["inits"]}
    for claim in pod["claims"]:
        costs = claim["costs"].get(resource, {})
        total += claim["older"].get(resource, 0) + claim["mapping"].get(resource, 0) + costs.get("perPod", 0)
        for user in claim["users"]:
            if user in names or user not in known:
                total += costs.get("perContainer", 0)
    return total


def by_hand(pod: dict[str, Any], resource: str) -> int:
    """The hungriest moment: each init container beside the sidecars before it, then all that stay."""
    sidecars: list[tuple[str, dict[str, int]]] = []
    moments = []
    for name, asked, lasts in pod["inits"]:
        moments.append(needs(pod, resource, [*sidecars, (name, asked)]))
        if lasts:
            sidecars.append((name, asked))
    moments.append(needs(pod, resource, [*sidecars, *pod["containers"]]))
    most = pod["budget"].get(resource, max(moments))
    return int(most + pod["overhead"].get(resource, 0))


@FEW
@given(pods())
def test_pod_takes_what_its_hungriest_moment_needs(pod: dict[str, Any]) -> None:
    found = pod_requests(as_api(pod))
    for resource, unit in (("cpu", 1), ("memory", 1000)):
        assert found.get(resource, 0) * unit == by_hand(pod, resource)


@FEW
@given(pods())
def test_pod_without_a_node_pays_nothing_for_devices(pod: dict[str, Any]) -> None:
    unplaced = as_api(pod)
    del unplaced["spec"]["nodeName"]
    assert pod_requests(unplaced) == pod_requests(as_api({**pod, "claims": []}))
