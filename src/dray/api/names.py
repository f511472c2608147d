"""Which texts are names: DNS labels and subdomains, qualified names, label values, C identifiers, ports, keys.

Every rule is a function `text -> list of complaints` in Kubernetes' words; an empty list means the name
is fine. Where a name stands in an object, and which rule a field follows, is for the callers to know.
"""

import re
from collections.abc import Callable
from typing import TypeAlias

NameRule: TypeAlias = Callable[[str], list[str]]

LABEL_MAX = 63
SUBDOMAIN_MAX = 253
QUALIFIED_NAME_MAX = 63
LABEL_VALUE_MAX = 63
PORT_NAME_MAX = 15

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_SEARCH_LABEL = "_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_SEARCH = rf"{_SEARCH_LABEL}(\.{_SEARCH_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_QUALIFIED = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_LABEL_VALUE = f"({_QUALIFIED})?"
_C_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_CONFIG_KEY = "[-._a-zA-Z0-9]+"
_CONDITION_REASON = "[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?"

_LABEL_RE = re.compile(_LABEL)
_SUBDOMAIN_RE = re.compile(_SUBDOMAIN)
_SUBDOMAIN_ANY_CASE_RE = re.compile(_SUBDOMAIN, re.IGNORECASE | re.ASCII)
_SEARCH_RE = re.compile(_SEARCH)
_LABEL_1035_RE = re.compile(_LABEL_1035)
_QUALIFIED_RE = re.compile(_QUALIFIED)
_LABEL_VALUE_RE = re.compile(_LABEL_VALUE)
_C_IDENTIFIER_RE = re.compile(_C_IDENTIFIER)
_CONFIG_KEY_RE = re.compile(_CONFIG_KEY)
_CONDITION_REASON_RE = re.compile(_CONDITION_REASON)
_ENV_NAME_RE = re.compile(r"[ -<>-~]+")
_PORT_CHARACTERS_RE = re.compile("[-a-z0-9]+")
_HAS_LETTER_RE = re.compile("[a-z]")

EMPTY = "must be non-empty"


def byte_length(text: str) -> int:
    """Length as Go counts it: bytes of UTF-8."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def too_long(limit: int, unit: str = "characters") -> str:
    return f"must be no more than {limit} {unit}"


def _regex_text(what: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    lead = f"e.g. {shown}" if examples else ""
    return f"{what} ({lead}regex used for validation is '{pattern}')"


_LABEL_TEXT = _regex_text(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character",
    _LABEL,
    "my-name",
    "123-abc",
)
_SUBDOMAIN_TEXT = _regex_text(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character",
    _SUBDOMAIN,
    "example.com",
)
_SUBDOMAIN_ANY_CASE_TEXT = _regex_text(
    "an RFC 1123 subdomain must consist of alphanumeric characters, '-' or '.', and must start and end with an "
    "alphanumeric character",
    _SUBDOMAIN,
    "Example.com",
)
_SEARCH_TEXT = _regex_text(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must "
    "start and end with an alphanumeric character",
    _SEARCH,
    "example.com",
)
_LABEL_1035_TEXT = _regex_text(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic "
    "character, and end with an alphanumeric character",
    _LABEL_1035,
    "my-name",
    "abc-123",
)
_QUALIFIED_TEXT = _regex_text(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    _QUALIFIED,
    "MyName",
    "my.name",
    "123-abc",
)
_LABEL_VALUE_TEXT = _regex_text(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start "
    "and end with an alphanumeric character",
    _LABEL_VALUE,
    "MyValue",
    "my_value",
    "12345",
)
_C_IDENTIFIER_TEXT = _regex_text(
    "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric "
    "characters or '_'",
    _C_IDENTIFIER,
    "my_name",
    "MY_NAME",
    "MyName",
)
_CONFIG_KEY_TEXT = _regex_text(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    _CONFIG_KEY,
    "key.name",
    "KEY_NAME",
    "key-name",
)
_CONDITION_REASON_TEXT = _regex_text(
    "a condition reason must start with alphabetic character, optionally followed by a string of alphanumeric "
    "characters or '_,:', and must end with an alphanumeric character or '_'",
    _CONDITION_REASON,
    "my_name",
    "MY_NAME",
    "MyName",
    "ReasonA,ReasonB",
    "ReasonA:ReasonB",
)
_ENV_NAME_TEXT = (
    "a valid environment variable name must consist only of printable ASCII characters other than '='"
)


def dns_label(text: str) -> list[str]:
    """RFC 1123 label, at most 63 characters."""
    errors = [too_long(LABEL_MAX)] if byte_length(text) > LABEL_MAX else []
    if not _LABEL_RE.fullmatch(text):
        errors.append("must not contain dots" if _SUBDOMAIN_RE.fullmatch(text) else _LABEL_TEXT)
    return errors


def dns_subdomain(text: str) -> list[str]:
    """RFC 1123 subdomain, at most 253 characters: what most object names are."""
    errors = [too_long(SUBDOMAIN_MAX)] if byte_length(text) > SUBDOMAIN_MAX else []
    if not _SUBDOMAIN_RE.fullmatch(text):
        errors.append(_SUBDOMAIN_TEXT)
    return errors


def search_domain(text: str) -> list[str]:
    """A subdomain whose labels may begin with and hold underscores, as resolvers search them."""
    errors = [too_long(SUBDOMAIN_MAX)] if byte_length(text) > SUBDOMAIN_MAX else []
    if not _SEARCH_RE.fullmatch(text):
        errors.append(_SEARCH_TEXT)
    return errors


def dns_subdomain_caseless(text: str) -> list[str]:
    """A subdomain that may be written with upper case letters."""
    return dns_subdomain(text.lower())


def short_name(text: str) -> list[str]:
    """A label, in the words of declarative validation, which counts bytes."""
    errors = [too_long(LABEL_MAX, "bytes")] if byte_length(text) > LABEL_MAX else []
    if not _LABEL_RE.fullmatch(text):
        errors.append("must not contain dots" if _SUBDOMAIN_RE.fullmatch(text) else _LABEL_TEXT)
    return errors


def long_name(text: str) -> list[str]:
    """A subdomain, in the words of declarative validation, which counts bytes."""
    errors = [too_long(SUBDOMAIN_MAX, "bytes")] if byte_length(text) > SUBDOMAIN_MAX else []
    if not _SUBDOMAIN_RE.fullmatch(text):
        errors.append(_SUBDOMAIN_TEXT)
    return errors


def long_name_any_case(text: str) -> list[str]:
    """The same, with upper case letters."""
    errors = [too_long(SUBDOMAIN_MAX, "bytes")] if byte_length(text) > SUBDOMAIN_MAX else []
    if not _SUBDOMAIN_ANY_CASE_RE.fullmatch(text):
        errors.append(_SUBDOMAIN_ANY_CASE_TEXT)
    return errors


def dns_1035_label(text: str) -> list[str]:
    errors = [too_long(LABEL_MAX)] if byte_length(text) > LABEL_MAX else []
    if not _LABEL_1035_RE.fullmatch(text):
        errors.append(_LABEL_1035_TEXT)
    return errors


def qualified_name(text: str) -> list[str]:
    """Label and annotation keys, condition types, taint keys: `[subdomain/]name`."""
    prefix, slash, name = text.partition("/")
    errors: list[str] = []
    if not slash:
        name = prefix
    elif "/" in name:
        return [
            f"a valid label key {_QUALIFIED_TEXT} with an optional DNS subdomain prefix and '/' "
            "(e.g. 'example.com/MyName')"
        ]
    elif not prefix:
        errors.append(f"prefix part {EMPTY}")
    else:
        if byte_length(prefix) > SUBDOMAIN_MAX:
            errors.append(f"prefix part {too_long(SUBDOMAIN_MAX, 'bytes')}")
        if not _SUBDOMAIN_RE.fullmatch(prefix):
            errors.append(f"prefix part {_SUBDOMAIN_TEXT}")
    if not name:
        errors.append(f"name part {EMPTY}")
    elif byte_length(name) > QUALIFIED_NAME_MAX:
        errors.append(f"name part {too_long(QUALIFIED_NAME_MAX, 'bytes')}")
    if not _QUALIFIED_RE.fullmatch(name):
        errors.append(f"name part {_QUALIFIED_TEXT}")
    return errors


def label_value(text: str) -> list[str]:
    errors = [too_long(LABEL_VALUE_MAX, "bytes")] if byte_length(text) > LABEL_VALUE_MAX else []
    if not _LABEL_VALUE_RE.fullmatch(text):
        errors.append(_LABEL_VALUE_TEXT)
    return errors


def c_identifier(text: str) -> list[str]:
    return [] if _C_IDENTIFIER_RE.fullmatch(text) else [_C_IDENTIFIER_TEXT]


def config_key(text: str) -> list[str]:
    """A key of a ConfigMap or Secret: also a file name."""
    errors = [too_long(SUBDOMAIN_MAX)] if byte_length(text) > SUBDOMAIN_MAX else []
    if not _CONFIG_KEY_RE.fullmatch(text):
        errors.append(_CONFIG_KEY_TEXT)
    if text in (".", ".."):
        errors.append(f"must not be '{text}'")
    elif text.startswith(".."):
        errors.append("must not start with '..'")
    return errors


def env_name(text: str) -> list[str]:
    """An environment variable's name; since 1.34 any printable ASCII but `=`."""
    if not text:
        return [f"environment variable name {EMPTY}"]
    return [] if _ENV_NAME_RE.fullmatch(text) else [_ENV_NAME_TEXT]


def condition_reason(text: str) -> list[str]:
    return [] if _CONDITION_REASON_RE.fullmatch(text) else [_CONDITION_REASON_TEXT]


def path_segment(text: str) -> list[str]:
    """Names that may be anything a URL path segment can carry: RBAC objects."""
    if text in (".", ".."):
        return [f"may not be '{text}'"]
    return [f"may not contain '{char}'" for char in "/%" if char in text]


def port_name(text: str) -> list[str]:
    """An IANA service name, as container and service ports are named."""
    errors = [too_long(PORT_NAME_MAX)] if byte_length(text) > PORT_NAME_MAX else []
    if not _PORT_CHARACTERS_RE.fullmatch(text):
        errors.append("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)")
    if not _HAS_LETTER_RE.search(text):
        errors.append("must contain at least one letter (a-z)")
    if "--" in text:
        errors.append("must not contain consecutive hyphens")
    if text.startswith("-") or text.endswith("-"):
        errors.append("must not begin or end with a hyphen")
    return errors


def port_number(port: int) -> list[str]:
    return [] if 1 <= port <= 65535 else ["must be between 1 and 65535, inclusive"]


def prefix_of(text: str, rule: NameRule) -> list[str]:
    """Complaints about `generateName`: a trailing `-` is fine, since a random suffix follows it."""
    masked = text[:-2] + "a" if len(text) > 1 and text.endswith("-") else text
    return rule(masked)
