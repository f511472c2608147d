"""DER: the encoding of certificates and requests, read with the complaints of Go's decoder, and written.

What is read is a value in a place that says which tag it must have; what is complained of, and in which order, follows
Go's encoding/asn1, since that is what users see of a request that is refused.
"""

import dataclasses
from collections.abc import Iterable
from typing import Final

INTEGER: Final = 2
BIT_STRING: Final = 3
OCTET_STRING: Final = 4
NULL: Final = 5
OBJECT_IDENTIFIER: Final = 6
BOOLEAN: Final = 1
UTF8_STRING: Final = 12
SEQUENCE: Final = 16
SET: Final = 17
NUMERIC_STRING: Final = 18
PRINTABLE_STRING: Final = 19
T61_STRING: Final = 20
IA5_STRING: Final = 22
UTC_TIME: Final = 23
GENERALIZED_TIME: Final = 24
BMP_STRING: Final = 30

UNIVERSAL: Final = 0
CONTEXT: Final = 2

_COMPOUND: Final = 0x20
_LONG_NUMBER: Final = 0x1F
_LENGTH_LIMIT: Final = 1 << 23
_NUMBER_BYTES: Final = 5
_INT32_MAX: Final = 2**31 - 1


class DerError(ValueError):
    """What is no DER, or not the value that must stand there, in Go's words."""


def syntax_error(text: str) -> DerError:
    return DerError(f"asn1: syntax error: {text}")


def structure_error(text: str) -> DerError:
    return DerError(f"asn1: structure error: {text}")


@dataclasses.dataclass(frozen=True, slots=True)
class Header:
    tag_class: int
    number: int
    is_compound: bool
    length: int

    def __str__(self) -> str:
        compound = "true" if self.is_compound else "false"
        return f"{{class:{self.tag_class} tag:{self.number} length:{self.length} isCompound:{compound}}}"


@dataclasses.dataclass(frozen=True, slots=True)
class Element:
    header: Header
    content: bytes
    whole: bytes
    """With tag and length."""


