"""Names with more parts than one: domain-prefixed paths, wildcards of domains, fully qualified domains."""

import re
from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, invalid, required

_PATH: Final = re.compile(r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+", re.ASCII)
_PATH_TEXT: Final = rf"Invalid path (regex used for validation is '{_PATH.pattern}')"
_WILDCARD: Final = r"\*\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_WILDCARD_RE: Final = re.compile(_WILDCARD)
_WILDCARD_TEXT: Final = (
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower "
    "case alphanumeric characters, '-' or '.' and end with an alphanumeric character (e.g. '*.example.com', regex used "
    f"for validation is '{_WILDCARD}')"
)
_TWO_SEGMENTS: Final = "should be a domain with at least two segments separated by dots"


def validate_prefixed_path(text: str, path: Path) -> list[FieldError]:
    """`domain/path`, as controllers name themselves."""
    if not text:
        return [required(path)]
    host, _, rest = text.partition("/")
    if not host or not rest:
        return [invalid(path, text, 'must be a domain-prefixed path (such as "acme.io/foo")')]
    errors = [invalid(path, host, problem) for problem in names.dns_subdomain(host)]
    return errors if _PATH.fullmatch(rest) else [*errors, invalid(path, rest, _PATH_TEXT)]


def wildcard_subdomain(text: str) -> list[str]:
    """`*.` and a subdomain."""
    errors = [names.too_long(names.SUBDOMAIN_MAX)] if names.byte_length(text) > names.SUBDOMAIN_MAX else []
    return errors if _WILDCARD_RE.fullmatch(text) else [*errors, _WILDCARD_TEXT]


def validate_qualified_domain(text: str, path: Path) -> list[FieldError]:
    """A domain of two labels or more, with or without the dot at its end."""
    if not text:
        return [required(path)]
    name = text.removesuffix(".")
    if problems := names.dns_subdomain(name):
        return [invalid(path, name, ",".join(problems))]
    labels = name.split(".")
    if len(labels) < 2:
        return [invalid(path, name, _TWO_SEGMENTS)]
    return [
        invalid(path, label, ",".join(problems)) for label in labels if (problems := names.dns_label(label))
    ]
