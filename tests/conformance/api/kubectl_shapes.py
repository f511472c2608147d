"""What stays of a command's output when names, times and numbers go: columns, keys, or words."""

import re

_KEY = re.compile(r"[A-Za-z][\w ()/-]*:")
_JSON_KEY = re.compile(r' {4}"(\w+)":')
_GAP = re.compile(r"\s{2,}|\t")
_OWN_WORD = re.compile(r"\S*[\d/.\"'=*-]\S*")


def shape(text: str) -> list[str]:
    """Of a table its columns, of an object or a description its outermost keys, else the words of the first line."""
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        return []
    if lines[0] == "{":
        return sorted({found.group(1) for line in lines if (found := _JSON_KEY.match(line))})
    if lines[0].startswith("{"):
        return ["one line of JSON"]
    columns = _GAP.split(lines[0].strip())
    if len(columns) > 1 and lines[0] == lines[0].upper():
        return columns
    if _KEY.match(lines[0]):
        return sorted({found.group(0) for line in lines if (found := _KEY.match(line))})
    return ["*" if _OWN_WORD.fullmatch(word) else word for word in lines[0].split()]
