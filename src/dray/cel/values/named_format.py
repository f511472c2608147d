"""The formats that `format.dns1123Label()` and its siblings name, and what they say of a text that has another one."""

import binascii
import datetime as dt
import re
from collections.abc import Callable
from typing import NamedTuple

from dray.cel.values.url import request_uri_fault

Check = Callable[[str], list[str]]

_LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?"
_KEY = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]"
_VALUE = f"({_KEY})?"
_UUID = "(?i)^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$"
_TIME = r"^([0-9]{2}):([0-9]{2}):([0-9]{2})(.[0-9]+)?(z|([+-][0-9]{2}:[0-9]{2}))$"

_KEY_RULE = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character"


class NamedFormat(NamedTuple):
    """Equal by `name`. `check` gives the faults of a text; `regex_size` is what a check costs, by upstream's account."""

    name: str
    check: Check
    regex_size: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NamedFormat) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def _fault(rule: str, pattern: str, *examples: str) -> str:
    shown = " or ".join(f"'{example}', " for example in examples)
    return f"{rule} (e.g. {shown}regex used for validation is '{pattern}')"


def _pattern_check(limit: int, pattern: str, rule: str, *examples: str, unit: str = "characters") -> Check:
    compiled = re.compile(pattern)

    def check(text: str) -> list[str]:
        faults = []
        if len(text.encode()) > limit:
            faults.append(f"must be no more than {limit} {unit}")
        if not compiled.fullmatch(text):
            faults.append(_fault(rule, pattern, *examples))
        return faults

    return check


_check_label = _pattern_check(
    63,
    _LABEL,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', "
    "and must start and end with an alphanumeric character",
    "my-name",
    "123-abc",
)
_SUBDOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
    "and must start and end with an alphanumeric character"
)
_check_subdomain = _pattern_check(253, _SUBDOMAIN, _SUBDOMAIN_RULE, "example.com")
_check_key_prefix = _pattern_check(253, _SUBDOMAIN, _SUBDOMAIN_RULE, "example.com", unit="bytes")
_check_label_1035 = _pattern_check(
    63,
    _LABEL_1035,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', "
    "start with an alphabetic character, and end with an alphanumeric character",
    "my-name",
    "abc-123",
)
_check_label_value = _pattern_check(
    63,
    _VALUE,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "and must start and end with an alphanumeric character",
    "MyValue",
    "my_value",
    "12345",
    unit="bytes",
)


def _check_dns_label(text: str) -> list[str]:
    faults = _check_label(text)
    if faults and re.fullmatch(_SUBDOMAIN, text) and not re.fullmatch(_LABEL, text):
        faults[-1] = "must not contain dots"
    return faults


def _prefix(check: Check) -> Check:
    """The check for a text to which a name will be appended; a trailing dash is replaced as upstream does it."""
    return lambda text: check(text[:-2] + "a" if len(text) > 1 and text.endswith("-") else text)


def _check_qualified_name(text: str) -> list[str]:
    parts = text.split("/")
    examples = ("MyName", "my.name", "123-abc")
    if len(parts) > 2:
        fault = _fault(_KEY_RULE, _KEY, *examples)
        return [
            f"a valid label key {fault} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
        ]
    faults = []
    if len(parts) == 2:
        prefix_faults = _check_key_prefix(parts[0]) if parts[0] else ["must be non-empty"]
        faults += [f"prefix part {fault}" for fault in prefix_faults]
    name = parts[-1]
    if not name:
        faults.append("name part must be non-empty")
    elif len(name.encode()) > 63:
        faults.append("name part must be no more than 63 bytes")
    if not re.fullmatch(_KEY, name):
        faults.append("name part " + _fault(_KEY_RULE, _KEY, *examples))
    return faults


def _check_uri(text: str) -> list[str]:
    fault = request_uri_fault(text)
    return [] if fault is None else [fault]


def _check_uuid(text: str) -> list[str]:
    return [] if re.search(_UUID.replace("$", r"\Z"), text) else ["does not match the UUID format"]


def _check_byte(text: str) -> list[str]:
    try:
        binascii.a2b_base64(text.encode(), strict_mode=True)
    except (binascii.Error, ValueError):
        return ["invalid base64"]
    return [] if text else ["invalid base64"]


def _is_date(text: str) -> bool:
    if not re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        dt.date.fromisoformat(text if text[:4] != "0000" else "0004" + text[4:])
    except ValueError:
        return False
    return True


def _check_date(text: str) -> list[str]:
    return [] if _is_date(text) else ["invalid date"]


def _check_datetime(text: str) -> list[str]:
    parts = text.lower().split("t")
    if len(text) >= 4 and len(parts) >= 2 and _is_date(parts[0]):
        time = re.search(_TIME.replace("$", r"\Z"), parts[1])
        if time and time[1] <= "23" and time[2] <= "59" and time[3] <= "59":
            return []
    return ["invalid datetime"]


FORMATS: dict[str, NamedFormat] = {
    "dns1123Label": NamedFormat("DNS1123Label", _check_dns_label, 30),
    "dns1123Subdomain": NamedFormat("DNS1123Subdomain", _check_subdomain, 60),
    "dns1035Label": NamedFormat("DNS1035Label", _check_label_1035, 30),
    "qualifiedName": NamedFormat("QualifiedName", _check_qualified_name, 60),
    "dns1123LabelPrefix": NamedFormat("DNS1123LabelPrefix", _prefix(_check_dns_label), 30),
    "dns1123SubdomainPrefix": NamedFormat("DNS1123SubdomainPrefix", _prefix(_check_subdomain), 60),
    "dns1035LabelPrefix": NamedFormat("DNS1035LabelPrefix", _prefix(_check_label_1035), 30),
    "labelValue": NamedFormat("LabelValue", _check_label_value, 40),
    "uri": NamedFormat("URI", _check_uri, 1103),
    "uuid": NamedFormat("uuid", _check_uuid, len(_UUID)),
    "byte": NamedFormat("byte", _check_byte, 84),
    "date": NamedFormat("date", _check_date, len(_TIME)),
    "datetime": NamedFormat("datetime", _check_datetime, len(_TIME)),
}
"""By the name that `format.named` takes."""
