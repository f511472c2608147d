"""Subject alternative names: what else than its subject a certificate is for."""

import dataclasses
import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from dray.api.certificates import der
from dray.api.certificates.der import DerError, Reader
from dray.api.fields import quote

OID: Final = "2.5.29.17"
_EMAIL: Final = 1
_DNS: Final = 2
_URI: Final = 6
_IP: Final = 7
_TEXTS: Final = {_EMAIL: "rfc822Name", _DNS: "dNSName", _URI: "uniformResourceIdentifier"}
_DOMAIN_MAX: Final = 253
_LABEL_MAX: Final = 63
_HOST: Final = re.compile(r"[^/?#]*://(?:[^/?#@]*@)?([^/?#]*)")
_CONTROL: Final = re.compile("[\x00-\x1f\x7f]")
_BAD_IN_HOST: Final = re.compile(r"[ \\^`{|}]")


@dataclasses.dataclass(frozen=True, slots=True)
class AlternativeNames:
    dns: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    addresses: tuple[bytes, ...] = ()
    """4 or 16 bytes each."""
    uris: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.dns or self.emails or self.addresses or self.uris)

    def encoded(self) -> bytes:
        texts = ((_DNS, self.dns), (_EMAIL, self.emails))
        names = [_name(kind, value.encode("ascii")) for kind, values in texts for value in values]
        names += [_name(_IP, address) for address in self.addresses]
        names += [_name(_URI, uri.encode("ascii")) for uri in self.uris]
        return der.sequence(*names)


def read_alternative_names(data: bytes) -> AlternativeNames:
    """The content of the extension. Names of other kinds are left out. Raises DerError."""
    found: dict[int, list[str]] = {_EMAIL: [], _DNS: [], _URI: []}
    addresses: list[bytes] = []
    for kind, content in _names(data):
        if kind in _TEXTS:
            if not content.isascii():
                raise DerError(f"x509: SAN {_TEXTS[kind]} is malformed")
            text = content.decode("ascii")
            if kind == _URI:
                _check_uri(text)
            found[kind].append(text)
        elif kind == _IP:
            _check_address(content)
            addresses.append(content)
    return AlternativeNames(tuple(found[_DNS]), tuple(found[_EMAIL]), tuple(addresses), tuple(found[_URI]))


def _names(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Each name's kind (-1: one that nobody asks about) and content."""
    try:
        reader = Reader(data).sequence()
    except DerError:
        raise DerError("x509: invalid subject alternative names") from None
    while reader:
        try:
            element = reader.any()
        except DerError:
            raise DerError("x509: invalid subject alternative name") from None
        header = element.header
        is_simple = header.tag_class == der.CONTEXT and not header.is_compound
        yield header.number if is_simple else -1, element.content


def _check_address(content: bytes) -> None:
    if len(content) not in (4, 16):
        raise DerError(f"x509: cannot parse IP address of length {len(content)}")
    if len(content) == 16 and ipaddress.IPv6Address(content).ipv4_mapped is not None:
        raise DerError("x509: SAN iPAddress contains IPv4-mapped IPv6 address")


def _check_uri(text: str) -> None:
    if why := _uri_fault(text):
        raise DerError(f"x509: cannot parse URI {quote(text)}: {why}")


def _uri_fault(text: str) -> str:
    """Why it cannot be one; "" where it can."""
    if _CONTROL.search(text):
        return f"parse {quote(text)}: net/url: invalid control character in URL"
    host = _HOST.match(text)
    if host is None or not host[1]:
        return ""
    if bad := _BAD_IN_HOST.search(host[1]):
        return f"parse {quote(text)}: invalid character {quote(bad[0])} in host name"
    return "" if _is_domain(host[1]) else "invalid domain"


def _is_domain(host: str) -> bool:
    return (
        len(host) <= _DOMAIN_MAX
        and all("!" <= character <= "~" for character in host)
        and all(0 < len(label) <= _LABEL_MAX for label in host.split("."))
    )


def _name(kind: int, content: bytes) -> bytes:
    return der.encode(kind, content, tag_class=der.CONTEXT)
