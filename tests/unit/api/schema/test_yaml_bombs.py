"""A short YAML text cannot ask for all memory."""

import contextlib

import pytest

from dray.api.schema.yaml_text import BadYaml, from_yaml

LEVELS = 40


def aliases() -> str:
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, LEVELS)]
    return "\n".join(lines)


def merges() -> str:
    lines = ["l0: &l0 {a: 1, b: 2}"]
    lines += [f"l{n}: &l{n} {{<<: [*l{n - 1}, *l{n - 1}]}}" for n in range(1, LEVELS)]
    return "\n".join(lines)


@pytest.mark.parametrize("text", [aliases(), "a: &a [*a]", "a: &a {b: *a}"], ids=range(3))
@pytest.mark.timeout(10)
def test_documents_that_grow_without_limit_are_refused(text: str) -> None:
    with pytest.raises(BadYaml):
        from_yaml(text.encode())


@pytest.mark.timeout(10)
def test_merge_keys_that_double_each_time_stay_small_or_are_refused() -> None:
    with contextlib.suppress(BadYaml):  # as the YAML library's release has it
        assert from_yaml(merges().encode())[f"l{LEVELS - 1}"] == {"a": 1, "b": 2}


def test_aliases_and_merge_keys_are_copied_in_reason() -> None:
    text = "base: &base {a: 1}\nmore: {<<: *base, b: 2}\nlist: &list [1, 2]\nagain: [*list, *list]\n"
    assert from_yaml(text.encode()) == {
        "base": {"a": 1},
        "more": {"a": 1, "b": 2},
        "list": [1, 2],
        "again": [[1, 2], [1, 2]],
    }


def test_large_documents_without_aliases_are_read() -> None:
    text = "items:\n" + "".join(f"- {{a: {n}}}\n" for n in range(20_000))
    assert len(from_yaml(text.encode())["items"]) == 20_000


HOSTILE = {
    "few merges of a large mapping": "a: &a {" + ",".join(f"k{n}: v" for n in range(20_000)) + "}\nb: ["
    + ",".join(["{<<: *a}"] * 20_000) + "]",
    "a merge of itself": "a: &a {<<: *a}",
    "copies of something deep": "a: &a " + "[" * 999 + "]" * 999 + "\nb: *a",
    "a number in base 60": "a: 1" + ":59" * 1_000_000,
    "more values than anybody means": "a: [" + "1," * 600_000 + "]",
    "many directives": "".join(f"%TAG !a{n}! b\n" for n in range(50_000)) + "---\na: 1:59:59",
    "deeper than anybody means": "a: " + "[" * 2_000 + "]" * 2_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.timeout(15)
def test_what_would_take_all_time_is_refused_or_read_quickly(name: str) -> None:
    with contextlib.suppress(BadYaml):
        assert from_yaml(HOSTILE[name].encode())["a"].startswith("1:59:59")
