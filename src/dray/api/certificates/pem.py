"""PEM: blocks of base64 between lines that name what they are, found in whatever text is around them, as Go finds them."""

import base64
import binascii
import dataclasses
from collections.abc import Iterator
from typing import Final

CERTIFICATE: Final = "CERTIFICATE"
CERTIFICATE_REQUEST: Final = "CERTIFICATE REQUEST"

_BEGIN: Final = b"-----BEGIN "
_END: Final = b"-----END "
_DASHES: Final = b"-----"
_BLANKS: Final = bytes.maketrans(b"", b"")
_LINE_LENGTH: Final = 64


@dataclasses.dataclass(frozen=True, slots=True)
class Block:
    type: str
    content: bytes
    has_headers: bool = False


def first_block(data: bytes) -> Block | None:
    return next(blocks(data), None)


def blocks(data: bytes) -> Iterator[Block]:
    """What does not hold together (no end, another type there, no base64) is passed over."""
    rest = data
    while (start := _after_begin(rest)) is not None:
        found = _read(start)
        if found is None:
            rest = _line(start)[1]
            continue
        block, rest = found
        yield block


def encode(type_: str, content: bytes) -> bytes:
    text = base64.b64encode(content)
    lines = [text[at : at + _LINE_LENGTH] for at in range(0, len(text), _LINE_LENGTH)]
    name = type_.encode()
    return b"\n".join([_BEGIN + name + _DASHES, *lines, _END + name + _DASHES, b""])


def _after_begin(data: bytes) -> bytes | None:
    """What follows the next BEGIN that starts a line."""
    if data.startswith(_BEGIN):
        return data[len(_BEGIN) :]
    _, mark, rest = data.partition(b"\n" + _BEGIN)
    return rest if mark else None


def _read(data: bytes) -> tuple[Block, bytes] | None:
    """The block whose type `data` begins with, and what follows it."""
    type_line, rest = _line(data)
    if not type_line.endswith(_DASHES):
        return None
    type_ = type_line[: -len(_DASHES)]
    has_headers = False
    while rest and b":" in (line := _line(rest))[0]:
        has_headers, rest = True, line[1]
    text, mark, tail = (b"\n" + rest if not has_headers else rest).partition(b"\n" + _END)
    if not mark or not tail.startswith(type_ + _DASHES):
        return None
    end_line, after = _line(tail[len(type_) + len(_DASHES) :])
    if end_line:
        return None
    try:
        content = base64.b64decode(text.translate(_BLANKS, b" \t\r\n"), validate=True)
    except binascii.Error:
        return None
    return Block(type_.decode("utf-8", "replace"), content, has_headers), after


def _line(data: bytes) -> tuple[bytes, bytes]:
    """The first line without blanks at its end, and the rest."""
    line, _, rest = data.partition(b"\n")
    return line.removesuffix(b"\r").rstrip(b" \t"), rest
