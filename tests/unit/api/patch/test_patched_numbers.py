"""Numbers in patches stay as they were written, and are told from each other by that."""

from typing import Any

import pytest

from dray.api.errors import BadRequest
from dray.api.patch import PatchError, json_patch, merge_patch, parse_operations, rendered
from dray.api.schema.json_text import read_spelled


def patched(document: Any, operations: str) -> Any:
    return json_patch(document, parse_operations(operations.encode()))


@pytest.mark.parametrize("number", ["1", "1.0", "1e0", "-0", "1e400", "123456789012345678901234567890"])
def test_a_number_tests_as_itself(number: str) -> None:
    add = f'{{"op":"add","path":"/a","value":{{"b":[{number}]}}}}'
    test = f'{{"op":"test","path":"/a","value":{{"b":[{number}]}}}}'
    found = json_patch({}, parse_operations(f"[{add},{test}]".encode(), is_lenient=True))
    assert rendered(found, {}) == f'{{"a":{{"b":[{number}]}}}}'


@pytest.mark.parametrize("number", ["1.0", "1e0", '"1"', "true", "2"])
def test_a_number_written_otherwise_is_another(number: str) -> None:
    with pytest.raises(PatchError):
        patched({"a": 1}, f'[{{"op":"test","path":"/a","value":{number}}}]')


def test_a_copy_keeps_the_spelling_and_is_a_copy() -> None:
    found = patched(
        {},
        '[{"op":"add","path":"/a","value":{"n":1.50}},{"op":"copy","from":"/a","path":"/b"},'
        '{"op":"add","path":"/b/c","value":2}]',
    )
    assert rendered(found, {}) == '{"a":{"n":1.50},"b":{"n":1.50,"c":2}}'


def test_a_number_that_no_float_holds_is_refused_unless_the_client_wants_no_strictness() -> None:
    body = b'[{"op":"add","path":"/a","value":[1,1e400]}]'
    with pytest.raises(BadRequest) as refused:
        parse_operations(body)
    assert refused.value.message == (
        "error decoding patch: json: cannot unmarshal number 1e400 into Go struct field "
        "jsonPatchOp.value of type float64"
    )
    assert parse_operations(body, is_lenient=True)


@pytest.mark.parametrize("index", ["1_0", " 1", "1 ", "١", "0x1", "", "1e0", "9" * 30])
def test_an_index_consists_of_digits(index: str) -> None:
    with pytest.raises(PatchError):
        patched({"a": list(range(20))}, f'[{{"op":"replace","path":"/a/{index}","value":7}}]')


def test_a_merged_number_is_shown_as_it_was_written() -> None:
    patch = read_spelled(b'{"a":{"n":1.50,"b":1E3}}').value
    document = merge_patch({"z": 1, "a": {"q": 1}}, patch)
    assert rendered(document, patch) == '{"a":{"b":1E3,"n":1.50,"q":1},"z":1}'


def test_only_the_elements_a_json_patch_went_into_are_shown_sorted() -> None:
    document = {"l": [{"b": 1, "a": 1}, {"d": 1, "c": {"z": 1, "y": 1}}]}
    assert rendered(document, {"l": {"1": {}}}) == '{"l":[{"b":1,"a":1},{"c":{"z":1,"y":1},"d":1}]}'


def test_lists_of_a_patch_are_shown_with_their_keys_sorted() -> None:
    patch = {"a": [{"z": 1, "b": [{"d": 1, "c": 2}]}]}
    assert rendered(merge_patch({}, patch), patch) == '{"a":[{"b":[{"c":2,"d":1}],"z":1}]}'
