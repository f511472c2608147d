"""Names that only devices have: drivers, pools, attributes and capacities, shares.

Each function returns findings at a path; the plain DNS rules are in `dray.api.names`.
"""

import re

from dray.api import names
from dray.api.fields import Choice, FieldError, Path, invalid, required, too_long
from dray.api.names import NameRule

DRIVER_MAX = 63
POOL_MAX = 253
ATTRIBUTE_ID_MAX = 32
ATTRIBUTE_DOMAIN_MAX = 63

_SHOWN_KEY_MAX = ATTRIBUTE_DOMAIN_MAX + 1 + ATTRIBUTE_ID_MAX
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def check_name(text: str, path: Path, rule: NameRule) -> list[FieldError]:
    return [invalid(path, text, complaint) for complaint in rule(text)]


def validate_driver(driver: str, path: Path) -> list[FieldError]:
    """At most 63 bytes, a DNS subdomain but for case."""
    if not driver:
        return [required(path)]
    errors = [too_long(path, DRIVER_MAX)] if names.byte_length(driver) > DRIVER_MAX else []
    return errors + check_name(driver, path, names.dns_subdomain_caseless)


def validate_pool(pool: str, path: Path) -> list[FieldError]:
    """DNS subdomains joined by slashes, at most 253 bytes together; the part at fault is shown."""
    if not pool:
        return [required(path)]
    errors = [too_long(path, POOL_MAX)] if names.byte_length(pool) > POOL_MAX else []
    for part in pool.split("/"):
        errors += check_name(part, path, names.dns_subdomain)
    return errors


def validate_qualified_name(name: str, path: Path, *, one_slash: bool = False) -> list[FieldError]:
    """The key of an attribute or capacity: `id` or `domain/id`. With a second slash it is not looked at at all,
    or refused where `one_slash` is the rule (1.37).
    """
    if "/" not in name:
        return _validate_id(name, path)
    if name.count("/") > 1:
        return [invalid(path, name, "must not contain more than one slash")] if one_slash else []
    domain, _, identifier = name.partition("/")
    errors: list[FieldError] = []
    if domain:
        errors += validate_driver(domain, path)
    else:
        errors.append(invalid(path, "", "the domain must not be empty"))
    if identifier:
        errors += _validate_id(identifier, path)
    else:
        errors.append(invalid(path, "", "the name must not be empty"))
    return errors


def validate_fully_qualified_name(name: str, path: Path, *, one_slash: bool = False) -> list[FieldError]:
    """`domain/id`, as constraints name an attribute."""
    errors = validate_qualified_name(name, path, one_slash=one_slash)
    if "/" not in name:
        text = "a fully qualified name must be a domain and a name separated by a slash"
        errors.append(invalid(path, Choice(name), text))
    return errors


def _validate_id(identifier: str, path: Path) -> list[FieldError]:
    errors = [too_long(path, ATTRIBUTE_ID_MAX)] if names.byte_length(identifier) > ATTRIBUTE_ID_MAX else []
    return errors + check_name(identifier, path, names.c_identifier)


def shown_key(key: str, limit: int = _SHOWN_KEY_MAX) -> str:
    """A map key as it stands in a path: cut in the middle where it is too long to be a right one."""
    text = key.encode("utf-8", "surrogatepass")
    if len(text) <= limit:
        return key
    kept = limit - 3
    head, tail = text[: (kept + 1) // 2], text[-(kept // 2) :]
    return f"{head.decode(errors='replace')}...{tail.decode(errors='replace')}"


def validate_uid(uid: str, path: Path) -> list[FieldError]:
    """A UUID in its normal form."""
    if _UUID.fullmatch(uid):
        return []
    if problem := _uuid_problem(uid):
        return [invalid(path, uid, f"error validating uid: {problem}")]
    text = (
        "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` "
        "with lowercase hexadecimal characters"
    )
    return [invalid(path, uid, text)]


def _uuid_problem(text: str) -> str:
    """Why no form of UUID (plain, braced, URN or bare hexadecimal) can be read from the text; "" if one can."""
    length = names.byte_length(text)
    body = text
    if length == 36 + 9:
        if text[:9].lower() != "urn:uuid:":
            return f'invalid urn prefix: "{text[:9]}"'
        body = text[9:]
    elif length == 36 + 2:
        body = text[1:-1]
    elif length == 32:
        return "" if re.fullmatch("[0-9a-fA-F]{32}", text) else "invalid UUID format"
    elif length != 36:
        return f"invalid UUID length: {length}"
    return "" if _UUID.fullmatch(body.lower()) else "invalid UUID format"
