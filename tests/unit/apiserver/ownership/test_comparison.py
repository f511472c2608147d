"""What changed between two objects, by field, element and container."""

from typing import Any

import pytest

from dray.api.schema import Schema, schema_for
from dray.apiserver.ownership.comparison import Comparison, compare
from dray.apiserver.ownership.elements import BadElement, identity, path_text


def _schema(kind: str, api_version: str = "v1") -> Schema:
    schema = schema_for(api_version, kind)
    assert schema is not None
    return schema


def _pod(old: dict[str, Any], new: dict[str, Any]) -> Comparison:
    found = compare({"spec": old}, {"spec": new}, _schema("Pod"))
    return Comparison(found.removed.get("f:spec", {}), found.changed.get("f:spec", {}))


def test_equal_objects_are_the_same_whatever_their_identity() -> None:
    assert _pod({"containers": [{"name": "a"}]}, {"containers": [{"name": "a"}]}).is_same


def test_scalars_change() -> None:
    assert _pod({"nodeName": "a"}, {"nodeName": "b"}) == ({}, {"f:nodeName": {}})


def test_what_appears_brings_its_containers() -> None:
    new = {"securityContext": {"runAsUser": 1, "seLinuxOptions": {}}}

    assert _pod({}, new).changed == {
        "f:securityContext": {".": {}, "f:runAsUser": {}, "f:seLinuxOptions": {}}
    }


def test_what_vanishes_takes_its_containers_along() -> None:
    assert _pod({"securityContext": {"runAsUser": 1}}, {}).removed == {
        "f:securityContext": {".": {}, "f:runAsUser": {}}
    }


def test_elements_are_matched_by_key_not_by_place() -> None:
    old = {"containers": [{"name": "a", "image": "1"}, {"name": "b"}]}
    new = {"containers": [{"name": "b"}, {"name": "a", "image": "2"}]}

    assert _pod(old, new) == ({}, {"f:containers": {'k:{"name":"a"}': {"f:image": {}}}})


def test_new_and_gone_elements() -> None:
    found = _pod({"containers": [{"name": "a"}]}, {"containers": [{"name": "b"}]})

    assert found.changed == {"f:containers": {'k:{"name":"b"}': {".": {}, "f:name": {}}}}
    assert found.removed == {"f:containers": {'k:{"name":"a"}': {".": {}, "f:name": {}}}}


def test_atomic_lists_and_maps_change_as_a_whole() -> None:
    old = {"tolerations": [{"key": "a"}], "nodeSelector": {"a": "1"}}
    new = {"tolerations": [{"key": "b"}], "nodeSelector": {"a": "2"}}

    assert _pod(old, new).changed == {"f:tolerations": {}, "f:nodeSelector": {}}


def test_null_and_empty_differ_as_leaves() -> None:
    found = compare({"data": None}, {"data": {}}, _schema("ConfigMap"))

    assert found == ({}, {"f:data": {}})


def test_a_list_that_was_null_changes_by_its_elements_only() -> None:
    claim = _schema("ResourceClaim", "resource.k8s.io/v1")
    device = {"driver": "d", "pool": "p", "device": "x"}
    old = {"status": {"devices": [{**device, "conditions": None}]}}
    new = {"status": {"devices": [{**device, "conditions": [{"type": "A"}]}]}}

    changed = compare(old, new, claim).changed

    assert changed["f:status"]["f:devices"] == {
        'k:{"device":"x","driver":"d","pool":"p"}': {
            "f:conditions": {'k:{"type":"A"}': {".": {}, "f:type": {}}}
        }
    }


def test_opaque_json_is_compared_as_deep_as_it_goes() -> None:
    claim = _schema("ResourceClaim", "resource.k8s.io/v1")
    device = {"driver": "d", "pool": "p", "device": "x"}
    old = {"status": {"devices": [{**device, "data": {"a": {"b": 1, "c": [1]}}}]}}
    new = {"status": {"devices": [{**device, "data": {"a": {"b": 2, "c": [2]}}}]}}

    changed = compare(old, new, claim).changed["f:status"]["f:devices"]

    assert list(changed.values()) == [{"f:data": {"f:a": {"f:b": {}, "f:c": {}}}}]


def test_elements_that_share_a_key_change_together() -> None:
    claims = {"name": "a", "request": "1"}, {"name": "a", "request": "2"}, {"name": "a", "request": "3"}
    old = {"containers": [{"name": "c", "resources": {"claims": [claims[0], claims[1]]}}]}
    new = {"containers": [{"name": "c", "resources": {"claims": [claims[0], claims[2]]}}]}

    changed = _pod(old, new).changed["f:containers"]['k:{"name":"c"}']["f:resources"]["f:claims"]

    assert list(changed) == ['k:{"name":"a"}']


def test_absent_keys_count_as_their_defaults() -> None:
    old = {"containers": [{"name": "c", "ports": [{"containerPort": 80}]}]}
    new = {"containers": [{"name": "c", "ports": [{"containerPort": 80, "protocol": "TCP"}]}]}

    ports = _pod(old, new).changed["f:containers"]['k:{"name":"c"}']["f:ports"]

    assert ports == {'k:{"containerPort":80,"protocol":"TCP"}': {"f:protocol": {}}}


def test_sets_are_compared_by_value() -> None:
    found = compare(
        {"metadata": {"finalizers": ["a", "b"]}}, {"metadata": {"finalizers": ["b", "<c>"]}}, _schema("Pod")
    )

    assert found.changed == {"f:metadata": {"f:finalizers": {'v:"\\u003cc\\u003e"': {}}}}
    assert found.removed == {"f:metadata": {"f:finalizers": {'v:"a"': {}}}}


@pytest.mark.parametrize(
    ("item", "text"),
    [
        (None, "associative list with keys may not have a null element"),
        ("x", "associative list with keys may not have non-map elements"),
        (
            {"kind": "Pod"},
            'associative list with keys has an element that omits all key fields ["uid"] '
            "(and doesn't have default values for any key fields)",
        ),
    ],
)
def test_an_element_without_identity_is_refused(item: Any, text: str) -> None:
    owners = Schema(
        "list", "[]v1.OwnerReference", items=Schema("any", "x"), list_type="map", list_keys=("uid",)
    )

    with pytest.raises(BadElement) as refused:
        identity(item, owners)

    assert str(refused.value) == text


def test_paths_print_as_conflicts_show_them() -> None:
    path = ("f:spec", "f:ports", 'k:{"containerPort":80,"protocol":"TCP"}', 'v:"x"', "i:3")

    assert path_text(path) == '.spec.ports[containerPort=80,protocol="TCP"][="x"][3]'
