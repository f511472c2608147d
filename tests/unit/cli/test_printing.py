"""`-o` makes of objects what kubectl makes of them; recorded from it."""

import pathlib
from typing import Any

import pytest

from dray.cli.kubectl.printing import list_of, printer_for
from dray.cli.kubectl.session import Failure

CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Thing",
    "metadata": {"name": "a", "managedFields": [{"manager": "m"}]},
    "spec": {
        "big": 1e6,
        "e20": 1e20,
        "huge": 12345678901234567000,
        "tiny": 1e-5,
        "t": True,
        "n": None,
        "s": "<&\u2028",
        "l": [1.5, []],
        "m": {},
    },
}


def _printed(output: str, whole: Any, capsys: pytest.CaptureFixture[str], **options: Any) -> str:
    printer_for(output, lambda obj: str(obj["kind"]).lower(), **options)(whole)
    return capsys.readouterr().out


def test_json_spells_numbers_and_texts_as_go_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert _printed("json", CLAIM, capsys) == (
        '{\n    "apiVersion": "v1",\n    "kind": "Thing",\n    "metadata": {\n        "name": "a"\n    },\n'
        '    "spec": {\n        "big": 1000000,\n        "e20": 100000000000000000000,\n'
        '        "huge": 12345678901234567000,\n        "l": [\n            1.5,\n            []\n        ],\n'
        '        "m": {},\n        "n": null,\n        "s": "\\u003c\\u0026\\u2028",\n        "t": true,\n'
        '        "tiny": 0.00001\n    }\n}\n'
    )


def test_yaml_has_exponents_where_an_integer_would_not_fit(capsys: pytest.CaptureFixture[str]) -> None:
    shown = _printed("YAML", CLAIM, capsys)
    for line in ("  big: 1000000\n", "  e20: 1e+20\n", "  huge: 12345678901234567000\n", "  tiny: 1e-05\n"):
        assert line in shown


def test_columns_show_values_as_go_prints_them(capsys: pytest.CaptureFixture[str]) -> None:
    paths = "big", "e20", "tiny", "t", "n", "l", "m", "l[*]", "nope"
    spec = ",".join(f"X:.spec.{path}" for path in paths)
    assert _printed(f"custom-columns={spec}", CLAIM, capsys, no_headers=True).split("   ") == [
        *("1e+06", "1e+20", "1e-05", "true", "<nil>", "[1.5 []]", "map[]", "1.5,[]", "<none>\n")
    ]


def test_objects_of_a_list_have_integers_for_whole_floats(capsys: pytest.CaptureFixture[str]) -> None:
    spec = "custom-columns=N:metadata.name,B:{.spec.big},H:{spec.huge}"
    shown = _printed(spec, list_of([CLAIM, CLAIM]), capsys)
    row = "a     1000000   1.2345678901234567e+19\n"
    assert shown == f"N     B         H\n{row}{row}"


def test_columns_keep_what_a_terminal_would_obey_to_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    thing = {"a": "\x1b[31m\r"}
    assert _printed("custom-columns=A:.a", thing, capsys) == "A\n^[[31m\\r\n"


def test_columns_may_be_in_a_file(capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path) -> None:
    (tmp_path / "columns").write_text("N   BIG\nmetadata.name   {.spec.t}\n")
    assert _printed(f"custom-columns-file={tmp_path}/columns", CLAIM, capsys) == "N     BIG\na     true\n"


def test_header_stands_although_a_column_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Failure, match=r"^error: array index out of bounds: index 7, length 2$"):
        _printed("custom-columns=A:.spec.l[7]", CLAIM, capsys)
    assert capsys.readouterr().out == "A\n"


def test_managed_fields_are_shown_to_templates_and_on_demand(capsys: pytest.CaptureFixture[str]) -> None:
    assert _printed("jsonpath={.metadata.managedFields[0].manager}", CLAIM, capsys) == "m"
    assert '"manager": "m"' in _printed("json", CLAIM, capsys, show_managed_fields=True)


def test_names_are_told_of_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert _printed("name", list_of([CLAIM, CLAIM]), capsys) == "thing/a\nthing/a\n"


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ("jsonpath", "template format specified but no template given"),
        ("jsonpath=", "template format specified but no template given"),
        ("jsonpath={.a", "error parsing jsonpath {.a, unclosed action"),
        ("jsonpath-file=nope", "error reading --template nope, open nope: no such file or directory"),
        ("custom-columns", "custom-columns format specified but no custom columns given"),
        ("custom-columns=A", "unexpected custom-columns spec: A, expected <header>:<json-path-expr>"),
        ("custom-columns-file=nope", "error reading template nope, open nope: no such file or directory"),
    ],
)
def test_output_that_cannot_be_made_is_refused(output: str, told: str) -> None:
    with pytest.raises(Failure) as raised:
        printer_for(output, lambda _: "")
    assert str(raised.value) == f"error: {told}"


def test_unknown_output_is_answered_with_what_there_is() -> None:
    with pytest.raises(Failure) as raised:
        printer_for("nope", lambda _: "")
    assert str(raised.value) == (
        'error: unable to match a printer suitable for the output format "nope", allowed formats are: '
        "custom-columns,custom-columns-file,json,jsonpath,jsonpath-as-json,jsonpath-file,name,wide,yaml"
    )
