"""IP addresses and networks as Go's net/netip reads them: strictly, and with its words for what is wrong.

Zones and IPv4-mapped IPv6 addresses are refused, as the Kubernetes libraries do.
"""

import ipaddress
from typing import NamedTuple

from dray.api.fields import quote
from dray.cel.errors import EvalFailure

_HEX = frozenset("0123456789abcdefABCDEF")


class IP(NamedTuple):
    """An address as a number; `bits` is 32 or 128."""

    number: int
    bits: int

    def __str__(self) -> str:
        if self.bits == 32:
            return str(ipaddress.IPv4Address(self.number))
        return str(ipaddress.IPv6Address(self.number))

    @property
    def family(self) -> int:
        return 4 if self.bits == 32 else 6

    def within(self, prefix: int, length: int) -> bool:
        """Whether the first `length` bits are those of the number `prefix`."""
        return self.number >> (self.bits - length) == prefix

    @property
    def is_unspecified(self) -> bool:
        return self.number == 0

    @property
    def is_loopback(self) -> bool:
        return self.within(127, 8) if self.bits == 32 else self.number == 1

    @property
    def is_multicast(self) -> bool:
        return self.within(0b1110, 4) if self.bits == 32 else self.within(0xFF, 8)

    @property
    def is_link_local_multicast(self) -> bool:
        if self.bits == 32:
            return self.within(0xE00000, 24)
        return self.number >> 112 & 0xFF0F == 0xFF02

    @property
    def is_link_local_unicast(self) -> bool:
        return self.within(0xA9FE, 16) if self.bits == 32 else self.within(0b1111111010, 10)

    @property
    def is_global_unicast(self) -> bool:
        if self.bits == 32 and self.number == 2**32 - 1:
            return False
        return not (
            self.is_unspecified or self.is_loopback or self.is_multicast or self.is_link_local_unicast
        )

    @property
    def size(self) -> int:
        """Bytes."""
        return self.bits // 8


