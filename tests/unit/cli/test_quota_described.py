"""Quotas and limit ranges are described as kubectl 1.36 describes them."""

import asyncio
from typing import Any, cast

from dray.cli.kubectl import describe_limits
from dray.cli.kubectl.describe_quota import of_namespace, resource_quota
from dray.cli.kubectl.elastic import align
from dray.cli.kubectl.session import Session

QUOTA: dict[str, Any] = {
    "metadata": {"name": "be", "namespace": "qs"},
    "spec": {"hard": {"pods": "2"}, "scopes": ["BestEffort"]},
    "status": {"hard": {"pods": "2"}, "used": {"pods": "1"}},
}


def test_scopes_are_told_with_their_meaning() -> None:
    lines = asyncio.run(resource_quota(cast("Session", None), QUOTA))
    assert align(lines) == (
        "Name:       be\n"
        "Namespace:  qs\n"
        "Scopes:     BestEffort\n"
        " * Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.\n"
        "Resource  Used  Hard\n"
        "--------  ----  ----\n"
        "pods      1     2\n"
    )


def test_description_of_a_namespace_has_its_quotas() -> None:
    assert of_namespace([]) == ["No resource quota."]
    assert align(of_namespace([QUOTA])) == (
        "Resource Quotas\n"
        "  Name:    be\n"
        "  Scopes:  BestEffort\n"
        "  * Matches all pods that do not have resource requirements set. These pods have a best effort quality of service.\n"
        "  Resource  Used  Hard\n"
        "  --------  ---   ---\n"
        "  pods      1     2\n"
    )


def test_limits_of_a_namespace_are_one_table() -> None:
    containers = {
        "type": "Container",
        "min": {"cpu": "50m"},
        "max": {"cpu": "2"},
        "default": {"memory": "256Mi"},
    }
    limits = {"metadata": {"name": "a", "namespace": "lr"}, "spec": {"limits": [containers]}}
    assert describe_limits.of_namespace([]) == ["No LimitRange resource."]
    assert align(describe_limits.of_namespace([limits])) == (
        "Resource Limits\n"
        " Type       Resource  Min  Max  Default Request  Default Limit  Max Limit/Request Ratio\n"
        " ----       --------  ---  ---  ---------------  -------------  -----------------------\n"
        " Container  cpu       50m  2    -                -              -\n"
        " Container  memory    -    -    -                256Mi          -\n"
    )
