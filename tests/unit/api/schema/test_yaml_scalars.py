"""What unquoted and tagged words mean, as kube-apiserver 1.36.2 answered."""

import pytest

from dray.api.schema.yaml_text import BadYaml, from_yaml

READ = {
    "1_000": 1000, "0o17": 15, "017": 15, "08": 8, "0b11": 3, "-0b11": -3, "0x1F": 31, "0x": "0x", "0b2": "0b2",
    "+5": 5, ".5": 0.5, "5.": 5, "._5": "._5", "1__0": 10, "_1": "_1", "1e3": 1000, "1e999999": "1e999999",
    "18446744073709551615": 2**64 - 1, "1:30:00": "1:30:00", "190:20:30.15": "190:20:30.15", "2001-01-01": "2001-01-01",
    "NaN": "NaN", "=": "=", "y": True, "N": False, "on": True, "~": None, "Null": None, "! 12": "12", "!foo bar": "bar",
    "!!binary aGk=": "hi", "!!float 3": 3, "!!timestamp 2001-01-01": "2001-01-01", "!!bool yes": True,
    "!!null ''": None, "!!merge x": "x", "!!str 1": "1", "!!python/object:os.system x": "x",
}  # fmt: skip
REFUSED = {
    ".inf": "json: unsupported value: +Inf",
    "-.Inf": "json: unsupported value: -Inf",
    ".nan": "json: unsupported value: NaN",
    "!!float x": "yaml: cannot decode !!str `x` as a !!float",
    "!!int ''": "yaml: cannot decode !!null `` as a !!int",
    "!!bool maybe": "yaml: cannot decode !!str `maybe` as a !!bool",
    "!!null x": "yaml: cannot decode !!str `x` as a !!null",
    "!!timestamp x": "yaml: cannot decode !!str `x` as a !!timestamp",
    "!<tag:yaml.org,2002:int> abc": "yaml: cannot decode !!str `abc` as a !!int",
    "!!binary '*'": "yaml: !!binary value contains invalid base64 data",
    "*nope": "yaml: unknown anchor 'nope' referenced",
    "&x [*x]": "yaml: anchor 'x' value contains itself",
}


@pytest.mark.parametrize("word", READ)
def test_words_mean_what_gos_reader_makes_of_them(word: str) -> None:
    value = from_yaml(f"a: {word}".encode())["a"]
    assert (value, type(value)) == (READ[word], type(READ[word]))


@pytest.mark.parametrize("word", REFUSED)
def test_a_word_that_is_not_what_its_tag_says_is_refused(word: str) -> None:
    with pytest.raises(BadYaml) as refused:
        from_yaml(f"a: {word}".encode())
    assert str(refused.value) == REFUSED[word]


def test_later_keys_win_over_merged_ones_and_merged_ones_over_earlier() -> None:
    assert from_yaml(b"<<: {a: b}\na: c") == {"a": "c"}
    assert from_yaml(b"a: c\n<<: {a: b}") == {"a": "b"}
    assert from_yaml(b"<<: [{a: 1}, {a: 2, b: 3}]") == {"a": 1, "b": 3}
    assert from_yaml(b"'<<': {a: b}") == {"<<": {"a": "b"}}


def test_only_mappings_are_merged() -> None:
    with pytest.raises(BadYaml, match="map merge requires map or sequence of maps as the value"):
        from_yaml(b"<<: 5")


def test_keys_are_written_as_text_and_none_is_no_key() -> None:
    assert from_yaml(b"1: a\n2.5: b\nyes: c\n0x10: e\n.inf: f") == {
        "1": "a", "2.5": "b", "true": "c", "16": "e", ".inf": "f",
    }  # fmt: skip
    with pytest.raises(BadYaml, match="unsupported map key"):
        from_yaml(b"~: a")


def test_a_merge_over_a_key_counts_as_that_key_twice() -> None:
    with pytest.raises(BadYaml, match='line 2: key "a" already set in map'):
        from_yaml(b"a: c\n<<: {a: b}", strict=True)
