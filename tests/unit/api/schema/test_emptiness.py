"""Empty lists and maps are told from none while a write is judged, and are not stored."""

import pytest

from dray.api.schema import schema_for
from dray.api.schema.emptiness import may_be_empty, same_by, with_empties, without_empties

POD = schema_for("v1", "Pod")
ROLE = schema_for("rbac.authorization.k8s.io/v1", "ClusterRole")
assert POD is not None
assert ROLE is not None


@pytest.mark.parametrize(
    ("obj", "sent", "shown"),
    [
        ({"spec": {}}, {"spec": {"volumes": []}}, {"spec": {"volumes": []}}),
        ({"spec": {}}, {"spec": {"nodeSelector": {}}}, {"spec": {"nodeSelector": {}}}),
        ({"spec": {"containers": None}}, {"spec": {"containers": []}}, {"spec": {"containers": []}}),
        (
            {"spec": {"containers": [{"name": "c"}]}},
            {"spec": {"containers": [{"args": []}]}},
            {"spec": {"containers": [{"name": "c", "args": []}]}},
        ),
    ],
)
def test_empty_lists_and_maps_that_were_left_out_come_back(obj, sent, shown) -> None:
    assert with_empties(obj, sent, POD) == shown


@pytest.mark.parametrize(
    ("obj", "sent"),
    [
        ({"spec": {"volumes": [{}]}}, {"spec": {"volumes": []}}),
        ({"spec": {}}, {"spec": {"hostname": "", "affinity": {}}}),
        ({"spec": {}}, {"spec": {"unknown": []}}),
        ({"spec": {}}, {"spec": {"volumes": {}, "nodeSelector": []}}),
        ({"spec": {"containers": [{}, {}]}}, {"spec": {"containers": [{"args": []}]}}),
        ({"spec": {}}, None),
    ],
    ids=["there is something", "no list or map", "unknown", "misfit", "another list", "nothing"],
)
def test_nothing_else_comes_back(obj, sent) -> None:
    assert with_empties(obj, sent, POD) is obj


def test_what_is_stored_has_no_empty_list_or_map() -> None:
    context = {"securityContext": {}, "overhead": {}, "containers": [{"args": [], "resources": {}}]}
    stored = {"spec": {"securityContext": {}, "containers": [{"resources": {}}]}}
    given = {"metadata": {"labels": {}, "finalizers": []}, "spec": context}

    assert without_empties(given, POD) == {"metadata": {}, **stored}


def test_a_list_that_is_always_written_is_null_once_it_is_stored() -> None:
    role = {"rules": [{"verbs": [], "resources": []}]}

    assert without_empties(role, ROLE) == {"rules": [{"verbs": None}]}
    assert without_empties(role, ROLE, stored=False) == {"rules": [{"verbs": []}]}


def test_an_object_without_any_is_itself() -> None:
    given = {"spec": {"securityContext": {}, "containers": [{"name": "c"}]}}

    assert without_empties(given, POD) is given


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ({"spec": {"overhead": {}}}, {"spec": {}}, True),
        ({"spec": {"containers": []}}, {"spec": {"containers": None}}, True),
        ({"spec": {"securityContext": {}}}, {"spec": {}}, False),
        ({"spec": {"volumes": [{"emptyDir": {}}]}}, {"spec": {"volumes": [{}]}}, False),
    ],
)
def test_empty_lists_and_maps_are_as_none_and_empty_structs_are_not(left, right, same) -> None:
    assert same_by(POD, left, right) is same


@pytest.mark.parametrize(
    ("text", "maybe"),
    [(b'{"a":[1],"b":{"c":"d"}}', False), (b'{"a":[ ]}', True), (b'{"a":{\n}}', True), (b'{"a":"[]"}', True)],
)
def test_a_text_tells_whether_anything_in_it_may_be_empty(text, maybe) -> None:
    assert may_be_empty(text) is maybe
