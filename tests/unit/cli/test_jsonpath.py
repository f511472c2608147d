"""JSONPath templates mean to the built-in kubectl what they mean to kubectl: recorded from it, object by object."""

import json
import pathlib
from typing import Any

import pytest

from dray.cli.kubectl.jsonpath import NotApplicable, Template, explained, relaxed
from dray.cli.kubectl.jsonpath_text import JsonPathError

LINES = (
    (pathlib.Path(__file__).parents[2] / "corpus" / "kubectl" / "jsonpath.jsonl")
    .read_text(encoding="utf-8")
    .split("\n")[:-1]
)
OBJECTS: dict[str, Any] = json.loads(LINES[0])
CASES: list[list[str]] = [json.loads(line) for line in LINES[1:]]


def _told(template: str, data: Any) -> tuple[str, str]:
    try:
        return "shows", Template(template).render(data)
    except JsonPathError as error:
        return "cannot read", str(error)
    except NotApplicable as error:
        return "cannot follow", str(error)


@pytest.mark.parametrize(("what", "template", "verdict", "text"), CASES)
def test_template_shows_what_kubectl_shows(what: str, template: str, verdict: str, text: str) -> None:
    assert _told(template, OBJECTS[what]) == (verdict, text)


def test_recordings_cover_all_three_verdicts() -> None:
    verdicts = [verdict for _, _, verdict, _ in CASES]
    assert {name: verdicts.count(name) > 40 for name in ("shows", "cannot read", "cannot follow")} == {
        "shows": True,
        "cannot read": True,
        "cannot follow": True,
    }


def test_wildcard_of_a_map_shows_every_value() -> None:
    shown = Template("{.items[0].metadata.labels.*}").render(OBJECTS["namespaces"])
    assert shown == "default"


def test_string_has_its_bytes_for_members() -> None:
    assert Template("{.a.*}").render({"a": "é!"}) == "195 169 33"


def test_missing_key_is_an_error_where_it_must_be_there() -> None:
    template = Template("{.a.b}", allow_missing=False)
    with pytest.raises(NotApplicable, match=r"^b is not found$"):
        template.results({"a": {"c": 1}})


def test_results_come_as_json_one_list_for_each_part() -> None:
    shown = Template('{.a}{" "}{.b}').render_json({"a": {"y": 1e20, "x": "<"}})
    assert shown == (
        '[\n    {\n        "x": "\\u003c",\n        "y": 100000000000000000000\n    }\n]\n[\n    " "\n]\n[]\n'
    )


def test_bytes_that_are_no_text_pass_through() -> None:
    assert Template(r'{"\xff"}').render({}).encode(errors="surrogateescape") == b"\xff"


def test_failure_is_told_with_template_and_data() -> None:
    data = {"a": [], "b": 1}
    with pytest.raises(NotApplicable) as raised:
        Template("{.a[0]}").render(data)
    assert explained("{.a[0]}", data, raised.value) == (
        'error executing jsonpath "{.a[0]}": Error executing template: array index out of bounds: index 0, length 0. '
        "Printing more information for debugging the template:\n"
        "\ttemplate was:\n\t\t{.a[0]}\n"
        "\tobject given to jsonpath engine was:\n"
        '\t\tmap[string]interface {}{"a":[]interface {}{}, "b":1}\n\n\n'
    )


@pytest.mark.parametrize("path", ["a.b", ".a.b", "{a.b}", "{.a.b}"])
def test_path_may_lack_its_braces_and_its_dot(path: str) -> None:
    assert relaxed(path) == "{.a.b}"


def test_template_is_no_path() -> None:
    with pytest.raises(JsonPathError, match=r"^unexpected path string, expected a 'name1.name2' or "):
        relaxed("{.a}x")
