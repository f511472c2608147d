"""Objects are written with their fields in Kubernetes' order, whoever set them when."""

import copy
from typing import Any

from dray.api.schema.model import Schema
from dray.api.schema.order import in_order
from dray.api.schema.registry import schema_for


def of(api_version: str, kind: str) -> Schema:
    schema = schema_for(api_version, kind)
    assert schema is not None
    return schema


POD: dict[str, Any] = {
    "status": {"qosClass": "BestEffort", "phase": "Pending"},
    "spec": {
        "restartPolicy": "Always",
        "nodeSelector": {"z": "1", "b": "2"},
        "containers": [{"image": "i", "name": "c", "ports": [{"protocol": "TCP", "containerPort": 80}]}],
    },
    "metadata": {"labels": {"b": "", "a": ""}, "name": "p"},
    "apiVersion": "v1",
    "kind": "Pod",
}


def test_fields_of_structs_stand_in_the_order_of_their_schema_at_every_depth() -> None:
    found = in_order(POD, of("v1", "Pod"))
    assert list(found) == ["kind", "apiVersion", "metadata", "spec", "status"]
    assert list(found["metadata"]) == ["name", "labels"]
    assert list(found["spec"]) == ["containers", "restartPolicy", "nodeSelector"]
    assert list(found["spec"]["containers"][0]) == ["name", "image", "ports"]
    assert list(found["spec"]["containers"][0]["ports"][0]) == ["containerPort", "protocol"]
    assert list(found["status"]) == ["phase", "qosClass"]


def test_keys_of_maps_are_sorted() -> None:
    found = in_order(POD, of("v1", "Pod"))
    assert list(found["metadata"]["labels"]) == ["a", "b"]
    assert list(found["spec"]["nodeSelector"]) == ["b", "z"]


def test_ordering_changes_no_value_and_not_what_it_was_given() -> None:
    before = copy.deepcopy(POD)
    found = in_order(POD, of("v1", "Pod"))
    assert found == POD == before
    assert list(POD["spec"]) == list(before["spec"])


def test_what_is_in_order_is_the_same_object_and_shared_in_copies_of_the_rest() -> None:
    ordered = in_order(POD, of("v1", "Pod"))
    assert in_order(ordered, of("v1", "Pod")) is ordered
    mixed = {"spec": ordered["spec"], "kind": "Pod", "apiVersion": "v1"}
    assert in_order(mixed, of("v1", "Pod"))["spec"] is ordered["spec"]


def test_opaque_parameters_and_owned_fields_stay_as_they_came() -> None:
    opaque = {"opaque": {"driver": "d", "parameters": {"z": 1, "a": {"c": 1, "b": 2}}}}
    owned = {"manager": "m", "fieldsV1": {"f:z": {}, "f:a": {}}}
    claim = {
        "kind": "ResourceClaim",
        "apiVersion": "resource.k8s.io/v1",
        "metadata": {"managedFields": [owned]},
        "spec": {"devices": {"config": [opaque]}},
    }
    assert in_order(claim, of("resource.k8s.io/v1", "ResourceClaim")) is claim


def test_what_the_schema_does_not_have_comes_last_and_odd_values_are_left_alone() -> None:
    odd = {"later": 1, "spec": "no struct", "metadata": None, "kind": "Pod"}
    found = in_order(odd, of("v1", "Pod"))
    assert list(found) == ["kind", "metadata", "spec", "later"]
    assert found == odd


def test_an_entry_of_managed_fields_names_its_manager_first() -> None:
    pod = {"metadata": {"managedFields": [{"apiVersion": "v1", "operation": "Apply", "manager": "m"}]}}
    entry = in_order(pod, of("v1", "Pod"))["metadata"]["managedFields"][0]
    assert list(entry) == ["manager", "operation", "apiVersion"]
