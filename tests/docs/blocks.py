"""The code blocks of a documentation page, for tests that run them."""

import pathlib
import re
from typing import NamedTuple

ROOT = pathlib.Path(__file__).parents[2]

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    page: str
    line: int
    """Of the first line of code, counted from 1."""
    language: str
    code: str

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def blocks_of(page: str, language: str) -> list[Block]:
    """The blocks of one language in `page` (relative to the root), in order. Never empty: a page that lost them fails."""
    text = (ROOT / page).read_text()
    found = [
        Block(page, text.count("\n", 0, match.start(2)) + 1, match[1], match[2])
        for match in _FENCE.finditer(text)
        if match[1] == language
    ]
    assert found, f"{page} has no {language} blocks"
    return found


def run_python(page: str) -> dict[str, object]:
    """Run a page's Python blocks one after another in one namespace, as a reader would; returns the namespace."""
    names: dict[str, object] = {"__name__": "page"}
    for block in blocks_of(page, "python"):
        # Line numbers of failures are those of the page.
        code = compile("\n" * (block.line - 1) + block.code, str(ROOT / page), "exec", dont_inherit=True)
        exec(code, names)
    return names
