"""The value types of Kubernetes: quantities, versions, URLs, addresses, networks and named formats."""

import functools
from typing import Any

from dray.api.quantity import Format, InvalidQuantity, Quantity, parse_quantity
from dray.api.semver import InvalidSemver, Semver, is_semver, parse_semver
from dray.cel.declarations import Function, member, overload
from dray.cel.errors import EvalFailure
from dray.cel.types import (
    BOOL,
    DOUBLE,
    INT,
    LIST_STRING,
    STRING,
    list_of,
    map_of,
    opaque,
    optional_of,
    struct,
)
from dray.cel.values.named_format import FORMATS, NamedFormat
from dray.cel.values.network import CIDR, IP, parse_cidr, parse_ip
from dray.cel.values.optional import ABSENT, Optional
from dray.cel.values.url import parse_url, request_uri_fault

QUANTITY = struct("kubernetes.Quantity")
SEMVER = struct("kubernetes.Semver")
URL_TYPE = struct("kubernetes.URL")
FORMAT_TYPE = struct("kubernetes.NamedFormat")
IP_TYPE = opaque("net.IP")
CIDR_TYPE = opaque("net.CIDR")


def _quantity(text: str) -> Quantity:
    try:
        return parse_quantity(text)
    except InvalidQuantity as error:
        raise EvalFailure(str(error)) from error


def _is_quantity(text: str) -> bool:
    try:
        parse_quantity(text)
    except InvalidQuantity:
        return False
    return True


def _as_integer(quantity: Quantity) -> int:
    value = quantity.as_int64()
    if value is None:
        raise EvalFailure("cannot convert value to integer")
    return value


def _whole(value: int) -> Quantity:
    return Quantity.of(value, Format.DECIMAL_EXPONENT)


