"""Quotas are described as kubectl 1.36 describes them."""

import asyncio
from typing import Any, cast

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
