"""Selectors in questions about access: what is refused, and what is told of those that could not be read."""

import pytest

from dray.apiserver.reviews.selectors import selector_errors, unread

AT = "spec.resourceAttributes"


def one(**requirement: object) -> dict[str, object]:
    return {"requirements": [requirement]}


@pytest.mark.parametrize(
    ("field", "selector", "text"),
    [
        (
            "fieldSelector",
            {},
            f"requirements: Required value: when {AT}.fieldSelector is specified, requirements or rawSelector is required",
        ),
        (
            "labelSelector",
            {"rawSelector": "a=b", **one(key="a", operator="Exists")},
            'rawSelector: Invalid value: "a=b": may not specified at the same time as requirements',
        ),
        (
            "fieldSelector",
            one(operator="In", values=["x"]),
            "requirements[0].key: Required value: must be specified",
        ),
        (
            "labelSelector",
            one(key="a", operator="NotIn"),
            "requirements[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
        ),
        (
            "fieldSelector",
            one(key="a", operator="Exists", values=["x"]),
            "requirements[0].values: Forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
        ),
    ],
)
def test_a_selector_must_be_one(field: str, selector: dict[str, object], text: str) -> None:
    assert [str(error) for error in selector_errors({field: selector})] == [f"{AT}.{field}.{text}"]


@pytest.mark.parametrize(
    ("field", "selector", "text"),
    [
        ("fieldSelector", one(key="a", operator="In", values=["x"]), ""),
        ("fieldSelector", one(key="a", operator="In", values=["x", "y"]), "ignored due to parse error"),
        ("fieldSelector", one(key="a", operator="Exists"), "ignored due to parse error"),
        ("labelSelector", one(key="a", operator="In", values=["x", "y"]), ""),
        ("labelSelector", one(key="a", operator="Gt", values=["1"]), "ignored due to parse error"),
        ("labelSelector", {"rawSelector": "a in (b"}, "ignored due to parse error"),
        ("fieldSelector", {"rawSelector": "a=b"}, ""),
        (
            "fieldSelector",
            {
                "requirements": [
                    {"key": "a", "operator": "In", "values": ["b"]},
                    {"key": "c", "operator": "Exists"},
                ]
            },
            "partially ignored due to parse error",
        ),
    ],
)
def test_what_could_not_be_read_is_told(field: str, selector: dict[str, object], text: str) -> None:
    assert unread({field: selector}) == (f"{AT}.{field} {text}" if text else "")
