"""Evaluates the terms of a selector one by one and keeps those that stand in the way.

Each term is compiled on its own, so that its answer is as exact as that of the whole. False terms explain a device that
does not match, failed ones one that cannot be asked about; beside a false term a failed one does not matter.
"""

from collections.abc import Callable
from dataclasses import dataclass

from dray.cel.compilation import Compilation
from dray.cel.device import Record
from dray.cel.errors import CelRuntimeError
from dray.cel.explanation.reading import Reading, Readings
from dray.cel.explanation.sentence import put_into_words
from dray.cel.explanation.terms import terms
from dray.cel.values.kind import type_name


@dataclass(frozen=True, slots=True)
class Finding:
    """A term that is not true. `source`: its text. `error`: why it failed, empty where it is simply false."""

    source: str
    error: str
    readings: tuple[Reading, ...]
    words: str

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a device is not selected; without findings, it is. `str()` says it in one line."""

    findings: tuple[Finding, ...]

    def __str__(self) -> str:
        return "; ".join(map(str, self.findings))

    def __bool__(self) -> bool:
        return bool(self.findings)


def explain(text: str, record: Record, limit: int, compile_term: Callable[[str], Compilation]) -> Explanation:
    """`text`: a selector that compiles. `limit`: what each term may cost."""
    false: list[Finding] = []
    failed: list[Finding] = []
    readings = Readings(record)
    for source in terms(text):
        finding = _ask(compile_term(source), record, limit, readings)
        if finding is not None:
            (failed if finding.error else false).append(finding)
    return Explanation(tuple(false or failed))


def _ask(term: Compilation, record: Record, limit: int, readings: Readings) -> Finding | None:
    error = ""
    try:
        value, _ = term.run(record.variables, limit)
        if value is True:
            return None
        if value is not False:
            error = f"the value is no bool but of type {type_name(value)}"
    except CelRuntimeError as failure:
        error = str(failure)
    read = readings.all(term.root)
    if error:
        return Finding(term.text, error, read, f"{_one_line(term.text)} fails: {error}")
    words = put_into_words(term.root, readings) or _quoted(term.text, read)
    return Finding(term.text, "", read, words)


def _quoted(source: str, read: tuple[Reading, ...]) -> str:
    seen = ", ".join(map(str, read))
    false = f"{_one_line(source)} is false"
    return f"{false}: {seen}" if seen else false


def _one_line(source: str) -> str:
    return " ".join(line.strip() for line in source.splitlines())
