"""Files of variables that one container of a pod writes and others start with: `NAME='value'`, a subset of the shell's.

A value stands in single quotes and is taken as it is, newlines included; lines that are blank or begin with `#` say
nothing. Nothing is expanded, joined or escaped, so that a shell would read the same. Pure.
"""

import re
from typing import Final

_LINE: Final = re.compile(
    r"[ \t]*(?:#[^\n]*|(?P<name>[^\s=#'\"$]+)[ \t]*=[ \t]*'(?P<value>[^']*)'[ \t]*)?\r?(?:\n|\Z)"
)


class EnvFileError(ValueError):
    """The file is not of that form; the text names the line, and shows nothing of it: values may be secret."""


def parse(text: str) -> dict[str, str]:
    """Name -> value; the last one counts. Raises EnvFileError."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        line = _LINE.match(text, at)
        if line is None:
            raise EnvFileError(f"line {text.count(chr(10), 0, at) + 1} is not NAME='value'")
        if line["name"]:
            found[line["name"]] = line["value"]
        at = line.end()
    return found
