"""Label and field selectors: what they select, and what a bad one is told."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dray.api.selectors import (
    SelectorError,
    label_selector_of,
    parse_field_selector,
    parse_label_selector,
    selects,
)

LABELS = {"app": "web", "tier": "3", "empty": ""}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "app=web",
        "app==web",
        "app = web",
        "app!=db",
        "missing!=anything",
        "app in (db, web)",
        "app notin (db)",
        "missing notin (db)",
        "app",
        "!missing",
        "tier>2",
        "tier<4",
        "empty=",
        "empty in ()",
        "empty in (,x)",
        "app=web,tier=3,!missing",
    ],
)
def test_selects(text: str) -> None:
    assert parse_label_selector(text).matches(LABELS)


@pytest.mark.parametrize(
    "text",
    [
        "app=db",
        "app!=web",
        "missing=x",
        "app in (db)",
        "app notin (web)",
        "missing",
        "!app",
        "tier>3",
        "app>1",
        "app in ()",
    ],
)
def test_does_not_select(text: str) -> None:
    assert not parse_label_selector(text).matches(LABELS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x===1", "unable to parse requirement: found '=', expected: identifier"),
        ("a b", "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"),
        ("a,", "found '', expected: identifier after ','"),
        ("a,,b", "found ',', expected: identifier after ','"),
        ("(a)", "found '(', expected: !, identifier, or 'end of string'"),
        ("a in b", "unable to parse requirement: found 'b' expected: '('"),
        ("a in (b", "unable to parse requirement: found '', expected: ',' or ')'"),
        ("a=b c", "found 'c', expected: ',' or 'end of string'"),
        (
            "a>b",
            'unable to parse requirement: values[0]: Invalid value: "b": '
            "for 'Gt', 'Lt' operators, the value must be an integer",
        ),
    ],
)
def test_a_bad_label_selector_is_told_what_was_expected(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as refused:
        parse_label_selector(text)

    assert str(refused.value) == message


def test_keys_and_values_of_a_label_selector_must_be_label_keys_and_values() -> None:
    with pytest.raises(SelectorError, match='<nil>: Invalid value: "-a"'):
        parse_label_selector("-a=b")
    with pytest.raises(SelectorError, match=r'values\[0\]\[a\]: Invalid value: "b_"'):
        parse_label_selector("a=b_")


@given(st.text(max_size=30))
def test_parsing_any_text_gives_a_selector_or_a_selector_error(text: str) -> None:
    for parse in (parse_label_selector, parse_field_selector):
        with contextlib.suppress(SelectorError):
            parse(text)


def test_an_absent_selector_object_selects_nothing_and_an_empty_one_everything() -> None:
    assert label_selector_of(None) is None
    assert not selects(None, LABELS)
    assert selects({}, LABELS)
    assert selects({}, None)


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "4"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_a_selector_object_selects_by_all_of_its_terms(selector: dict[str, object], selected: bool) -> None:
    assert selects(selector, LABELS) is selected


def test_a_selector_object_with_an_unknown_operator_is_refused() -> None:
    with pytest.raises(SelectorError, match='"Near" is not a valid label selector operator'):
        selects({"matchExpressions": [{"key": "a", "operator": "Near"}]}, {})


def field_values(**values: str):  # type: ignore[no-untyped-def]
    return lambda field: values.get(field.replace(".", "_"), "")


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("metadata.name=a", True),
        ("metadata.name==a", True),
        ("metadata.name!=a", False),
        ("metadata.name=a,spec.nodeName=n", True),
        ("metadata.name=a,spec.nodeName!=n", False),
        ("spec.nodeName=", False),
        ("status.phase=", True),
    ],
)
def test_a_field_selector_compares_every_field(text: str, selected: bool) -> None:
    values = field_values(metadata_name="a", spec_nodeName="n")

    assert parse_field_selector(text).matches(values) is selected


def test_a_field_value_may_hold_escaped_separators() -> None:
    selector = parse_field_selector(r"metadata.name=a\,b\=c\\d,x=y")

    assert [(term.field, term.value) for term in selector.terms] == [
        ("metadata.name", r"a,b=c\d"),
        ("x", "y"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metadata.name", "invalid selector: 'metadata.name'; can't understand 'metadata.name'"),
        (r"a=\x", "invalid field selector: invalid escape sequence: \\x"),
        ("a=b=c", "invalid field selector: unescaped character in field selector value: ="),
    ],
)
def test_a_bad_field_selector_is_told_why(text: str, message: str) -> None:
    with pytest.raises(SelectorError) as refused:
        parse_field_selector(text)

    assert str(refused.value) == message


def test_the_value_a_field_must_have_is_known() -> None:
    assert parse_field_selector("metadata.name=a,x!=y").required("metadata.name") == "a"
    assert parse_field_selector("metadata.name!=a").required("metadata.name") is None
