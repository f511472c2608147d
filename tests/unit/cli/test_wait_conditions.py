"""What `kubectl wait --for` means, and how it refuses what means nothing; recorded from kubectl."""

from typing import Any

import pytest

from dray.cli.kubectl.session import Failure
from dray.cli.kubectl.wait_conditions import conditions

OBJECT: dict[str, Any] = {
    "metadata": {"name": "a", "generation": 2},
    "data": {"k": "v", "n": 3, "eq": "a==b"},
    "status": {
        "conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "Old", "status": "True", "observedGeneration": 1},
            {"type": "New", "status": "Maybe", "observedGeneration": 2},
        ]
    },
}


def _holds(text: str, obj: dict[str, Any] | None = OBJECT) -> bool:
    [holds] = conditions([text])
    return holds(obj)


@pytest.mark.parametrize(
    "text",
    [
        "condition=Ready",
        "condition=ready=TRUE",
        "condition=New=maybe",
        "jsonpath={.data.k}",
        "jsonpath={.data.k}=v",
        "jsonpath=.data.k=v",
        "jsonpath=data.k=v",
        "jsonpath={.data.k}='v'",
        "jsonpath={.data.n}=3",
        "jsonpath={.data}",
        "jsonpath={.data.eq}=a==b",
        'jsonpath={.status.conditions[?(@.type=="Ready")].status}=True',
        "Create",
    ],
)
def test_condition_holds(text: str) -> None:
    assert _holds(text)


@pytest.mark.parametrize(
    "text",
    [
        "condition=Old",
        "condition=Ready=false",
        "condition=Nope",
        "condition=",
        "jsonpath={.data.k}=w",
        "jsonpath={.data.nope}",
        "DELETE",
    ],
)
def test_condition_does_not_hold(text: str) -> None:
    assert not _holds(text)


def test_gone_is_what_is_not_there() -> None:
    assert _holds("delete", None)
    assert not _holds("jsonpath={.data.k}=v", None)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("nope", 'unrecognized condition: "nope"'),
        ("", 'unrecognized condition: ""'),
        ("Condition=Ready", 'unrecognized condition: "Condition=Ready"'),
        ("jsonpath", 'unrecognized condition: "jsonpath"'),
        ("jsonpath=", "jsonpath expression cannot be empty"),
        (
            "jsonpath={.a}=",
            "jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3",
        ),
        (
            "jsonpath={.a}=b=c",
            "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or --for=jsonpath='{.status.readyReplicas}'",
        ),
        (
            "jsonpath={.a",
            "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' or '{.name1.name2}'",
        ),
        ("jsonpath={.a[}", "unterminated array"),
    ],
)
def test_what_means_nothing_is_refused(text: str, told: str) -> None:
    with pytest.raises(Failure) as raised:
        conditions([text])
    assert str(raised.value) == f"error: {told}"


def test_no_condition_at_all_is_refused() -> None:
    with pytest.raises(Failure, match=r"^error: unrecognized condition: \[\]$"):
        conditions([])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("jsonpath={.data.*}", "given jsonpath expression matches more than one value"),
        ("jsonpath={.data}=x", "jsonpath leads to a nested object or list which is not supported"),
        ("jsonpath={.data[0]}", "map[string]interface {} is not array or slice"),
    ],
)
def test_object_that_cannot_be_asked_is_told(text: str, told: str) -> None:
    with pytest.raises(Failure) as raised:
        _holds(text)
    assert str(raised.value) == f"error: {told}"
