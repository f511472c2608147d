"""A request for a certificate (PKCS #10): for whom, with which key, and whether who asks holds that key."""

import dataclasses
from collections.abc import Iterator
from typing import Final

from dray.api.certificates import alternative_names, der, pem
from dray.api.certificates.alternative_names import AlternativeNames, read_alternative_names
from dray.api.certificates.der import DerError, Element, Reader
from dray.api.certificates.keys import Algorithm, PublicKey, read_algorithm, read_public_key
from dray.api.certificates.subject import Subject, read_subject

_EXTENSION_REQUEST: Final = "1.2.840.113549.1.9.14"
_ATTRIBUTES: Final = 0
_ATTRIBUTES_PLACE: Final = "tag:0 stringType:0 timeType:0 set:false"


class RequestError(ValueError):
    """What cannot be read as a request, in the words of kube-apiserver."""


@dataclasses.dataclass(frozen=True, slots=True)
class CertificateRequest:
    subject: Subject
    names: AlternativeNames
    public_key: PublicKey
    algorithm: Algorithm
    signed: bytes
    signature: bytes

    def check_signature(self) -> None:
        """Raises RequestError where the signature is not that of the key, or none that can be checked."""
        why = self.public_key.fault(self.algorithm, self.signed, self.signature)
        if why:
            raise RequestError(why)


def parse_request(data: bytes) -> CertificateRequest:
    """`data` is PEM. Raises RequestError."""
    block = pem.first_block(data)
    if block is None or block.type != pem.CERTIFICATE_REQUEST:
        raise RequestError("PEM block type must be CERTIFICATE REQUEST")
    try:
        return _read(block.content)
    except DerError as error:
        raise RequestError(str(error)) from None


@dataclasses.dataclass(frozen=True, slots=True)
class _Parts:
    """The whole is well-formed before any part is looked into."""

    signed: bytes
    subject: bytes
    key_algorithm: Algorithm
    key: bytes
    key_info: bytes
    attributes: list[Element]
    algorithm: Algorithm
    signature: bytes


def _read(data: bytes) -> CertificateRequest:
    parts = _parts(data)
    public_key = read_public_key(parts.key_algorithm, parts.key, parts.key_info)
    subject = read_subject(parts.subject)
    names = AlternativeNames()
    for identifier, content in _extensions(parts.attributes):
        if identifier == alternative_names.OID:
            names = read_alternative_names(content)
    return CertificateRequest(subject, names, public_key, parts.algorithm, parts.signed, parts.signature)


def _parts(data: bytes) -> _Parts:
    whole = Reader(data)
    request = whole.sequence("certificateRequest")
    signed_from = request.rest()
    inside = request.sequence("tbsCertificateRequest")
    signed = signed_from[: len(signed_from) - len(request.rest())]
    inside.integer()
    subject = inside.any().whole
    key_from = inside.rest()
    key_reader = inside.sequence("publicKeyInfo")
    key_info = key_from[: len(key_from) - len(inside.rest())]
    key_algorithm = read_algorithm(key_reader)
    key = key_reader.bits()
    attributes = Reader(
        inside.expect(_ATTRIBUTES, is_compound=True, tag_class=der.CONTEXT, options=_ATTRIBUTES_PLACE)
    ).members(None)
    algorithm = read_algorithm(request)
    signature = request.bits()
    if whole:
        raise der.syntax_error("trailing data")
    return _Parts(signed, subject, key_algorithm, key, key_info, attributes, algorithm, signature)


def _extensions(attributes: list[Element]) -> Iterator[tuple[str, bytes]]:
    """Identifier and content of each extension that is asked for. Attributes that cannot be read ask for none."""
    seen: set[str] = set()
    for attribute in attributes:
        asked = _asked_extensions(attribute)
        if asked is None:
            continue
        for member in Reader(asked.whole).sequence().members(der.SEQUENCE):
            inside = Reader(member.content)
            identifier = inside.identifier()
            if (is_critical := inside.optional(der.BOOLEAN)) is not None:
                der.check_boolean(is_critical)
            content = inside.expect(der.OCTET_STRING)
            if identifier in seen:
                raise DerError("x509: certificate request contains duplicate requested extensions")
            seen.add(identifier)
            yield identifier, content


def _asked_extensions(attribute: Element) -> Element | None:
    try:
        inside = Reader(attribute.whole).sequence()
        identifier = inside.identifier()
        values = Reader(inside.expect(der.SET, is_compound=True)).members(None)
    except DerError:
        return None
    return values[0] if values and identifier == _EXTENSION_REQUEST else None
