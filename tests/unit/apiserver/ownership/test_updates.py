"""Who owns what after creates, updates and patches."""

import datetime as dt
from typing import Any

from dray.api.meta import Object, replace_at
from dray.apiserver.ownership import keep_times_when_unchanged, manager_of, record_update, reset_fields

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
LATER = dt.datetime(2026, 1, 1, 13, tzinfo=dt.UTC)
STAMP, LATER_STAMP = "2026-01-01T12:00:00Z", "2026-01-01T13:00:00Z"


def _map(data: dict[str, str] | None = None, **metadata: Any) -> Object:
    obj: Object = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "cm", "uid": "u", **metadata},
    }
    return obj | ({"data": data} if data else {})


def _update(
    old: Object | None, new: Object, manager: str = "m", now: dt.datetime = NOON, **more: Any
) -> Object:
    return record_update(old, new, manager=manager, api_version="v1", now=now, **more)


def _created(data: dict[str, str], manager: str = "m") -> Object:
    return _update(None, _map(data), manager)


def _owners(obj: Object) -> dict[str, Any]:
    entries = obj["metadata"].get("managedFields", [])
    return {entry["manager"]: entry["fieldsV1"] for entry in entries}


def test_the_creator_owns_what_it_set_but_nothing_the_server_keeps() -> None:
    created = _update(None, _map({"a": "1"}, labels={"l": "1"}, generation=1, creationTimestamp=STAMP))

    assert created["metadata"]["managedFields"] == [
        {
            "manager": "m",
            "operation": "Update",
            "apiVersion": "v1",
            "time": STAMP,
            "fieldsType": "FieldsV1",
            "fieldsV1": {
                "f:data": {".": {}, "f:a": {}},
                "f:metadata": {"f:labels": {".": {}, "f:l": {}}},
            },
        }
    ]


def test_fields_that_every_object_has_are_not_owned() -> None:
    claim: Object = {
        "apiVersion": "resource.k8s.io/v1",
        "kind": "ResourceClaim",
        "metadata": {"name": "c"},
        "spec": {"devices": {"requests": None}},
        "status": {},
    }

    created = record_update(None, claim, manager="m", api_version="resource.k8s.io/v1", now=NOON)

    assert "managedFields" not in created["metadata"]


def test_a_changed_field_passes_to_its_writer() -> None:
    old = _created({"a": "1", "b": "1"})

    new = _update(old, {**old, "data": {"a": "2", "b": "1"}}, "other", LATER)

    assert _owners(new) == {"m": {"f:data": {".": {}, "f:b": {}}}, "other": {"f:data": {"f:a": {}}}}


def test_an_owner_left_with_nothing_is_gone() -> None:
    old = _created({"a": "1"})

    assert _owners(_update(old, {key: old[key] for key in ("apiVersion", "kind", "metadata")}, "other")) == {}


def test_a_write_that_changes_nothing_keeps_entries_and_times() -> None:
    old = _created({"a": "1"})

    new = _update(old, {**old, "data": {"a": "1"}}, "other", LATER)

    assert new["metadata"]["managedFields"] is old["metadata"]["managedFields"]


def test_a_manager_gathers_its_fields_in_one_entry_and_refreshes_its_time() -> None:
    old = _created({"a": "1"})

    (entry,) = _update(old, {**old, "data": {"a": "1", "b": "2"}}, "m", LATER)["metadata"]["managedFields"]

    assert entry["fieldsV1"] == {"f:data": {".": {}, "f:a": {}, "f:b": {}}}
    assert entry["time"] == LATER_STAMP


def test_subresources_have_entries_of_their_own() -> None:
    old = _created({"a": "1"})

    new = _update(old, {**old, "data": {"a": "1", "b": "2"}}, "m", LATER, subresource="status")

    assert [entry.get("subresource") for entry in new["metadata"]["managedFields"]] == [None, "status"]


def test_what_an_endpoint_resets_is_never_owned() -> None:
    pod: Object = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "uid": "u"},
        "spec": {"containers": [], "nodeName": "n"},
        "status": {"phase": "Pending"},
    }

    main = _update(None, pod, reset_fields=reset_fields("Pod"))
    status = _update(None, pod, reset_fields=reset_fields("Pod", "status"), subresource="status")

    assert set(_owners(main)["m"]) == {"f:spec"}
    assert set(_owners(status)["m"]) == {"f:status"}


def test_an_object_without_owners_stays_without() -> None:
    old = _map({"a": "1"})

    assert _owners(_update(old, {**old, "data": {"a": "2"}})) == {}


