"""Formats of names as rules hold them that are declared with the types: other words, and here and there another rule.

ResourcePoolStatusRequest has had only such rules from the beginning; the other kinds get them with 1.37
(`dray.api.validation.resource.declared`). Source: kubernetes apimachinery/pkg/api/validate/strfmt.go.
"""

import re
from typing import Final

from dray.api import names
from dray.api.fields import ErrorType, FieldError, Path, invalid, too_long
from dray.api.validation.resource.naming import (
    ATTRIBUTE_DOMAIN_MAX,
    ATTRIBUTE_ID_MAX,
    DRIVER_MAX,
    POOL_MAX,
    check_name,
)

_UUID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RESERVED_DOMAIN: Final = "kubernetes.io/"
_QUOTA_PREFIX: Final = "requests."


def declared_driver(driver: str, path: Path) -> list[FieldError]:
    """A DNS subdomain but for case, whose length counts in characters."""
    errors = check_name(driver, path, names.long_name_any_case)
    if len(driver) > DRIVER_MAX:
        text = f"may not be more than {DRIVER_MAX} characters"
        errors.append(FieldError(ErrorType.TOO_LONG, str(path), detail=text))
    return errors


def declared_pool(pool: str, path: Path) -> list[FieldError]:
    """Parts between slashes, which are numbered."""
    errors = [too_long(path, POOL_MAX)] if names.byte_length(pool) > POOL_MAX else []
    for index, part in enumerate(pool.split("/")):
        if not part:
            errors.append(invalid(path, pool, f"segment {index}: must not be empty"))
        else:
            errors += [invalid(path, part, f"segment {index}: {text}") for text in names.long_name(part)]
    return errors


def declared_attribute(name: str, path: Path) -> list[FieldError]:
    """`domain/identifier`; what has two slashes or more is not looked at."""
    domain, *rest = name.split("/")
    errors: list[FieldError] = []
    if not rest:
        errors += _identifier(domain, path)
    elif len(rest) == 1:
        errors += _domain(domain, path)
        empty = [invalid(path, "", "name must not be empty")]
        errors += _identifier(rest[0], path) if rest[0] else empty
    if not rest:
        text = "a fully qualified name must be a domain and a name separated by a slash"
        errors.append(invalid(path, name, text))
    return errors


def _domain(domain: str, path: Path) -> list[FieldError]:
    if not domain:
        return [invalid(path, "", "prefix must not be empty")]
    errors = (
        [too_long(path, ATTRIBUTE_DOMAIN_MAX)] if names.byte_length(domain) > ATTRIBUTE_DOMAIN_MAX else []
    )
    return errors + [invalid(path, domain, f"prefix: {text}") for text in names.long_name(domain)]


def _identifier(identifier: str, path: Path) -> list[FieldError]:
    errors = [too_long(path, ATTRIBUTE_ID_MAX)] if names.byte_length(identifier) > ATTRIBUTE_ID_MAX else []
    return errors + check_name(identifier, path, names.c_identifier)


def declared_uuid(uid: str, path: Path) -> list[FieldError]:
    return (
        [] if _UUID.fullmatch(uid) else [invalid(path, uid, "must be a lowercase UUID in 8-4-4-4-12 format")]
    )


def declared_extended_resource(name: str, path: Path) -> list[FieldError]:
    """`domain/name` outside kubernetes.io, such that a quota can name it with `requests.` before it."""
    errors: list[FieldError] = []
    if "/" not in name:
        text = "a name must be a domain-prefixed path, such as 'example.com/my-prop'"
        errors.append(invalid(path, name, text))
    elif _RESERVED_DOMAIN in name:
        errors.append(invalid(path, name, f'must not have "{_RESERVED_DOMAIN}" domain'))
    if name.startswith(_QUOTA_PREFIX):
        errors.append(invalid(path, name, f'must not have "{_QUOTA_PREFIX}" prefix'))
    return errors + [invalid(path, name, text) for text in names.qualified_name(f"{_QUOTA_PREFIX}{name}")]
