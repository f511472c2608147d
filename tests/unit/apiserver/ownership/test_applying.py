"""Server-side apply: merging, ownership, removal, conflicts and refusals."""

import datetime as dt
from typing import Any

import pytest

from dray.api import errors
from dray.api.meta import Object
from dray.apiserver.ownership import apply, record_update, reset_fields

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
LATER = dt.datetime(2026, 1, 1, 13, tzinfo=dt.UTC)


def _map(data: Any = None, **metadata: Any) -> Object:
    obj: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "cm", **metadata}}
    return obj | ({"data": data} if data is not None else {})


def _apply(live: Object | None, config: Object, manager: str = "m", **more: Any) -> Object:
    options = {"api_version": config["apiVersion"], "now": NOON} | more
    applied = apply(live, config, manager=manager, **options)
    applied["metadata"]["uid"] = "u"
    return applied


def _pod(containers: list[dict[str, Any]], **more: Any) -> Object:
    spec = {"containers": containers, **more}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}


def _owners(obj: Object) -> dict[str, Any]:
    return {entry["manager"]: entry["fieldsV1"] for entry in obj["metadata"].get("managedFields", [])}


def test_applying_to_nothing_creates_and_owns_what_is_said() -> None:
    applied = _apply(None, _map({"a": "1"}))

    assert applied["data"] == {"a": "1"}
    assert applied["metadata"]["managedFields"] == [
        {
            "manager": "m",
            "operation": "Apply",
            "apiVersion": "v1",
            "time": "2026-01-01T12:00:00Z",
            "fieldsType": "FieldsV1",
            "fieldsV1": {"f:data": {"f:a": {}}},
        }
    ]


def test_what_is_no_longer_applied_is_removed() -> None:
    live = _apply(None, _map({"a": "1", "b": "2"}, labels={"l": "1"}))

    applied = _apply(live, _map({"a": "1"}))

    assert applied["data"] == {"a": "1"}
    assert "labels" not in applied["metadata"]


def test_removal_takes_elements_but_leaves_those_of_others() -> None:
    live = _apply(None, _pod([{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]))
    live["spec"]["containers"].append({"name": "injected", "image": "x"})

    applied = _apply(live, _pod([{"name": "b", "image": "1"}]))

    assert [item["name"] for item in applied["spec"]["containers"]] == ["b", "injected"]


def test_what_another_applier_owns_too_stays() -> None:
    live = _apply(None, _map({"a": "1"}), "m1")
    live = _apply(live, _map({"a": "1", "b": "2"}), "m2")

    applied = _apply(live, _map(), "m1")

    assert applied["data"] == {"a": "1", "b": "2"}
    assert set(_owners(applied)) == {"m2"}


def test_fields_of_others_conflict_unless_they_agree() -> None:
    live = _apply(None, _map({"a": "1", "b": "1"}), "m1")

    agreed = _apply(live, _map({"a": "1"}), "m2")
    with pytest.raises(errors.Conflict) as refused:
        _apply(live, _map({"a": "2", "b": "2"}), "m2")

    assert set(_owners(agreed)) == {"m1", "m2"}
    assert (
        refused.value.message == 'Apply failed with 2 conflicts: conflicts with "m1":\n- .data.a\n- .data.b'
    )
    assert refused.value.details == {
        "causes": [
            {"reason": "FieldManagerConflict", "message": 'conflict with "m1"', "field": ".data.a"},
            {"reason": "FieldManagerConflict", "message": 'conflict with "m1"', "field": ".data.b"},
        ]
    }


def test_conflicts_with_updaters_name_version_and_subresource() -> None:
    live = record_update(
        None, _map({"a": "1"}), manager="editor", api_version="v1", subresource="status", now=NOON
    )
    live["metadata"]["uid"] = "u"

    with pytest.raises(errors.Conflict) as refused:
        _apply(live, _map({"a": "2"}))

    assert refused.value.message == (
        'Apply failed with 1 conflict: conflict with "editor" with subresource "status" using v1: .data.a'
    )


def test_force_takes_the_fields_over() -> None:
    live = _apply(None, _map({"a": "1", "b": "1"}), "m1")

    applied = _apply(live, _map({"a": "2"}), "m2", force=True)

    assert applied["data"] == {"a": "2", "b": "1"}
    assert _owners(applied) == {"m1": {"f:data": {"f:b": {}}}, "m2": {"f:data": {"f:a": {}}}}


def test_applying_the_same_again_changes_nothing_not_even_the_time() -> None:
    live = _apply(None, _map({"a": "1"}))

    assert _apply(live, _map({"a": "1"}), now=LATER) == live


def test_a_second_owner_of_an_unchanged_object_has_no_time() -> None:
    live = _apply(None, _map({"a": "1"}), "m1")

    entries = _apply(live, _map({"a": "1"}), "m2", now=LATER)["metadata"]["managedFields"]

    assert {entry["manager"]: entry.get("time") for entry in entries} == {
        "m1": "2026-01-01T12:00:00Z",
        "m2": None,
    }


def test_defaults_that_others_filled_in_are_no_conflict() -> None:
    live = _apply(None, _pod([{"name": "c", "ports": [{"containerPort": 80}]}]))
    live["spec"]["containers"][0]["ports"] = [{"containerPort": 80, "protocol": "TCP"}]

    applied = _apply(live, _pod([{"name": "c", "ports": [{"containerPort": 80}]}]))

    assert applied["spec"]["containers"][0]["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


def test_atomic_lists_are_applied_whole() -> None:
    live = _apply(None, _pod([{"name": "c"}], tolerations=[{"key": "a"}]), "m1")

    with pytest.raises(errors.Conflict, match=r"\.spec\.tolerations"):
        _apply(live, _pod([{"name": "c"}], tolerations=[{"key": "b"}]), "m2")


def test_shared_elements_take_the_order_of_the_configuration() -> None:
    live = _apply(None, _pod([{"name": "a"}, {"name": "b"}, {"name": "c"}]), "m1")

    applied = _apply(live, _pod([{"name": "c"}, {"name": "new"}, {"name": "a"}]), "m2")

    assert [item["name"] for item in applied["spec"]["containers"]] == ["b", "c", "new", "a"]


def test_the_fields_of_an_object_nobody_applied_belong_to_before_first_apply() -> None:
    live = _map({"a": "1"}, uid="u")

    applied = _apply(live, _map({"b": "1"}))

    assert _owners(applied) == {
        "m": {"f:data": {"f:b": {}}},
        "before-first-apply": {"f:data": {".": {}, "f:a": {}}},
    }


def test_what_the_endpoint_resets_is_not_owned() -> None:
    config: Object = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "c"},
        "spec": {"devices": {}},
        "status": {"reservedFor": [{"uid": "u", "name": "p", "resource": "pods"}]},
    }

    applied = _apply(None, config, reset_fields=reset_fields("ResourceClaim"))

    assert _owners(applied) == {"m": {"f:spec": {"f:devices": {}}}}


