"""The certificate that answers a request: its subject and names, the usages asked for, and how long it is valid. Pure.

It is written as Go's crypto/x509 writes it, so that a certificate from here differs from one of kube-controller-manager by
its serial number, its times and its signature alone. Extensions that a request asks for beside its names are left out.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from dray.api.certificates import alternative_names, der, pem
from dray.api.certificates.request import CertificateRequest
from dray.controllers.certificate_authority import SigningAuthority

SERIAL_BITS: Final = 128
BACKDATE: Final = dt.timedelta(minutes=5)
"""Clocks of those who look at it may lag."""
SHORT: Final = dt.timedelta(hours=8)
"""What lives less long ends as late as was asked for, although it begins earlier."""
_MIN_SECONDS: Final = 600

_KEY_USAGE: Final = "2.5.29.15"
_EXTENDED_KEY_USAGE: Final = "2.5.29.37"
_BASIC_CONSTRAINTS: Final = "2.5.29.19"
_AUTHORITY_KEY: Final = "2.5.29.35"
_BITS: Final = {
    "signing": 0,
    "digital signature": 0,
    "content commitment": 1,
    "key encipherment": 2,
    "data encipherment": 3,
    "key agreement": 4,
    "cert sign": 5,
    "crl sign": 6,
    "encipher only": 7,
    "decipher only": 8,
}
_PURPOSES: Final = {
    "any": "2.5.29.37.0",
    "server auth": "1.3.6.1.5.5.7.3.1",
    "client auth": "1.3.6.1.5.5.7.3.2",
    "code signing": "1.3.6.1.5.5.7.3.3",
    "email protection": "1.3.6.1.5.5.7.3.4",
    "s/mime": "1.3.6.1.5.5.7.3.4",
    "ipsec end system": "1.3.6.1.5.5.7.3.5",
    "ipsec tunnel": "1.3.6.1.5.5.7.3.6",
    "ipsec user": "1.3.6.1.5.5.7.3.7",
    "timestamping": "1.3.6.1.5.5.7.3.8",
    "ocsp signing": "1.3.6.1.5.5.7.3.9",
    "microsoft sgc": "1.3.6.1.4.1.311.10.3.3",
    "netscape sgc": "2.16.840.1.113730.4.1",
}
"""In the order in which a certificate names them."""
_VERSION_3: Final = der.encode(0, der.integer(2), tag_class=der.CONTEXT, is_compound=True)
_TRUE: Final = der.encode(der.BOOLEAN, b"\xff")
_LAST_SHORT_YEAR: Final = 2049


class IssueError(Exception):
    """Why nothing is signed."""


class Validity(NamedTuple):
    not_before: dt.datetime
    not_after: dt.datetime


def validity(
    now: dt.datetime, asked_seconds: int | None, longest: dt.timedelta, authority: SigningAuthority
) -> Validity:
    """No longer than `longest`, nor than the authority itself. Raises IssueError."""
    life = longest
    if asked_seconds is not None and dt.timedelta(seconds=asked_seconds) <= longest:
        life = dt.timedelta(seconds=max(asked_seconds, _MIN_SECONDS))
    end = now + life if life < SHORT else now + life - BACKDATE
    if now >= authority.not_after:
        raise IssueError(f"the authority has expired at {authority.not_after:%Y-%m-%dT%H:%M:%SZ}")
    return Validity(now - BACKDATE, min(end, authority.not_after))


def issue(
    request: CertificateRequest,
    usages: Sequence[str],
    authority: SigningAuthority,
    valid: Validity,
    serial: int,
) -> bytes:
    """PEM. Raises IssueError."""
    if unknown := [usage for usage in usages if usage not in _BITS and usage not in _PURPOSES]:
        raise IssueError(f"unrecognized usage values: {unknown}")
    subject = request.subject.encoded()
    parts = (
        _VERSION_3,
        der.integer(serial),
        authority.algorithm,
        authority.subject,
        der.sequence(*map(_time, valid)),
        subject,
        request.public_key.info,
        der.encode(
            3, der.sequence(*_extensions(request, usages, authority)), tag_class=der.CONTEXT, is_compound=True
        ),
    )
    signed = der.sequence(*parts)
    whole = der.sequence(signed, authority.algorithm, der.bit_string(authority.sign(signed)))
    return pem.encode(pem.CERTIFICATE, whole)


def _extensions(
    request: CertificateRequest, usages: Sequence[str], authority: SigningAuthority
) -> Iterable[bytes]:
    bits = {_BITS[usage] for usage in usages if usage in _BITS}
    if bits:
        yield _extension(_KEY_USAGE, _bit_string(bits), is_critical=True)
    purposes = dict.fromkeys(oid for usage, oid in _PURPOSES.items() if usage in usages)
    if purposes:
        yield _extension(_EXTENDED_KEY_USAGE, der.sequence(*map(der.identifier, purposes)))
    yield _extension(_BASIC_CONSTRAINTS, der.sequence(), is_critical=True)
    subject = request.subject.encoded()
    if authority.key_identifier and subject != authority.subject:
        key = der.encode(0, authority.key_identifier, tag_class=der.CONTEXT)
        yield _extension(_AUTHORITY_KEY, der.sequence(key))
    if request.names:
        # Where nothing else says whom it is for, the names must be understood.
        yield _extension(
            alternative_names.OID, request.names.encoded(), is_critical=subject == der.sequence()
        )


def _extension(identifier: str, content: bytes, *, is_critical: bool = False) -> bytes:
    critical = [_TRUE] if is_critical else []
    return der.sequence(der.identifier(identifier), *critical, der.encode(der.OCTET_STRING, content))


def _bit_string(bits: Iterable[int]) -> bytes:
    """The first bit is the highest of the first byte; nothing follows the last that is set."""
    length = max(bits) + 1
    size = (length + 7) // 8
    value = sum(1 << (8 * size - 1 - bit) for bit in bits)
    return der.bit_string(value.to_bytes(size, "big"), 8 * size - length)


def _time(moment: dt.datetime) -> bytes:
    text = moment.astimezone(dt.UTC).strftime("%Y%m%d%H%M%SZ").encode()
    if moment.year <= _LAST_SHORT_YEAR:
        return der.encode(der.UTC_TIME, text[2:])
    return der.encode(der.GENERALIZED_TIME, text)