def _order(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


QUANTITY_FUNCTIONS = (
    Function("quantity", overload("string_to_quantity", (STRING,), QUANTITY, _quantity)),
    Function("isQuantity", overload("is_quantity_string", (STRING,), BOOL, _is_quantity)),
    Function("sign", overload("quantity_sign", (QUANTITY,), INT, Quantity.sign)),
    Function(
        "isGreaterThan", member("quantity_is_greater_than", (QUANTITY, QUANTITY), BOOL, Quantity.__gt__)
    ),
    Function("isLessThan", member("quantity_is_less_than", (QUANTITY, QUANTITY), BOOL, Quantity.__lt__)),
    Function("compareTo", member("quantity_compare_to", (QUANTITY, QUANTITY), INT, _order)),
    Function(
        "asApproximateFloat", member("quantity_get_float", (QUANTITY,), DOUBLE, Quantity.approximate_float)
    ),
    Function("asInteger", member("quantity_get_int", (QUANTITY,), INT, _as_integer)),
    Function("isInteger", member("quantity_is_integer", (QUANTITY,), BOOL, Quantity.is_integer)),
    Function(
        "add",
        member("quantity_add", (QUANTITY, QUANTITY), QUANTITY, Quantity.__add__),
        member(
            "quantity_add_int", (QUANTITY, INT), QUANTITY, lambda quantity, value: quantity + _whole(value)
        ),
    ),
    Function(
        "sub",
        member("quantity_sub", (QUANTITY, QUANTITY), QUANTITY, Quantity.__sub__),
        member(
            "quantity_sub_int", (QUANTITY, INT), QUANTITY, lambda quantity, value: quantity - _whole(value)
        ),
    ),
)


def _semver(text: str, normalize: bool = False) -> Semver:
    try:
        return parse_semver(text, normalize=normalize)
    except InvalidSemver as error:
        raise EvalFailure(str(error)) from error


def _is_semver(text: str, normalize: bool = False) -> bool:
    return is_semver(text, normalize=normalize)


def _int64(value: int) -> int:
    """A version number as an int; past 64 bits it wraps around, as in Go."""
    return value - 2**64 if value >= 2**63 else value


SEMVER_FUNCTIONS = (
    Function(
        "semver",
        overload("string_to_semver", (STRING,), SEMVER, _semver),
        overload("string_bool_to_semver", (STRING, BOOL), SEMVER, _semver),
    ),
    Function(
        "isSemver",
        overload("is_semver_string", (STRING,), BOOL, _is_semver),
        overload("is_semver_string_bool", (STRING, BOOL), BOOL, _is_semver),
    ),
    Function("isGreaterThan", member("semver_is_greater_than", (SEMVER, SEMVER), BOOL, Semver.__gt__)),
    Function("isLessThan", member("semver_is_less_than", (SEMVER, SEMVER), BOOL, Semver.__lt__)),
    Function("compareTo", member("semver_compare_to", (SEMVER, SEMVER), INT, _order)),
    Function("major", member("semver_major", (SEMVER,), INT, lambda version: _int64(version.major))),
    Function("minor", member("semver_minor", (SEMVER,), INT, lambda version: _int64(version.minor))),
    Function("patch", member("semver_patch", (SEMVER,), INT, lambda version: _int64(version.patch))),
)

URL_FUNCTIONS = (
    Function("url", overload("string_to_url", (STRING,), URL_TYPE, parse_url)),
    Function("getScheme", member("url_get_scheme", (URL_TYPE,), STRING, lambda url: url.scheme)),
    Function("getHost", member("url_get_host", (URL_TYPE,), STRING, lambda url: url.host)),
    Function("getHostname", member("url_get_hostname", (URL_TYPE,), STRING, lambda url: url.hostname)),
    Function("getPort", member("url_get_port", (URL_TYPE,), STRING, lambda url: url.port)),
    Function(
        "getEscapedPath", member("url_get_escaped_path", (URL_TYPE,), STRING, lambda url: url.escaped_path)
    ),
    Function(
        "getQuery",
        member("url_get_query", (URL_TYPE,), map_of(STRING, list_of(STRING)), lambda url: url.query_values),
    ),
    Function(
        "isURL", overload("is_url_string", (STRING,), BOOL, lambda text: request_uri_fault(text) is None)
    ),
)


def _is_ip(text: str) -> bool:
    try:
        parse_ip(text)
    except EvalFailure:
        return False
    return True


def _family(ip: IP) -> int:
    return ip.family


IP_FUNCTIONS = (
    Function("ip", overload("string_to_ip", (STRING,), IP_TYPE, parse_ip)),
    Function("family", member("ip_family", (IP_TYPE,), INT, _family)),
    Function(
        "ip.isCanonical",
        overload("ip_is_canonical", (STRING,), BOOL, lambda text: str(parse_ip(text)) == text),
    ),
    Function("isUnspecified", member("ip_is_unspecified", (IP_TYPE,), BOOL, lambda ip: ip.is_unspecified)),
    Function("isLoopback", member("ip_is_loopback", (IP_TYPE,), BOOL, lambda ip: ip.is_loopback)),
    Function(
        "isLinkLocalMulticast",
        member("ip_is_link_local_multicast", (IP_TYPE,), BOOL, lambda ip: ip.is_link_local_multicast),
    ),
    Function(
        "isLinkLocalUnicast",
        member("ip_is_link_local_unicast", (IP_TYPE,), BOOL, lambda ip: ip.is_link_local_unicast),
    ),
    Function(
        "isGlobalUnicast", member("ip_is_global_unicast", (IP_TYPE,), BOOL, lambda ip: ip.is_global_unicast)
    ),
    Function("isIP", overload("is_ip", (STRING,), BOOL, _is_ip)),
    Function("string", overload("ip_to_string", (IP_TYPE,), STRING, IP.__str__)),
)


def _cidr(text: str) -> CIDR:
    try:
        return parse_cidr(text)
    except EvalFailure as failure:
        raise EvalFailure(
            f"network address parse error during conversion from string: {failure}"
        ) from failure


def _is_cidr(text: str) -> bool:
    try:
        parse_cidr(text)
    except EvalFailure:
        return False
    return True


CIDR_FUNCTIONS = (
    Function("cidr", overload("string_to_cidr", (STRING,), CIDR_TYPE, _cidr)),
    Function(
        "containsIP",
        member(
            "cidr_contains_ip_string",
            (CIDR_TYPE, STRING),
            BOOL,
            lambda cidr, text: _contains_text(cidr, text),
        ),
        member("cidr_contains_ip_ip", (CIDR_TYPE, IP_TYPE), BOOL, CIDR.contains),
    ),
    Function(
        "containsCIDR",
        member(
            "cidr_contains_cidr_string",
            (CIDR_TYPE, STRING),
            BOOL,
            lambda cidr, text: cidr.contains_cidr(_cidr(text)),
        ),
        member("cidr_contains_cidr", (CIDR_TYPE, CIDR_TYPE), BOOL, CIDR.contains_cidr),
    ),
    Function("ip", member("cidr_ip", (CIDR_TYPE,), IP_TYPE, lambda cidr: cidr.ip)),
    Function("prefixLength", member("cidr_prefix_length", (CIDR_TYPE,), INT, lambda cidr: cidr.length)),
    Function("masked", member("cidr_masked", (CIDR_TYPE,), CIDR_TYPE, lambda cidr: cidr.masked)),
    Function("isCIDR", overload("is_cidr", (STRING,), BOOL, _is_cidr)),
    Function("string", overload("cidr_to_string", (CIDR_TYPE,), STRING, CIDR.__str__)),
)


def _contains_text(cidr: CIDR, text: str) -> bool:
    """Upstream loses the reason why the text is no address."""
    try:
        ip = parse_ip(text)
    except EvalFailure as failure:
        raise EvalFailure("no such overload") from failure
    return cidr.contains(ip)


def _validate(named: NamedFormat, text: str) -> Optional:
    faults = named.check(text)
    return Optional(faults) if faults else ABSENT


def _named(name: str) -> Optional:
    return Optional(FORMATS[name]) if name in FORMATS else ABSENT


def _always(named: NamedFormat) -> NamedFormat:
    return named


FORMAT_FUNCTIONS = (
    Function(
        "validate", member("format-validate", (FORMAT_TYPE, STRING), optional_of(LIST_STRING), _validate)
    ),
    Function("format.named", overload("format-named", (STRING,), optional_of(FORMAT_TYPE), _named)),
    *(
        Function(
            f"format.{name}", overload(f"format.{name}", (), FORMAT_TYPE, functools.partial(_always, named))
        )
        for name, named in FORMATS.items()
    ),
)
