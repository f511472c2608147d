"""What a run found: for people as text, for CI as JUnit XML. Pure."""

import dataclasses
import enum
import textwrap
from collections.abc import Sequence
from xml.etree import ElementTree

WIDTH = 100


class Verdict(enum.StrEnum):
    PASSED = "passed"
    FAILED = "FAILED"
    """The driver breaks a rule that kubelets rely on."""
    WARNING = "warning"
    """It misses something that is good practice."""
    SKIPPED = "skipped"
    """The rule is about something that this driver does not offer."""


_MARKS = {Verdict.PASSED: "ok  ", Verdict.FAILED: "FAIL", Verdict.WARNING: "warn", Verdict.SKIPPED: "-   "}


@dataclasses.dataclass(frozen=True, slots=True)
class Outcome:
    name: str
    """area/rule"""
    title: str
    verdict: Verdict
    seconds: float
    why: str = ""
    """What was expected and what happened; "" when it passed."""
    log: str = ""
    """The end of the driver's log, where that can help."""

    @property
    def area(self) -> str:
        return self.name.partition("/")[0]


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    subject: str
    outcomes: tuple[Outcome, ...]

    @property
    def passed(self) -> bool:
        return not self.of(Verdict.FAILED)

    def of(self, verdict: Verdict) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.verdict is verdict]

    def as_text(self) -> str:
        lines = [f"Conformance of: {self.subject}", ""]
        for area in dict.fromkeys(outcome.area for outcome in self.outcomes):
            lines += [area.replace("-", " ").capitalize()]
            for outcome in self.outcomes:
                if outcome.area == area:
                    lines += _lines(outcome)
            lines.append("")
        return "\n".join([*lines, self.summary()])

    def summary(self) -> str:
        """One line with all the counts, and the verdict."""
        counts = ", ".join(f"{len(self.of(verdict))} {verdict.value.lower()}" for verdict in Verdict)
        return f"{'PASSED' if self.passed else 'FAILED'}: {len(self.outcomes)} rules: {counts}"

    def as_junit(self) -> str:
        root = ElementTree.Element("testsuites")
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name="dray driver conformance",
            tests=str(len(self.outcomes)),
            failures=str(len(self.of(Verdict.FAILED))),
            skipped=str(len(self.of(Verdict.SKIPPED))),
            time=f"{sum(outcome.seconds for outcome in self.outcomes):.3f}",
        )
        properties = ElementTree.SubElement(suite, "properties")
        ElementTree.SubElement(properties, "property", name="command", value=self.subject)
        for outcome in self.outcomes:
            suite.append(_test_case(outcome))
        ElementTree.indent(root)
        return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _lines(outcome: Outcome) -> list[str]:
    lines = [f"  {_MARKS[outcome.verdict]}  {outcome.title}  ({outcome.seconds:.1f} s)"]
    if outcome.why:
        lines += textwrap.wrap(outcome.why, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8)
    if outcome.verdict in (Verdict.FAILED, Verdict.WARNING):
        lines.append(f"        rule: {outcome.name}")
        lines += [f"        | {line}" for line in outcome.log.splitlines()]
    return lines


def _test_case(outcome: Outcome) -> ElementTree.Element:
    element = ElementTree.Element(
        "testcase",
        classname=f"dra.{outcome.area}",
        name=outcome.name.partition("/")[2],
        time=f"{outcome.seconds:.3f}",
    )
    if outcome.verdict is Verdict.FAILED:
        failure = ElementTree.SubElement(element, "failure", message=_printable(outcome.why))
        failure.text = f"{outcome.title}\n\n{_printable(outcome.log)}"
    elif outcome.verdict is Verdict.SKIPPED:
        ElementTree.SubElement(element, "skipped", message=_printable(outcome.why))
    elif outcome.verdict is Verdict.WARNING:
        output = ElementTree.SubElement(element, "system-out")
        output.text = _printable(f"warning: {outcome.why}\n\n{outcome.log}")
    return element


def _printable(text: str) -> str:
    """XML has no form for control characters, which logs may hold."""
    return "".join(character for character in text if character in "\t\n" or character >= " ")


def ordered(outcomes: Sequence[Outcome], names: Sequence[str]) -> tuple[Outcome, ...]:
    """`outcomes` in the order of `names`, however they came in."""
    return tuple(sorted(outcomes, key=lambda outcome: names.index(outcome.name)))
