"""IP addresses as older fields take them: leading zeros of IPv4 were accepted once and still are."""

import ipaddress
from typing import TypeAlias

from dray.api.fields import FieldError, Path, invalid, quote

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

_BAD_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"


def parse_address(text: str) -> Address | None:
    """None where the text is no address, or one that only means something on one machine."""
    if "%" in text:
        return None
    if ":" not in text:
        text = ".".join(part.lstrip("0") or "0" if part.isdigit() else part for part in text.split("."))
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def validate_address(text: str, path: Path) -> list[FieldError]:
    return [] if parse_address(text) else [invalid(path, text, _BAD_ADDRESS)]


def validate_plain_address(text: str, path: Path) -> list[FieldError]:
    """As newer fields take them: without leading zeros, and none of IPv4 in the clothes of IPv6."""
    address = parse_address(text)
    if address is None:
        return [invalid(path, text, _BAD_ADDRESS)]
    if ":" not in text and any(len(part) > 1 and part[0] == "0" for part in text.split(".")):
        return [invalid(path, text, "must not have leading 0s")]
    if address.version == 6 and address.ipv4_mapped is not None:
        return [invalid(path, text, "must not be an IPv4-mapped IPv6 address")]
    return []


def validate_canonical(text: str, path: Path) -> list[FieldError]:
    """As the newest fields take them: written in the one way in which an address is written."""
    errors = validate_plain_address(text, path)
    if errors or str(parse_address(text)) == text:
        return errors
    return [invalid(path, text, f'must be in canonical form ("{parse_address(text)}")')]


def address_warnings(text: str, path: Path) -> list[str]:
    """What is said of an address that is taken, though it may be written better."""
    address = parse_address(text)
    if address is None:
        return []
    if validate_plain_address(text, path):
        mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
        return [
            f"{path}: non-standard IP address {quote(text)} is invalid: use {quote(str(mapped or address))}"
        ]
    if address.version == 6 and str(address) != text:
        shown = quote(str(address))
        return [f"{path}: IPv6 address {quote(text)} should be in RFC 5952 canonical format ({shown})"]
    return []


def one_of_each_family(texts: list[str]) -> bool:
    """Whether these are an IPv4 and an IPv6 address, in either order, and nothing else."""
    return len(texts) == 2 and {address.version for text in texts if (address := parse_address(text))} == {
        4,
        6,
    }
