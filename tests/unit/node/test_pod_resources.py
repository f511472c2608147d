"""What a pod as a whole asks for."""

from typing import Any

from dray.node.pods.resources import pod_resources
from dray.node.pods.view import Role


def view(role: Role, requests: dict[str, str], limits: dict[str, str] | None = None) -> Any:
    spec = {"name": role.name, "resources": {"requests": requests, "limits": limits or {}}}
    return type("View", (), {"role": role, "spec": spec})()


def test_a_pod_that_asks_for_nothing_has_empty_resources() -> None:
    assert pod_resources([view(Role.MAIN, {})]) == {"resources": {}}


def test_amounts_of_main_containers_and_sidecars_add_up() -> None:
    found = pod_resources(
        [
            view(Role.SIDECAR, {"cpu": "100m"}),
            view(Role.MAIN, {"cpu": "1", "example.com/gpu": "1"}, {"cpu": "2"}),
        ]
    )
    assert found["allocatedResources"] == {"cpu": "1100m", "example.com/gpu": "1"}
    assert found["resources"] == {
        "limits": {"cpu": "2"},
        "requests": {"cpu": "1100m", "example.com/gpu": "1"},
    }


def test_an_init_container_counts_with_the_sidecars_before_it_and_only_when_it_needs_more() -> None:
    sidecar, main = view(Role.SIDECAR, {"cpu": "1"}), view(Role.MAIN, {"cpu": "1"})
    assert pod_resources([sidecar, view(Role.INIT, {"cpu": "3"}), main])["allocatedResources"] == {"cpu": "4"}
    assert pod_resources([view(Role.INIT, {"cpu": "3"}), sidecar, main])["allocatedResources"] == {"cpu": "3"}
    assert pod_resources([view(Role.INIT, {"cpu": "1"}), sidecar, main])["allocatedResources"] == {"cpu": "2"}
