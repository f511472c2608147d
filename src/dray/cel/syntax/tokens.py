"""The tokens of a text that may be malformed: read as they are asked for, complaining about what is no token."""

import re

from dray.cel.source import BEFORE_TEXT, Complaint
from dray.cel.syntax.lexer import END, ESCAPE, Token, scan

# How far a string that never ends can be read before it is clear that it is none.
_UNENDED = {
    quote: re.compile(
        rf"{quote}(?:{ESCAPE}|[^\\{quote}\n\r])*"
        r"(?:\\(?:[xX][0-9a-fA-F]?|u[0-9a-fA-F]{0,3}|U[0-9a-fA-F]{0,7}|[0-3][0-7]?)?)?"
    )
    for quote in "\"'"
}
_UNENDED["`"] = re.compile(r"`[A-Za-z0-9_.\-/ ]*")
_HALVES = "=&|"


class TokenSource:
    """Tokens on demand, with any look-ahead. `complaints` collects what the text has between tokens."""

    __slots__ = ("_gaps", "_offset", "_tokens", "complaints", "index", "text")

    def __init__(self, text: str, complaints: list[Complaint]) -> None:
        self.text = text
        self.complaints = complaints
        self.index = 0
        self._offset = 0
        self._tokens: list[Token] = []
        self._gaps: list[tuple[int, int]] = []

    def look(self, ahead: int = 1) -> Token:
        """The token `ahead` of the last consumed; the end of the text goes on forever."""
        place = self.index + ahead - 1
        while len(self._tokens) <= place and (not self._tokens or self._tokens[-1].kind != END):
            self._read()
        return self._tokens[min(place, len(self._tokens) - 1)]

    def kind(self, ahead: int = 1) -> str:
        return self.look(ahead).kind

    def previous(self) -> Token | None:
        return self._tokens[self.index - 1] if self.index else None

    def consume(self) -> Token:
        token = self.look()
        if token.kind != END:
            self.index += 1
        return token

    def text_between(self, first: Token, last: Token) -> str:
        """What stands from one token to another, without what belongs to no token."""
        end = len(self.text) if last.kind == END else last.offset + len(last.text)
        shown = []
        start = first.offset
        for gap_start, gap_end in self._gaps:
            if start <= gap_start < end:
                shown.append(self.text[start:gap_start])
                start = gap_end
        return "".join((*shown, self.text[start:end]))

    def _read(self) -> None:
        text = self.text
        if self._offset >= len(text):
            self._tokens.append(Token(END, END, len(text) if text else BEFORE_TEXT))
            return
        try:
            token, self._offset = scan(text, self._offset)
        except ValueError:
            self._skip()
            return
        if token is not None:
            self._tokens.append(token)

    def _skip(self) -> None:
        """Pass over what begins no token, up to and including the character that made that clear."""
        start = self._offset
        char = self.text[start]
        stop = start
        if char in _UNENDED:
            found = _UNENDED[char].match(self.text, start)
            assert found is not None
            stop = found.end()
        elif char in _HALVES:
            stop = start + 1
        shown = self.text[start : stop + 1]
        self.complaints.append(Complaint(start, f"Syntax error: token recognition error at: '{shown}'"))
        self._offset = min(stop + 1, len(self.text))
        self._gaps.append((start, self._offset))