REFUSED = {
    "unknown field": (
        _map() | {"foo": 1},
        "failed to create typed patch object (/cm; /v1, Kind=ConfigMap): .foo: field not declared in schema",
    ),
    "deep unknown field": (
        _pod([{"name": "c", "zork": 1}]),
        "failed to create typed patch object (/p; /v1, Kind=Pod): "
        '.spec.containers[name="c"].zork: field not declared in schema',
    ),
    "duplicate key": (
        _pod([{"name": "c"}, {"name": "c"}]),
        "failed to create typed patch object (/p; /v1, Kind=Pod): "
        '.spec.containers: duplicate entries for key [name="c"]',
    ),
    "wrong scalar": (
        _pod([], priority="high"),
        "failed to create typed patch object (/p; /v1, Kind=Pod): "
        ".spec.priority: expected numeric (int or float), got string",
    ),
    "bad quantity": (
        _pod([], overhead={"cpu": "1GB"}),
        "failed to convert new object (/p; /v1, Kind=Pod) to proper version: unable to convert unstructured object "
        "to /v1, Kind=Pod: quantities must match the regular expression "
        "'^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_configurations_that_do_not_fit_are_server_errors_as_upstream(name: str) -> None:
    config, text = REFUSED[name]

    with pytest.raises(errors.StatusError) as refused:
        _apply(None, config)

    assert (refused.value.status_code, refused.value.message) == (500, text)


def test_several_faults_are_listed_under_each_other() -> None:
    config = _pod([{"name": "c", "image": 5}, {"name": "d", "stdin": "x"}])

    with pytest.raises(errors.StatusError, match=r'(?s)errors:\n  \.spec.*name="c".*\n  \.spec.*name="d"'):
        _apply(None, config)


def test_managed_fields_may_not_be_applied() -> None:
    with pytest.raises(errors.BadRequest, match=r"metadata\.managedFields must be nil"):
        _apply(None, _map(managedFields=[{"manager": "x"}]))


def test_quantities_are_canonical_after_applying() -> None:
    applied = _apply(None, _pod([], overhead={"cpu": "1000m"}))

    assert applied["spec"]["overhead"] == {"cpu": "1"}


def test_an_apply_in_another_version_takes_over_its_own_entry() -> None:
    def convert(obj: Any, api_version: str) -> Object:
        return {**obj, "apiVersion": api_version}

    def rule(version: str, **taint: str) -> Object:
        return {
            "apiVersion": f"resource.k8s.io/{version}",
            "kind": "DeviceTaintRule",
            "metadata": {"name": "r"},
            "spec": {"taint": {"key": "k", "effect": "None", **taint}},
        }

    live = _apply(None, rule("v1alpha3", value="gone"), convert=convert)
    applied = _apply(convert(live, "resource.k8s.io/v1beta2"), rule("v1beta2"), convert=convert)

    assert applied["spec"]["taint"] == {"key": "k", "effect": "None"}
    (entry,) = applied["metadata"]["managedFields"]
    assert entry["apiVersion"] == "resource.k8s.io/v1beta2"
