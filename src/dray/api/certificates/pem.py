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
    text, at = _Text(data), 0
    while (start := text.after_begin(at)) >= 0:
        found = _read(text, start)
        if found is None:
            at = text.line(start)[1]
            continue
        block, at = found
        yield block


def encode(type_: str, content: bytes) -> bytes:
    text = base64.b64encode(content)
    lines = [text[at : at + _LINE_LENGTH] for at in range(0, len(text), _LINE_LENGTH)]
    name = type_.encode()
    return b"\n".join([_BEGIN + name + _DASHES, *lines, _END + name + _DASHES, b""])


class _Text:
    """Offsets into a text. Each of its lines may begin a block, so that what is looked for once is not looked for again."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._end = (0, data.find(b"\n" + _END))
        self._last_end = data.rfind(b"\n" + _END)
        """From where an END was looked for, and where it is."""
        self._headers = (0, 0)
        """Where lines with colons begin, and where they end."""

    def after_begin(self, at: int) -> int:
        """Where what follows the next BEGIN that starts a line begins; below 0 for none, or where no END follows."""
        if self.data.startswith(_BEGIN, at):
            found = at
        else:
            found = self.data.find(b"\n" + _BEGIN, at) + 1
            if not found:
                return -1
        return found + len(_BEGIN) if found <= self._last_end else -1

    def end(self, at: int) -> int:
        """Where the next END stands, with the line break before it; below 0 for none."""
        asked, found = self._end
        if not asked <= at or 0 <= found < at:
            found = self.data.find(b"\n" + _END, at)
            self._end = (at, found)
        return found

    def after_headers(self, at: int) -> int:
        """Where the first line without a colon begins."""
        first, after = self._headers
        if first <= at < after:
            return after
        begin = at
        while at < len(self.data) and b":" in (line := self.line(at))[0]:
            at = line[1]
        self._headers = (begin, at)
        return at

    def line(self, at: int) -> tuple[bytes, int]:
        """The line from `at` on, without blanks at its end, and where the next one begins."""
        end = self.data.find(b"\n", at)
        line = self.data[at:] if end < 0 else self.data[at:end]
        return line.removesuffix(b"\r").rstrip(b" \t"), len(self.data) if end < 0 else end + 1


def _read(text: _Text, start: int) -> tuple[Block, int] | None:
    """The block whose type begins at `start`, and where it ends."""
    data = text.data
    type_line, at = text.line(start)
    if not type_line.endswith(_DASHES):
        return None
    type_ = type_line[: -len(_DASHES)]
    after = text.after_headers(at)
    has_headers = after > at
    body = after if has_headers else at - 1
    end = text.end(body)
    mark = end + 1 + len(_END)
    if end < 0 or not data.startswith(type_ + _DASHES, mark):
        return None
    end_line, after = text.line(mark + len(type_) + len(_DASHES))
    # No base64 has a dash: another block that begins in this one need not be read to its end.
    if end_line or data.find(b"-", body, end) >= 0:
        return None
    try:
        content = base64.b64decode(data[body:end].translate(_BLANKS, b" \t\r\n"), validate=True)
    except binascii.Error:
        return None
    return Block(type_.decode("utf-8", "replace"), content, has_headers), after