class Reader:
    """Takes one value after the other out of the content of a sequence. Everything raises DerError."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._offset = 0

    def __bool__(self) -> bool:
        """Whether something is left."""
        return self._offset < len(self._data)

    def any(self) -> Element:
        start = self._offset
        header = self._header()
        return Element(header, self._content(header, "data truncated"), self._data[start : self._offset])

    def expect(
        self,
        number: int,
        go_type: str = "",
        *,
        is_compound: bool = False,
        tag_class: int = UNIVERSAL,
        options: str = "tag:<nil> stringType:0 timeType:0 set:false",
    ) -> bytes:
        """The content of the value that must have this tag; `go_type` and `options` are how Go calls the place."""
        header = self._header()
        if (header.tag_class, header.number, header.is_compound) != (tag_class, number, is_compound):
            place = (
                f"{{optional:false explicit:false application:false private:false defaultValue:<nil> "
                f"{options} omitEmpty:false}}"
            )
            raise structure_error(
                f"tags don't match ({number} vs {header}) {place} {go_type} @{self._offset}"
            )
        return self._content(header, "data truncated")

    def optional(self, number: int) -> bytes | None:
        """The content of the value, if it has this tag; None, and nothing is taken, where it has not."""
        if not self:
            return None
        start = self._offset
        header = self._header()
        if (header.tag_class, header.number, header.is_compound) == (UNIVERSAL, number, False):
            return self._content(header, "data truncated")
        self._offset = start
        return None

    def sequence(self, go_type: str = "") -> "Reader":
        return Reader(self.expect(SEQUENCE, go_type, is_compound=True))

    def members(self, number: int | None, *, is_compound: bool = True) -> "list[Element]":
        """All that is left, each with this tag; None: with any."""
        found: list[Element] = []
        while self:
            start = self._offset
            header = self._header()
            if number is not None and (header.tag_class, header.number, header.is_compound) != (
                UNIVERSAL,
                number,
                is_compound,
            ):
                raise structure_error("sequence tag mismatch")
            content = self._content(header, "truncated sequence")
            found.append(Element(header, content, self._data[start : self._offset]))
        return found

    def integer(self, go_type: str = "int") -> int:
        return integer_value(self.expect(INTEGER, go_type))

    def identifier(self) -> str:
        return identifier_value(self.expect(OBJECT_IDENTIFIER, "ObjectIdentifier"))

    def bits(self) -> bytes:
        return bits_value(self.expect(BIT_STRING, "BitString"))

    def rest(self) -> bytes:
        return self._data[self._offset :]

    def _header(self) -> Header:
        if not self:
            raise syntax_error("sequence truncated")
        first = self._byte()
        number = first & _LONG_NUMBER
        if number == _LONG_NUMBER:
            number, self._offset = _base_128(self._data, self._offset)
            if number < _LONG_NUMBER:
                raise syntax_error("non-minimal tag")
        return Header(first >> 6, number, bool(first & _COMPOUND), self._length())

    def _length(self) -> int:
        first = self._byte()
        if first < 0x80:
            return first
        if first == 0x80:
            raise syntax_error("indefinite length found (not DER)")
        length = 0
        for _ in range(first & 0x7F):
            following = self._byte()
            if length >= _LENGTH_LIMIT:
                raise structure_error("length too large")
            length = length << 8 | following
            if length == 0:
                raise structure_error("superfluous leading zeros in length")
        if length < 0x80:
            raise structure_error("non-minimal length")
        return length

    def _byte(self) -> int:
        if self._offset >= len(self._data):
            raise syntax_error("truncated tag or length")
        self._offset += 1
        return self._data[self._offset - 1]

    def _content(self, header: Header, complaint: str) -> bytes:
        start, end = self._offset, self._offset + header.length
        if end > len(self._data):
            raise syntax_error(complaint)
        self._offset = end
        return self._data[start:end]


def integer_value(content: bytes) -> int:
    """Of at most 64 bits."""
    if not content:
        raise structure_error("empty integer")
    if len(content) > 1 and (content[0], content[1] >> 7) in ((0, 0), (0xFF, 1)):
        raise structure_error("integer not minimally-encoded")
    if len(content) > 8:
        raise structure_error("integer too large")
    return int.from_bytes(content, "big", signed=True)


def check_boolean(content: bytes) -> None:
    if content not in (b"\x00", b"\xff"):
        raise syntax_error("invalid boolean")


def bits_value(content: bytes) -> bytes:
    if not content:
        raise syntax_error("zero length BIT STRING")
    padding = content[0]
    if padding > 7 or (len(content) == 1 and padding) or content[-1] & ((1 << padding) - 1):
        raise syntax_error("invalid padding bits in BIT STRING")
    if not padding:
        return content[1:]
    return (int.from_bytes(content[1:], "big") >> padding).to_bytes(len(content) - 1, "big")


def identifier_value(content: bytes) -> str:
    """In the form 1.2.840."""
    if not content:
        raise syntax_error("zero length OBJECT IDENTIFIER")
    first, offset = _base_128(content, 0)
    top = min(first // 40, 2)
    parts = [top, first - 40 * top]
    while offset < len(content):
        part, offset = _base_128(content, offset)
        parts.append(part)
    return ".".join(map(str, parts))


def _base_128(data: bytes, offset: int) -> tuple[int, int]:
    """The number that begins at `offset`, and where the next thing begins."""
    value = 0
    for position, byte in enumerate(data[offset : offset + _NUMBER_BYTES + 1]):
        if position == _NUMBER_BYTES:
            raise structure_error("base 128 integer too large")
        if position == 0 and byte == 0x80:
            raise syntax_error("integer is not minimally encoded")
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            if value > _INT32_MAX:
                raise structure_error("base 128 integer too large")
            return value, offset + position + 1
    raise syntax_error("truncated base 128 integer")


def encode(
    number: int, *contents: bytes, tag_class: int = UNIVERSAL, is_compound: bool | None = None
) -> bytes:
    """One value; sequences and sets are compound unless it is said otherwise. Numbers of tags are below 31."""
    content = b"".join(contents)
    if is_compound is None:
        is_compound = tag_class == UNIVERSAL and number in (SEQUENCE, SET)
    tag = tag_class << 6 | (_COMPOUND if is_compound else 0) | number
    return bytes([tag]) + _encoded_length(len(content)) + content


def sequence(*contents: bytes) -> bytes:
    return encode(SEQUENCE, *contents)


def set_of(contents: Iterable[bytes]) -> bytes:
    return encode(SET, *sorted(contents))


def integer(value: int) -> bytes:
    """Of any size, not negative."""
    return encode(INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def bit_string(content: bytes, padding: int = 0) -> bytes:
    return encode(BIT_STRING, bytes([padding]), content)


def identifier(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    return encode(OBJECT_IDENTIFIER, *(_encoded_128(part) for part in (40 * first + second, *rest)))


def _encoded_length(length: int) -> bytes:
    if length < 0x80:
        return bytes([length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(digits)]) + digits


def _encoded_128(value: int) -> bytes:
    digits = [value & 0x7F]
    while value := value >> 7:
        digits.append(value & 0x7F | 0x80)
    return bytes(reversed(digits))