class CIDR(NamedTuple):
    """An address and a prefix length; the address may have bits past the prefix."""

    ip: IP
    length: int

    def __str__(self) -> str:
        return f"{self.ip}/{self.length}"

    @property
    def masked(self) -> "CIDR":
        shift = self.ip.bits - self.length
        return CIDR(IP(self.ip.number >> shift << shift, self.ip.bits), self.length)

    def contains(self, ip: IP) -> bool:
        return ip.bits == self.ip.bits and ip.within(self.ip.number >> (ip.bits - self.length), self.length)

    def contains_cidr(self, other: "CIDR") -> bool:
        return self.length <= other.length and self.contains(other.ip)

    @property
    def size(self) -> int:
        """Bytes that the prefix needs."""
        return -(-self.length // 8)


class _Unparsable(Exception):
    """`where` is the rest of the text from which on it made no sense."""

    def __init__(self, why: str, where: str = "") -> None:
        super().__init__(f"{why} (at {quote(where)})" if where else why)


def parse_ip(text: str) -> IP:
    """Raises EvalFailure with upstream's words."""
    try:
        ip, zone = _address(text)
    except _Unparsable as error:
        why = f"ParseAddr({quote(text)}): {error}"
        raise EvalFailure(
            f"IP Address {quote(text)} parse error during conversion from string: {why}"
        ) from error
    if zone:
        raise EvalFailure(f"IP address {quote(text)} with zone value is not allowed")
    return _not_mapped(ip, text)


def parse_cidr(text: str) -> CIDR:
    """Raises EvalFailure with upstream's words."""
    address, slash, length = text.rpartition("/")
    try:
        if not slash:
            raise _Unparsable("no '/'")
        ip, zone = _prefix_address(address)
        if zone:
            raise _Unparsable("IPv6 zones cannot be present in a prefix")
        bits = _prefix_length(length, ip.bits)
    except _Unparsable as error:
        why = f"netip.ParsePrefix({quote(text)}): {error}"
        raise EvalFailure(f"network address parse error during conversion from string: {why}") from error
    return CIDR(_not_mapped(ip, text), bits)


def _not_mapped(ip: IP, text: str) -> IP:
    if ip.bits == 128 and ip.number >> 32 == 0xFFFF:
        raise EvalFailure(f"IPv4-mapped IPv6 address {quote(text)} is not allowed")
    return ip


def _prefix_address(text: str) -> tuple[IP, str]:
    try:
        return _address(text)
    except _Unparsable as error:
        raise _Unparsable(f"ParseAddr({quote(text)}): {error}") from error


def _prefix_length(text: str, limit: int) -> int:
    plain = text.isascii() and text.isdigit() and (len(text) == 1 or text[0] != "0")
    if not plain:
        raise _Unparsable(f"bad bits after slash: {quote(text)}")
    if len(text) > 3 or int(text) > limit:
        if len(text) > 18:
            raise _Unparsable(f"bad bits after slash: {quote(text)}")
        raise _Unparsable("prefix length out of range")
    return int(text)


def _address(text: str) -> tuple[IP, str]:
    """The address and its zone."""
    for char in text:
        if char == ".":
            return IP(_ipv4(text), 32), ""
        if char == ":":
            return _ipv6(text)
        if char == "%":
            raise _Unparsable("missing IPv6 address")
    raise _Unparsable("unable to parse IP")


def _ipv4(text: str) -> int:
    fields: list[int] = []
    value = digits = 0
    for index, char in enumerate(text):
        if char in "0123456789":
            if digits == 1 and value == 0:
                raise _Unparsable("IPv4 field has octet with leading zero")
            value, digits = value * 10 + int(char), digits + 1
            if value > 255:
                raise _Unparsable("IPv4 field has value >255")
        elif char == ".":
            if index == 0 or index == len(text) - 1 or text[index - 1] == ".":
                raise _Unparsable("IPv4 field must have at least one digit", text[index:])
            if len(fields) == 3:
                raise _Unparsable("IPv4 address too long")
            fields.append(value)
            value = digits = 0
        else:
            raise _Unparsable("unexpected character", text[index:])
    if len(fields) < 3:
        raise _Unparsable("IPv4 address too short")
    return int.from_bytes(bytes([*fields, value]), "big")


def _ipv6(text: str) -> tuple[IP, str]:
    address, percent, zone = text.partition("%")
    if percent and not zone:
        raise _Unparsable("zone must be a non-empty string")
    groups, ellipsis, rest = _ipv6_groups(address)
    if rest:
        raise _Unparsable("trailing garbage after address", rest)
    if len(groups) < 8:
        if ellipsis < 0:
            raise _Unparsable("address string too short")
        groups[ellipsis:ellipsis] = [0] * (8 - len(groups))
    elif ellipsis >= 0:
        raise _Unparsable("the :: must expand to at least one field of zeros")
    number = 0
    for group in groups:
        number = number << 16 | group
    return IP(number, 128), zone


def _ipv6_groups(address: str) -> tuple[list[int], int, str]:
    """The 16-bit groups, where `::` stood among them (or -1), and what was left over."""
    groups: list[int] = []
    ellipsis = -1
    rest = address
    if rest.startswith("::"):
        ellipsis, rest = 0, rest[2:]
    while rest and len(groups) < 8:
        value, width = _hex_group(rest)
        if rest[width : width + 1] == ".":
            groups += _embedded_ipv4(rest, len(groups), ellipsis)
            return groups, ellipsis, ""
        groups.append(value)
        rest = rest[width:]
        if not rest:
            break
        rest = _after_colon(rest)
        if rest.startswith(":"):
            if ellipsis >= 0:
                raise _Unparsable("multiple :: in address", rest)
            ellipsis, rest = len(groups), rest[1:]
    return groups, ellipsis, rest


def _hex_group(rest: str) -> tuple[int, int]:
    width = 0
    while width < len(rest) and rest[width] in _HEX:
        width += 1
        if width > 4:
            raise _Unparsable("each group must have 4 or fewer digits", rest)
    if not width:
        raise _Unparsable("each colon-separated field must have at least one digit", rest)
    return int(rest[:width], 16), width


def _after_colon(rest: str) -> str:
    if rest[0] != ":":
        raise _Unparsable("unexpected character, want colon", rest)
    if len(rest) == 1:
        raise _Unparsable("colon must be followed by more characters", rest)
    return rest[1:]


def _embedded_ipv4(rest: str, groups: int, ellipsis: int) -> list[int]:
    if ellipsis < 0 and groups != 6:
        raise _Unparsable("embedded IPv4 address must replace the final 2 fields of the address", rest)
    if groups > 6:
        raise _Unparsable("too many hex fields to fit an embedded IPv4 at the end of the address", rest)
    number = _ipv4(rest)
    return [number >> 16, number & 0xFFFF]
