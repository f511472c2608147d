"""Names of those who hold certificates: the few parts that Go's pkix.Name knows, read and written as it does."""

import dataclasses
from collections.abc import Iterable
from typing import Final

from dray.api.certificates import der
from dray.api.certificates.der import DerError, Element, Reader

_COMMON_NAME: Final = "2.5.4.3"
_SERIAL_NUMBER: Final = "2.5.4.5"
_LISTS: Final = {
    "2.5.4.6": "countries",
    "2.5.4.8": "provinces",
    "2.5.4.7": "localities",
    "2.5.4.9": "streets",
    "2.5.4.17": "postal_codes",
    "2.5.4.10": "organizations",
    "2.5.4.11": "units",
}
"""In the order in which they are written; the common name and the serial number follow."""
_PRINTABLE: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 '()+,-./:=?")
_READ_AS_PRINTABLE: Final = _PRINTABLE | frozenset(b"*&")
_DIGITS: Final = frozenset(b"0123456789 ")
_NOT_CHARACTERS: Final = (range(0xFDD0, 0xFDF0), range(0xD800, 0xE000), range(0xFFFE, 0x10000))


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """Of several common names or serial numbers the last counts; other parts, such as an email address, are not kept."""

    common_name: str = ""
    serial_number: str = ""
    countries: tuple[str, ...] = ()
    organizations: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    localities: tuple[str, ...] = ()
    provinces: tuple[str, ...] = ()
    streets: tuple[str, ...] = ()
    postal_codes: tuple[str, ...] = ()

    def encoded(self) -> bytes:
        """As a certificate has it: one part for each kind, with all values of the kind."""
        parts = [_part(oid, getattr(self, field)) for oid, field in _LISTS.items() if getattr(self, field)]
        for oid, value in ((_COMMON_NAME, self.common_name), (_SERIAL_NUMBER, self.serial_number)):
            if value:
                parts.append(_part(oid, [value]))
        return der.sequence(*parts)


def read_subject(data: bytes) -> Subject:
    """Raises DerError."""
    reader = Reader(data)
    relative_names = reader.sequence("RDNSequence").members(der.SET)
    if reader:
        raise DerError("x509: trailing data after X.509 Subject")
    found: dict[str, list[str]] = {}
    for relative_name in relative_names:
        for attribute in Reader(relative_name.content).members(der.SEQUENCE):
            inside = Reader(attribute.content)
            kind = inside.identifier()
            value = _text(inside.any())
            if value is not None:
                found.setdefault(kind, []).append(value)
    lists = {field: tuple(found.get(oid, ())) for oid, field in _LISTS.items()}
    return Subject(
        common_name=found.get(_COMMON_NAME, [""])[-1],
        serial_number=found.get(_SERIAL_NUMBER, [""])[-1],
        **lists,
    )


def _text(element: Element) -> str | None:
    """None for what is no text. Raises DerError."""
    content, number = element.content, element.header.number
    if element.header.tag_class != der.UNIVERSAL or element.header.is_compound:
        return None
    if number == der.PRINTABLE_STRING:
        return _of(content, _READ_AS_PRINTABLE, "PrintableString")
    if number == der.NUMERIC_STRING:
        return _of(content, _DIGITS, "NumericString")
    if number == der.IA5_STRING:
        return _of(content, frozenset(range(0x80)), "IA5String")
    if number == der.T61_STRING:
        return content.decode("latin-1")
    if number == der.BMP_STRING:
        return _two_byte_text(content)
    if number == der.UTF8_STRING:
        try:
            return content.decode()
        except UnicodeDecodeError:
            raise DerError("asn1: invalid UTF-8 string") from None
    _check(number, content)
    return None


def _of(content: bytes, characters: frozenset[int], name: str) -> str:
    if not characters.issuperset(content):
        raise der.syntax_error(f"{name} contains invalid character")
    return content.decode("ascii")


def _two_byte_text(content: bytes) -> str:
    if len(content) % 2:
        raise DerError("invalid BMPString")
    points = [int.from_bytes(content[at : at + 2], "big") for at in range(0, len(content), 2)]
    if points and points[-1] == 0:
        points.pop()
    if any(point in span for point in points for span in _NOT_CHARACTERS):
        raise DerError("invalid BMPString")
    return "".join(map(chr, points))


def _check(number: int, content: bytes) -> None:
    """A value that is no text must be well-formed nevertheless."""
    if number == der.BOOLEAN:
        der.check_boolean(content)
    elif number == der.INTEGER:
        der.integer_value(content)
    elif number == der.BIT_STRING:
        der.bits_value(content)
    elif number == der.OBJECT_IDENTIFIER:
        der.identifier_value(content)


def _part(oid: str, values: Iterable[str]) -> bytes:
    return der.set_of(der.sequence(der.identifier(oid), _encoded(value)) for value in values)


def _encoded(value: str) -> bytes:
    content = value.encode("utf-8", "surrogatepass")
    number = der.PRINTABLE_STRING if _PRINTABLE.issuperset(content) else der.UTF8_STRING
    return der.encode(number, content)
