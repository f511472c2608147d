"""IP addresses as older fields take them: leading zeros of IPv4 were accepted once and still are."""

import ipaddress
from typing import Final, TypeAlias

from dray.api.fields import FieldError, Path, invalid, quote

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_BAD_ADDRESS: Final = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_LINK_LOCAL_MULTICAST: Final = {
    4: ipaddress.ip_network("224.0.0.0/24"),
    6: ipaddress.ip_network("ff02::/16"),
}


def parse_address(text: str) -> Address | None:
    """None where the text is no address, or one that only means something on one machine."""
    if "%" in text:
        return None
    head, colon, tail = text.rpartition(":")
    if not colon or "." in tail:
        tail = ".".join(part.lstrip("0") or "0" if part.isdigit() else part for part in tail.split("."))
    try:
        return ipaddress.ip_address(f"{head}{colon}{tail}")
    except ValueError:
        return None


def _has_leading_zeros(text: str) -> bool:
    """In the numbers of IPv4, which may end an address of IPv6."""
    tail = text.rpartition(":")[2]
    return "." in tail and any(len(part) > 1 and part[0] == "0" for part in tail.split("."))


def _ipv4_within(address: Address) -> ipaddress.IPv4Address | None:
    """The address of IPv4 that one of IPv6 stands for."""
    return address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None


def validate_address(text: str, path: Path) -> list[FieldError]:
    return [] if parse_address(text) else [invalid(path, text, _BAD_ADDRESS)]


def validate_plain_address(text: str, path: Path) -> list[FieldError]:
    """As newer fields take them: without leading zeros, and none of IPv4 in the clothes of IPv6."""
    address = parse_address(text)
    if address is None:
        return [invalid(path, text, _BAD_ADDRESS)]
    if _has_leading_zeros(text):
        return [invalid(path, text, "must not have leading 0s")]
    if _ipv4_within(address) is not None:
        return [invalid(path, text, "must not be an IPv4-mapped IPv6 address")]
    return []


def validate_canonical(text: str, path: Path) -> list[FieldError]:
    """As the newest fields take them: written in the one way in which an address is written."""
    errors = validate_plain_address(text, path)
    if errors or str(parse_address(text)) == text:
        return errors
    return [invalid(path, text, f'must be in canonical form ("{parse_address(text)}")')]


def validate_reach(text: str, path: Path, *, may_be_loopback: bool = True) -> list[FieldError]:
    """Not an address that means another machine wherever it is used.

    Of endpoints, loopback addresses, which Kubernetes refuses as well, are taken: pods that share the machine's network
    have them here.
    """
    address = parse_address(text)
    if address is None:
        return [invalid(path, text, "must be a valid IP address")]
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    errors: list[FieldError] = []
    if address.is_unspecified:
        errors.append(invalid(path, text, f"may not be unspecified ({text})"))
    if address.is_loopback and not may_be_loopback:
        errors.append(invalid(path, text, "may not be in the loopback range (127.0.0.0/8, ::1/128)"))
    if address.is_link_local:
        errors.append(invalid(path, text, "may not be in the link-local range (169.254.0.0/16, fe80::/10)"))
    if address in _LINK_LOCAL_MULTICAST[address.version]:
        problem = "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)"
        errors.append(invalid(path, text, problem))
    return errors


def address_warnings(text: str, path: Path) -> list[str]:
    """What is said of an address that is taken, though it may be written better."""
    address = parse_address(text)
    if address is None:
        return []
    if validate_plain_address(text, path):
        plain = quote(str(_ipv4_within(address) or address))
        return [f"{path}: non-standard IP address {quote(text)} is invalid: use {plain}"]
    if address.version == 6 and str(address) != text:
        shown = quote(str(address))
        return [f"{path}: IPv6 address {quote(text)} should be in RFC 5952 canonical format ({shown})"]
    return []


def one_of_each_family(texts: list[str]) -> bool:
    """Whether these are an IPv4 and an IPv6 address, in either order, and nothing else."""
    found = [address for text in texts if (address := parse_address(text))]
    versions = {4 if _ipv4_within(address) else address.version for address in found}
    return len(texts) == 2 and versions == {4, 6}
