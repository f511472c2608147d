"""The roles that a cluster starts with are those of kube-apiserver, whatever its gates, and so enough for its components."""

import gzip
import json
import pathlib
from typing import Any

import pytest

from dray.api.features import FeatureGates, parse_feature_gates
from dray.apiserver.authorization.bootstrap import bootstrap_policy

_CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "authorization" / "bootstrap-policy.json.gz"
RECORDED = json.loads(gzip.decompress(_CORPUS.read_bytes()))
"""What kube-apiserver 1.36.2 had made under each setting of gates: all for the defaults, what differs for the others."""


DISCOVERY = ("ClusterRole", "", "system:discovery")
"""Lets everybody read what verifies tokens, too, as users of a recorded cluster may."""


def by_name(objects: list[dict[str, Any]]) -> dict[tuple[str, ...], dict[str, Any]]:
    places = ((obj["metadata"].get("namespace", ""), obj["metadata"]["name"]) for obj in objects)
    return {(obj["kind"], *place): obj for obj, place in zip(objects, places, strict=True)}


def as_made(gates: str) -> dict[tuple[str, ...], dict[str, Any]]:
    own = (dict(obj) for obj in bootstrap_policy(parse_feature_gates(gates)))
    return by_name([{field: value for field, value in obj.items() if field != "apiVersion"} for obj in own])


def as_recorded(setting: dict[str, Any]) -> dict[tuple[str, ...], dict[str, Any]]:
    known = by_name(RECORDED[0]["objects"]) | by_name(setting.get("changed", []))
    for place in setting.get("gone", []):
        del known[tuple(place)]
    # Aggregated roles have no rules until a controller fills them in.
    return {
        place: {**obj, "rules": obj["rules"] or []} if "rules" in obj else obj for place, obj in known.items()
    }


@pytest.mark.parametrize("setting", RECORDED, ids=lambda setting: setting["gates"] or "defaults")
def test_roles_and_bindings_are_those_of_kubernetes_under_the_same_gates(setting: dict[str, Any]) -> None:
    own, recorded = as_made(setting["gates"]), as_recorded(setting)
    assert own.keys() == recorded.keys()
    assert [place for place in own if own[place] != recorded[place]] == [DISCOVERY]
    (rule,), (known,) = own[DISCOVERY]["rules"], recorded[DISCOVERY]["rules"]
    more = ["/.well-known", "/.well-known/*"]
    assert rule == {**known, "nonResourceURLs": [*more, *known["nonResourceURLs"]]}


def test_every_bound_role_exists() -> None:
    policy = bootstrap_policy(FeatureGates())
    roles = {
        (obj["kind"], obj["metadata"].get("namespace", ""), obj["metadata"]["name"])
        for obj in policy
        if "rules" in obj
    }
    for binding in (obj for obj in policy if "roleRef" in obj):
        kind, name = binding["roleRef"]["kind"], binding["roleRef"]["name"]
        namespace = binding["metadata"]["namespace"] if kind == "Role" else ""
        assert (kind, namespace, name) in roles


@pytest.mark.parametrize(
    ("gates", "release", "readable"),
    [
        ("DRAResourcePoolStatus=true", "1.36", ["resourceclaims", "resourceslices"]),
        ("DRAResourcePoolStatus=true", "1.37", ["devicetaintrules", "resourceclaims", "resourceslices"]),
        ("", "1.37", []),
    ],
)
def test_answers_about_pools_may_look_at_taint_rules_since_137(
    gates: str, release: str, readable: list[str]
) -> None:
    name = "system:controller:resourcepoolstatusrequest-controller"
    roles = [
        role
        for role in bootstrap_policy(parse_feature_gates(gates, release))
        if role["kind"] == "ClusterRole" and role["metadata"]["name"] == name
    ]
    rules = [rule for role in roles for rule in role["rules"] if rule["verbs"] == ["get", "list", "watch"]]
    assert sorted(each for rule in rules for each in rule["resources"]) == readable
