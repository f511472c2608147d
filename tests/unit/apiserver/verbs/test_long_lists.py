"""The time that a body takes grows with its length, not with its square."""

import time
from typing import Any

import pytest

from dray.api import errors
from dray.api.fields import Path, invalid
from dray.api.validation.meta import validate_meta_create
from dray.api.validation.pod.container_warnings import OVERLAPS_TOLD
from dray.api.validation.pod.placement import validate_spread
from dray.api.validation.pod.warnings import pod_warnings
from dray.apiserver.verbs import metadata
from tests.unit.apiserver.serving import call, new_core

MANY = 20_000
SECONDS = 5.0
"""Many times what it takes, and a fraction of what the square of it would take."""


def owner(number: int, **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "A", "name": "a", "uid": str(number), **more}


@pytest.fixture
def in_time() -> Any:
    start = time.process_time()
    yield
    assert time.process_time() - start < SECONDS


async def test_owners_are_told_apart_in_time(in_time: None) -> None:
    core = await new_core()
    meta = {"ownerReferences": [owner(n) for n in range(MANY)] + [owner(0)]}
    calling = call(core, "create")
    metadata.merge_owners(calling, meta, after_admission=False)
    assert len(meta["ownerReferences"]) == MANY
    assert len(calling.warnings) == 1


def test_many_controllers_are_refused_in_time_and_few_words(in_time: None) -> None:
    meta = {"name": "a", "ownerReferences": [owner(n, controller=True) for n in range(MANY // 10)]}
    found = [
        error for error in validate_meta_create(meta, namespaced=True) if "Only one reference" in error.detail
    ]
    assert 1 < len(found) < 10


def test_many_spread_constraints_are_judged_in_time(in_time: None) -> None:
    constraints = [
        {"maxSkew": 1, "topologyKey": f"k{n}", "whenUnsatisfiable": "ScheduleAnyway"} for n in range(MANY)
    ]
    assert validate_spread(constraints, Path("spec")) == []
    constraints[-1] = constraints[0]
    (found,) = validate_spread(constraints, Path("spec"))
    assert found.field.startswith("spec[0]")


def test_what_is_told_of_an_object_is_bounded(in_time: None) -> None:
    shown = [f"scope-{n}" for n in range(2_000)]
    found = [invalid(Path("spec.scopes"), shown, f"unsupported scope {n}") for n in range(2_000)]
    error = errors.invalid("", "ResourceQuota", "q", found)
    assert len(error.message) < 2 * errors.LONGEST_FINDINGS
    assert 1 < len(error.status["details"]["causes"]) < 100


@pytest.mark.parametrize("host_ports", [False, True], ids=["the same", "of different ports of the host"])
def test_many_ports_are_compared_in_time(in_time: None, host_ports: bool) -> None:
    ports = [{"containerPort": 80, **({"hostPort": n + 1} if host_ports else {})} for n in range(MANY)]
    found = pod_warnings({"metadata": {"name": "a"}, "spec": {"containers": [{"name": "a", "ports": ports}]}})
    assert len(found) == (0 if host_ports else OVERLAPS_TOLD)


def test_many_projected_paths_are_compared_in_time(in_time: None) -> None:
    items = [{"key": "k", "path": f"p{n}"} for n in range(MANY)]
    volume = {"name": "v", "projected": {"sources": [{"secret": {"name": "s", "items": items}}]}}
    assert pod_warnings({"metadata": {"name": "a"}, "spec": {"volumes": [volume], "containers": []}}) == []