def test_a_client_may_forget_all_owners() -> None:
    old = _created({"a": "1"})
    for asked in ([], [{}]):
        new = _update(old, replace_at(old, ("metadata", "managedFields"), asked), "other")

        assert "managedFields" not in new["metadata"]


def test_a_client_that_drops_managed_fields_unknowingly_loses_nothing() -> None:
    old = _created({"a": "1"})
    metadata = {key: value for key, value in old["metadata"].items() if key != "managedFields"}

    assert _owners(_update(old, {**old, "metadata": metadata}, "other")) == {
        "m": {"f:data": {".": {}, "f:a": {}}}
    }


def test_managed_fields_of_the_request_count_if_they_make_sense() -> None:
    old = _created({"a": "1"})
    entry = {**old["metadata"]["managedFields"][0], "manager": "renamed"}

    def owners(entries: list[Object], **more: Any) -> set[str]:
        return set(_owners(_update(old, replace_at(old, ("metadata", "managedFields"), entries), **more)))

    assert owners([entry]) == {"renamed"}
    assert owners([{**entry, "operation": "Zork"}]) == {"m"}
    assert owners([{**entry, "fieldsType": ""}]) == {"m"}
    assert owners([{**entry, "fieldsV1": {"a": {}}}]) == {"m"}
    assert owners([entry], subresource="status") == {"m"}


def test_owners_of_another_version_are_compared_in_theirs() -> None:
    def claim(version: str, name: str) -> Object:
        request = {"name": name} if version == "v1beta1" else {"name": name, "exactly": {"count": 1}}
        return {
            "apiVersion": f"resource.k8s.io/{version}",
            "kind": "ResourceClaim",
            "metadata": {"name": "c", "uid": "u"},
            "spec": {"devices": {"requests": [request]}},
            "status": {},
        }

    def convert(obj: Any, api_version: str) -> Object | None:
        if api_version.endswith("v0"):
            return None
        version = api_version.rpartition("/")[2]
        return claim(version, obj["spec"]["devices"]["requests"][0]["name"])

    old = record_update(
        None, claim("v1beta1", "a"), manager="m", api_version="resource.k8s.io/v1beta1", now=NOON
    )
    managed = old["metadata"]["managedFields"]
    gone = {**managed[0], "apiVersion": "resource.k8s.io/v0"}
    before = replace_at(claim("v1", "a"), ("metadata", "managedFields"), [*managed, gone])

    after = record_update(
        before,
        replace_at(claim("v1", "b"), ("metadata", "managedFields"), before["metadata"]["managedFields"]),
        manager="other",
        api_version="resource.k8s.io/v1",
        now=LATER,
        convert=convert,
    )

    assert [entry["manager"] for entry in after["metadata"]["managedFields"]] == ["other"]


def test_the_eleventh_updater_makes_the_oldest_ancient_changes() -> None:
    obj = _created({"k": "0"}, "m0")
    for index in range(1, 12):
        data = {**obj["data"], f"k{index}": "1"}
        obj = _update(obj, {**obj, "data": data}, f"m{index}", NOON + dt.timedelta(minutes=index))

    names = [entry["manager"] for entry in obj["metadata"]["managedFields"]]

    assert len(names) == 10
    assert names[0] == "ancient-changes"
    assert set(_owners(obj)["ancient-changes"]["f:data"]) == {".", "f:k", "f:k1", "f:k2"}


def test_times_are_kept_when_preparing_undid_the_change() -> None:
    old = _created({"a": "1"})
    refreshed = _update(old, {**old, "data": {"a": "2"}}, "m", LATER)

    undone = keep_times_when_unchanged(old, {**refreshed, "data": {"a": "1"}})
    changed = keep_times_when_unchanged(old, refreshed)

    assert undone["metadata"]["managedFields"] == old["metadata"]["managedFields"]
    assert changed["metadata"]["managedFields"][0]["time"] == LATER_STAMP


def test_the_old_object_is_never_changed() -> None:
    old = _created({"a": "1"})
    before = repr(old)

    _update(old, {**old, "data": {"a": "2"}}, "other")

    assert repr(old) == before


def test_managers_without_a_name_are_known_by_their_user_agent() -> None:
    assert manager_of("", "kubectl/v1.32 (linux)") == "kubectl"
    assert manager_of("mine", "kubectl/v1.32") == "mine"
    assert manager_of("", "a\x00b" + "c" * 200) == "ab" + "c" * 126
    assert manager_of("", "") == manager_of("", "/1.0") == "unknown"
