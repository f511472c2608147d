"""ObjectMeta of any kind."""

import pytest

from dray.api.validation.meta import validate_meta_create, validate_meta_update

STORED = {
    "name": "a",
    "namespace": "ns",
    "uid": "u",
    "resourceVersion": "1",
    "creationTimestamp": "2026-01-01T00:00:00Z",
}


def texts(found):
    return [str(error) for error in found]


def create(meta, *, namespaced=True):
    return texts(validate_meta_create(meta, namespaced=namespaced))


def update(change, old=STORED):
    return texts(validate_meta_update({**old, **change}, old))


def owner(**more):
    return {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": "u", **more}


def test_a_name_or_the_wish_for_one_is_needed():
    assert create({"namespace": "ns"}) == ["metadata.name: Required value: name or generateName is required"]
    assert create({"name": "a-x2kf7", "generateName": "a-", "namespace": "ns"}) == []


def test_namespace_is_for_namespaced_kinds():
    assert create({"name": "a", "namespace": "ns"}, namespaced=False) == [
        "metadata.namespace: Forbidden: not allowed on this type"
    ]
    assert create({"name": "a"}) == ["metadata.namespace: Required value"]


def test_one_controller_at_most():
    owners = [owner(controller=True), owner(controller=True, name="q")]
    (finding,) = create({"name": "a", "namespace": "ns", "ownerReferences": owners})
    assert finding.endswith(
        'Only one reference can have Controller set to true. Found "true" in references for Pod/p and Pod/q'
    )


def test_owner_is_fully_named_and_no_event():
    incomplete = {"name": "a", "namespace": "ns", "ownerReferences": [{"apiVersion": "", "kind": ""}]}
    assert create(incomplete) == [
        'metadata.ownerReferences.apiVersion: Invalid value: "": version must not be empty',
        'metadata.ownerReferences.kind: Invalid value: "": must not be empty',
        'metadata.ownerReferences.name: Invalid value: "": must not be empty',
        'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
    ]
    (finding,) = create({"name": "a", "namespace": "ns", "ownerReferences": [owner(kind="Event")]})
    assert finding.endswith("/v1, Kind=Event is disallowed from being an owner")


def test_plain_finalizers_are_those_of_kubernetes():
    meta = {"name": "a", "namespace": "ns", "finalizers": ["kubernetes", "example.com/x", "mine"]}
    assert create(meta) == [
        'metadata.finalizers[2]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified'
    ]


def test_deletion_policies_exclude_each_other():
    meta = {"name": "a", "namespace": "ns", "finalizers": ["orphan", "foregroundDeletion"]}
    assert create(meta) == [
        'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: '
        "finalizer orphan and foregroundDeletion cannot be both set"
    ]


def test_unchanged_metadata_is_fine():
    assert update({"labels": {"a": "b"}, "annotations": {"C/d": "anything goes"}}) == []


@pytest.mark.parametrize("field", ["name", "namespace", "uid", "creationTimestamp"])
def test_identity_stays(field):
    assert set(update({field: "x"})) == {f'metadata.{field}: Invalid value: "x": field is immutable'}


def test_update_is_of_some_version():
    assert set(update({"resourceVersion": ""})) == {
        'metadata.resourceVersion: Invalid value: "": must be specified for an update'
    }


def test_deleted_object_takes_no_new_finalizers():
    deleted = {**STORED, "deletionTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["a/b"]}
    assert update({"finalizers": []}, deleted) == []
    assert set(update({"finalizers": ["a/b", "z/z", "c/d"]}, deleted)) == {
        "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, "
        'found new finalizers []string{"c/d", "z/z"}'
    }


def test_the_version_of_an_owner_has_one_slash_at_most():
    owner = {"apiVersion": "a/b/c", "kind": "Pod", "name": "p", "uid": "u"}
    found = validate_meta_create({"name": "x", "ownerReferences": [owner]}, namespaced=False)
    assert [str(error) for error in found] == [
        'metadata.ownerReferences.apiVersion: Invalid value: "a/b/c": version must not be empty'
    ]
