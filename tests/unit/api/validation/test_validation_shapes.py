"""The parts validation is built of: lists, equality, internal forms, conditions, node selectors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dray.api.fields import Path, invalid
from dray.api.validation.conditions import validate_conditions
from dray.api.validation.internal_form import InternalForms
from dray.api.validation.lists import each, each_unique, no_check, repeated
from dray.api.validation.node_selector import validate_node_selector
from dray.api.validation.resource.claim_status import canonical_cidr
from dray.api.validation.resource.naming import shown_key, validate_pool, validate_uid
from dray.api.validation.sameness import same

AT = Path("x")


def texts(found):
    return [str(error) for error in found]


def test_list_that_is_too_long_hides_what_is_in_it():
    assert texts(each([1, 2], AT, lambda item, at: [invalid(at, item, "no")], most=1)) == [
        "x: Too many: 2: must have at most 1 item"
    ]
    assert texts(each([1], AT, lambda item, at: [invalid(at, item, "no")], most=1)) == [
        "x[0]: Invalid value: 1: no"
    ]


def test_duplicates_are_named_where_they_come_again():
    assert texts(each_unique(["a", "b", "a"], AT, no_check)) == ['x[2]: Duplicate value: "a"']
    assert repeated([1, 2, 1, 1]) == [2, 3]


def test_what_is_wrong_with_any_item_is_told_before_what_comes_twice():
    found = each_unique(
        ["a", "a", "B"], AT, lambda item, at: [invalid(at, item, "no")] if item == "B" else []
    )
    assert texts(found) == ['x[2]: Invalid value: "B": no', 'x[1]: Duplicate value: "a"']


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        ({"a": None, "b": []}, {}, True),
        ({"a": {"b": {}}}, {}, True),
        ([{"a": []}], [{}], True),
        ({"a": 0}, {}, False),
        ({"a": False}, {"a": None}, False),
        ([1, 2], [2, 1], False),
        ({"a": [{}]}, {}, False),
    ],
)
def test_absent_null_and_empty_are_one_thing(left, right, equal):
    assert same(left, right) is equal
    assert same(right, left) is equal


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_everything_is_the_same_as_itself(value):
    assert same(value, value)


FORMS = InternalForms("""
Outer:
  Meta metadata inline
  Name name string
  Inner inner *Inner
  Many many []Inner
  ByKey byKey map[Inner]
  Inner . Inner
Inner:
  Count count int
  Flag flag bool
  Raw raw any
""")


def test_internal_form_shows_every_field_of_a_struct():
    assert FORMS.show("Outer", {}) == {
        "Name": "",
        "Inner": None,
        "Many": None,
        "ByKey": None,
        "Count": 0,
        "Flag": False,
        "Raw": None,
    }


def test_internal_form_tells_empty_from_absent():
    shown = FORMS.show(
        "Outer", {"metadata": {"labels": {"a": "b"}}, "many": [], "byKey": {"k": {"count": 1}}}
    )
    assert shown["labels"] == {"a": "b"}
    assert shown["Many"] == []
    assert shown["ByKey"] == {"k": {"Count": 1, "Flag": False, "Raw": None}}


def condition(**change):
    complete = {
        "type": "Ready",
        "status": "True",
        "reason": "Because",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }
    return {**complete, **change}


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (
            {"status": "yes"},
            'x[0].status: Unsupported value: "yes": supported values: "False", "True", "Unknown"',
        ),
        ({"lastTransitionTime": None}, "x[0].lastTransitionTime: Required value"),
        ({"reason": ""}, "x[0].reason: Required value"),
        ({"message": "m" * 32769}, "x[0].message: Too long: may not be more than 32768 bytes"),
        (
            {"observedGeneration": -1},
            "x[0].observedGeneration: Invalid value: -1: must be greater than or equal to zero",
        ),
    ],
)
def test_conditions_are_complete(change, finding):
    assert texts(validate_conditions([condition(**change)], AT)) == [finding]


def test_conditions_are_looked_at_even_when_there_are_too_many():
    found = texts(validate_conditions([condition(), condition()], AT, most=1))
    assert found == ["x: Too many: 2: must have at most 1 item", 'x[1].type: Duplicate value: "Ready"']


def test_values_of_node_selectors_are_label_values_where_that_is_asked_for():
    terms = [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["a b"]}]}]
    assert validate_node_selector({"nodeSelectorTerms": terms}, AT) == []
    assert validate_node_selector({"nodeSelectorTerms": terms}, AT, strict_values=True) != []


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("10.9.8.7/24", "10.9.8.7/24"),
        ("010.09.8.7/24", "10.9.8.7/24"),
        ("2001:DB8::1/64", "2001:db8::1/64"),
        ("2001:db8:0:0::1/64", "2001:db8::1/64"),
        ("::ffff:10.0.0.1/120", "10.0.0.1/24"),
        ("10.0.0.1", None),
        ("10.0.0.1/33", None),
        ("fe80::1%eth0/64", None),
        ("x/24", None),
        ("10.0.0.1/+8", None),
    ],
)
def test_interface_addresses_have_one_form(text, canonical):
    assert canonical_cidr(text) == canonical


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("11111111-2222-3333-4444-555555555555", None),
        ("x", "error validating uid: invalid UUID length: 1"),
        ("11111111-2222-3333-4444-55555555555g", "error validating uid: invalid UUID format"),
        ("11111111222233334444555555555555", "uid must be in RFC 4122 normalized form"),
        ("A1111111-2222-3333-4444-555555555555", "uid must be in RFC 4122 normalized form"),
        ("{11111111-2222-3333-4444-555555555555}", "uid must be in RFC 4122 normalized form"),
        ("urn:uuid:11111111-2222-3333-4444-555555555555", "uid must be in RFC 4122 normalized form"),
    ],
)
def test_shares_are_named_by_uuids_in_normal_form(text, problem):
    found = texts(validate_uid(text, AT))
    if problem is None:
        assert found == []
    else:
        assert problem in found[0]


def test_every_part_of_a_pool_name_is_judged():
    assert [error.bad_value for error in validate_pool("a/B//c", AT)] == ["B", ""]


def test_key_too_long_to_be_right_is_cut_in_the_middle():
    assert shown_key("a" * 96) == "a" * 96
    assert shown_key("a" * 50 + "b" * 50) == "a" * 47 + "..." + "b" * 46
