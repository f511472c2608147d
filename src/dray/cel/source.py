"""The text of an expression: offsets to lines and columns, and complaints rendered with a caret.

Offsets count code points from 0. The rendering is cel-go's, with its full-width dots under wide characters.
"""

from collections.abc import Iterable
from typing import NamedTuple

from dray.cel.errors import CelCompileError, Issue

NOWHERE = -2
"""The offset of a complaint that has no place."""

BEFORE_TEXT = -1
"""Where cel-go sees the end of an empty text, and what is missing for lack of a place: line 1, column -1."""

_MAX_ERRORS = 100
_MAX_SNIPPET_BYTES = 16384


class Complaint(NamedTuple):
    """Something wrong at `offset`."""

    offset: int
    message: str


class Source:
    """An expression's text and its line structure."""

    __slots__ = ("_line_starts", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._line_starts: list[int] | None = None

    @property
    def line_starts(self) -> list[int]:
        if self._line_starts is None:
            self._line_starts = [0, *(index + 1 for index, char in enumerate(self.text) if char == "\n")]
        return self._line_starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line from 1 and column from 0; (-1, -1) for NOWHERE."""
        if offset < 0:
            return (1, -1) if offset == BEFORE_TEXT else (-1, -1)
        line = 0
        for start in self.line_starts:
            if start > offset:
                break
            line += 1
        return line, offset - self.line_starts[line - 1]

    def _snippet(self, line: int) -> str | None:
        if not self.text or line < 1:
            return None
        start = self.line_starts[line - 1]
        if line < len(self.line_starts):
            return self.text[start : self.line_starts[line] - 1]
        return self.text[start:]

    def render(self, complaint: Complaint) -> str:
        """`ERROR: <input>:1:7: ...` with the source line and a caret under the place."""
        line, column = self.position(complaint.offset)
        head = f"ERROR: <input>:{line}:{column + 1}: {complaint.message}"
        snippet = self._snippet(line)
        if snippet is None or len(snippet.encode("utf-8", "replace")) > _MAX_SNIPPET_BYTES:
            return head
        snippet = snippet.replace("\t", " ")
        caret = max(0, column)
        dots = "".join("．" if ord(char) >= 0x80 else "." for char in snippet[:caret])
        wide = caret < len(snippet) and ord(snippet[caret]) >= 0x80
        return f"{head}\n | {snippet}\n | {dots}{'＾' if wide else '^'}"

    def error(self, complaints: Iterable[Complaint], prefix: str = "") -> CelCompileError:
        """One error for all complaints, in source order; from the 101st on they are only counted."""
        found = list(complaints)
        reported = sorted(found[:_MAX_ERRORS], key=lambda complaint: self.position(complaint.offset))
        lines = [self.render(complaint) for complaint in reported]
        if len(found) > _MAX_ERRORS:
            lines.append(f"{len(found) - _MAX_ERRORS} more errors were truncated")
        return CelCompileError(prefix + "\n".join(lines), tuple(map(self._issue, reported)))

    def _issue(self, complaint: Complaint) -> Issue:
        line, column = self.position(complaint.offset)
        return Issue(line, column + 1, complaint.message)
