"""Expected output as text with holes: what the tutorial shows, but for what must differ from run to run.

Holes are written `<age>`, `<suffix>`, `<node>`, `<n>`, `<uid>`, `<time>`, `<any>`; runs of blanks are equal to each other. A
hole with a number, `<n1>`, must be filled alike wherever it stands in one expectation.
"""

import dataclasses
import re

HOLES = {
    "age": r"(?:\d+[smhdy])+",
    "suffix": r"[a-z0-9]{5}",
    "node": r"[a-z0-9][-a-z0-9.]*",
    "n": r"\d+",
    "uid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ",
    "klog": r"[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \S+\]",
    "any": r".*",
}
_HOLE = re.compile(r"<([a-z]+)(\d*)>")


@dataclasses.dataclass(frozen=True, slots=True)
class Difference:
    """The first line that is not as expected; None where one side has no such line."""

    expected: str | None
    found: str | None

    def __str__(self) -> str:
        if self.expected is None:
            return f"more than expected: {self.found}"
        if self.found is None:
            return f"missing: {self.expected}"
        return f"expected: {self.expected}\n     found: {self.found}"


def find_difference(expected: str, found: str) -> Difference | None:
    """Compare whole outputs line by line."""
    wanted, lines = _lines(expected), _lines(found)
    fillings: dict[str, str] = {}
    for number in range(max(len(wanted), len(lines))):
        want = wanted[number] if number < len(wanted) else None
        line = lines[number] if number < len(lines) else None
        if want is None or line is None or not _matches(want, line, fillings):
            return Difference(want, line)
    return None


def find_missing(expected: str, found: str) -> Difference | None:
    """Whether every expected line occurs, in order, with anything between."""
    lines = iter(_lines(found))
    fillings: dict[str, str] = {}
    for want in _lines(expected):
        if not any(_matches(want, line, fillings) for line in lines):
            return Difference(want, None)
    return None


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").split("\n")] if text.strip() else []


def _matches(pattern: str, line: str, fillings: dict[str, str]) -> bool:
    match = re.fullmatch(_compile(pattern, fillings), line)
    if match is None:
        return False
    fillings.update({name: value for name, value in match.groupdict().items() if value is not None})
    return True


def _compile(pattern: str, fillings: dict[str, str]) -> str:
    parts: list[str] = []
    position = 0
    named: set[str] = set()
    for hole in _HOLE.finditer(pattern):
        if hole.group(1) not in HOLES:
            continue
        parts.append(_literal(pattern[position : hole.start()]))
        parts.append(_hole(hole.group(1), hole.group(2), fillings, named))
        position = hole.end()
    parts.append(_literal(pattern[position:]))
    return "".join(parts)


def _literal(text: str) -> str:
    return re.sub(r"(?:\\ )+", " +", re.escape(text))


def _hole(kind: str, number: str, fillings: dict[str, str], named: set[str]) -> str:
    if not number:
        return f"(?:{HOLES[kind]})"
    name = f"{kind}{number}"
    if name in fillings:
        return re.escape(fillings[name])
    if name in named:
        return f"(?P={name})"
    named.add(name)
    return f"(?P<{name}>{HOLES[kind]})"
