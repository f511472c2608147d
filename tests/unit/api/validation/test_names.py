"""Names, in the words of Kubernetes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dray.api import names

LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is "
    "'[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
)
QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric "
    "character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is "
    "'([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
)


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("a", []),
        ("0-9", []),
        ("", [LABEL]),
        ("A", [LABEL]),
        ("-a", [LABEL]),
        ("a\n", [LABEL]),
        ("٣", [LABEL]),
        ("a.b", ["must not contain dots"]),
        ("a" * 63, []),
        ("a" * 64, ["must be no more than 63 characters"]),
        ("A" * 64, ["must be no more than 63 characters", LABEL]),
    ],
)
def test_labels(text, complaints):
    assert names.dns_label(text) == complaints


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("a", []),
        ("example.com/A_b.c", []),
        ("a b", [QUALIFIED]),
        ("", ["name part must be non-empty", QUALIFIED]),
        ("/a", ["prefix part must be non-empty"]),
        ("a/", ["name part must be non-empty", QUALIFIED]),
        ("a" * 64, ["name part must be no more than 63 bytes"]),
    ],
)
def test_qualified_names(text, complaints):
    assert names.qualified_name(text) == complaints


def test_qualified_name_has_one_slash_at_most():
    (complaint,) = names.qualified_name("a/b/c")
    assert complaint.startswith("a valid label key must consist of")
    assert complaint.endswith("with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')")


def test_length_counts_bytes():
    assert names.label_value("é" * 32)[0] == "must be no more than 63 bytes"
    assert names.byte_length("é") == 2


@pytest.mark.parametrize(
    ("text", "fine"),
    [("my-prefix-", True), ("my-prefix", True), ("A_", False), ("-", False), ("a.", False)],
)
def test_prefix_of_a_generated_name_may_end_in_a_dash(text, fine):
    assert (names.prefix_of(text, names.dns_subdomain) == []) is fine


@pytest.mark.parametrize(
    ("text", "fine"), [("A", True), ("a b", True), ("a=b", False), ("", False), ("é", False)]
)
def test_environment_variables(text, fine):
    assert (names.env_name(text) == []) is fine


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("http", None),
        ("a--b", "must not contain consecutive hyphens"),
        ("80", "must contain at least one letter (a-z)"),
        ("-a", "must not begin or end with a hyphen"),
        ("a" * 16, "must be no more than 15 characters"),
        ("A", "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)"),
    ],
)
def test_port_names(text, complaint):
    found = names.port_name(text)
    assert found == [] if complaint is None else complaint in found


@pytest.mark.parametrize(
    ("text", "complaint"),
    [(".", "must not be '.'"), ("..", "must not be '..'"), ("..a", "must not start with '..'")],
)
def test_keys_of_configuration_are_file_names(text, complaint):
    assert names.config_key(text) == [complaint]


@pytest.mark.parametrize(
    ("text", "complaints"),
    [("a:b", []), (".", ["may not be '.'"]), ("a/b%", ["may not contain '/'", "may not contain '%'"])],
)
def test_names_in_urls(text, complaints):
    assert names.path_segment(text) == complaints


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True))
def test_every_label_is_a_subdomain_a_label_value_and_a_qualified_name(text):
    assert names.dns_label(text) == names.dns_subdomain(text) == []
    assert names.label_value(text) == names.qualified_name(text) == []
