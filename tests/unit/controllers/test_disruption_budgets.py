"""A PodDisruptionBudget knows how many of its pods may be evicted now."""

import datetime as dt

import pytest

from dray.api.meta import Object, format_time, replace_at
from dray.api.resources import DEPLOYMENTS, POD_DISRUPTION_BUDGETS, PODS
from dray.controllers.disruption_budgets import DisruptionBudgets
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run
from tests.unit.controllers.harness import controllers, obj, settle

EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def budget(status: Object | None = None, **limit: object) -> Object:
    spec = {"selector": {"matchLabels": {"app": "w"}}, **limit}
    meta = {"generation": 1}
    more = {"status": status} if status else {}
    return obj("PodDisruptionBudget", "b", "ns", api_version="policy/v1", metadata=meta, spec=spec, **more)


def owner(kind: str, name: str) -> list[Object]:
    return [{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": name, "controller": True}]


def pod(name: str, *, is_ready: bool = True, owned: bool = True) -> Object:
    meta: Object = {"labels": {"app": "w"}} | (
        {"ownerReferences": owner("ReplicaSet", "rs")} if owned else {}
    )
    conditions = [{"type": "Ready", "status": str(is_ready)}]
    status = {"phase": "Running", "conditions": conditions}
    return obj("Pod", name, "ns", metadata=meta, spec={"nodeName": "n"}, status=status)


def workload(replicas: int) -> list[Object]:
    meta = {"uid": "rs", "ownerReferences": owner("Deployment", "d")}
    return [
        obj(
            "Deployment", "d", "ns", api_version="apps/v1", metadata={"uid": "d"}, spec={"replicas": replicas}
        ),
        obj("ReplicaSet", "rs", "ns", api_version="apps/v1", metadata=meta, spec={"replicas": replicas}),
    ]


def status_of(client: MemoryClient, *, change: object = None) -> Object:
    async def scenario() -> None:
        async with controllers(client, DisruptionBudgets):
            await settle()
            if change is not None:
                await change()  # type: ignore[operator]
                await settle(180)

    run(scenario())
    stored = client.find(POD_DISRUPTION_BUDGETS, "b", "ns")
    assert stored is not None
    found: Object = stored["status"]
    return found


@pytest.mark.parametrize(
    ("limit", "desired", "allowed"),
    [
        ({"maxUnavailable": 1}, 3, 0),
        ({"maxUnavailable": 2}, 2, 1),
        ({"maxUnavailable": "50%"}, 2, 1),
        ({"minAvailable": "26%"}, 2, 1),
        ({"minAvailable": 1}, 1, 2),
    ],
)
def test_a_budget_counts_against_what_the_owner_asks_for(
    limit: dict[str, object], desired: int, allowed: int
) -> None:
    pods = [pod("p1"), pod("p2"), pod("p3"), pod("p4", is_ready=False)]
    status = status_of(MemoryClient(budget(**limit), *workload(4), *pods))
    assert (status["expectedPods"], status["currentHealthy"]) == (4, 3)
    assert (status["desiredHealthy"], status["disruptionsAllowed"]) == (desired, allowed)
    [condition] = status["conditions"]
    assert condition["reason"] == ("SufficientPods" if allowed else "InsufficientPods")
    assert status["observedGeneration"] == 1


def test_a_budget_without_pods_allows_nothing() -> None:
    status = status_of(MemoryClient(budget(maxUnavailable=1)))
    assert (status["expectedPods"], status["disruptionsAllowed"]) == (0, 0)


def test_scaling_the_owner_changes_the_budget() -> None:
    client = MemoryClient(budget(maxUnavailable=1), *workload(2), pod("p1"), pod("p2"))

    async def scale() -> None:
        stored = client.find(DEPLOYMENTS, "d", "ns")
        assert stored is not None
        await client.update(DEPLOYMENTS, replace_at(stored, ("spec", "replicas"), 3))

    status = status_of(client, change=scale)
    assert (status["expectedPods"], status["disruptionsAllowed"]) == (3, 0)


def test_an_evicted_pod_counts_as_lost_until_it_is_gone_or_two_minutes_have_passed() -> None:
    evicted = budget({"disruptedPods": {"p1": format_time(EPOCH)}}, minAvailable=1)
    client = MemoryClient(evicted, pod("p1", owned=False), pod("p2", owned=False))
    assert status_of(client)["disruptionsAllowed"] == 0

    async def nothing() -> None: ...

    client = MemoryClient(evicted, pod("p1", owned=False), pod("p2", owned=False))
    status = status_of(client, change=nothing)
    assert status["disruptionsAllowed"] == 1
    assert "disruptedPods" not in status


def test_a_pod_that_leaves_is_not_counted_any_more() -> None:
    client = MemoryClient(budget(minAvailable=1), pod("p1", owned=False), pod("p2", owned=False))

    async def delete() -> None:
        await client.delete(PODS, "p1", "ns", grace_period_seconds=0)

    status = status_of(client, change=delete)
    assert (status["expectedPods"], status["currentHealthy"], status["disruptionsAllowed"]) == (1, 1, 0)
