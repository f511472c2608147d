"""Runs the rules: each on a stage of its own, several at a time, since most of them wait."""

import asyncio
import time
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from dray.testing.conformance.report import Outcome, Report, Verdict, ordered
from dray.testing.conformance.rules import Rule, all_rules
from dray.testing.conformance.stage import Stage
from dray.testing.conformance.subject import Subject
from dray.testing.conformance.verdicts import NotApplicable, Violation

AT_ONCE = 6
CASE_TIMEOUT_SECONDS = 180.0


def select(patterns: Sequence[str]) -> list[Rule]:
    """The rules whose full name matches one of `patterns` (shell style); an area alone means all of it.

    Raises ValueError for a pattern that matches nothing.
    """
    rules = all_rules()
    if not patterns:
        return rules
    chosen = []
    for pattern in patterns:
        matching = [one for one in rules if fnmatchcase(one.full_name, pattern) or one.area == pattern]
        if not matching:
            raise ValueError(f"no rule matches {pattern!r}; --list shows all of them")
        chosen += matching
    return [one for one in rules if one in chosen]


async def run_suite(
    subject: Subject,
    directory: Path,
    *,
    patterns: Sequence[str] = (),
    at_once: int = AT_ONCE,
    on_outcome: Callable[[Outcome], None] = lambda outcome: None,
) -> Report:
    """Try `subject` against the rules that `patterns` select; `directory` holds the nodes and should have a short path.

    Raises ValueError for a pattern that matches nothing.
    """
    rules = select(patterns)
    places = asyncio.Semaphore(at_once)

    async def one(number: int, rule: Rule) -> Outcome:
        async with places:
            outcome = await run_rule(rule, subject, directory / f"n{number}")
        on_outcome(outcome)
        return outcome

    # Those that wait begin first, so that the others fill the time.
    queue = sorted(enumerate(rules), key=lambda entry: not entry[1].waits)
    outcomes = await asyncio.gather(*(one(number, rule) for number, rule in queue))
    return Report(str(subject), ordered(outcomes, [rule.full_name for rule in rules]))


async def run_rule(rule: Rule, subject: Subject, root: Path) -> Outcome:
    """Never raises for what a driver does."""
    started = time.monotonic()
    stage = Stage(subject, rule.setting, root)
    verdict, why = Verdict.PASSED, ""
    try:
        async with asyncio.timeout(CASE_TIMEOUT_SECONDS), stage:
            await rule.check(stage)
    except NotApplicable as reason:
        verdict, why = Verdict.SKIPPED, str(reason)
    except Violation as violation:
        verdict, why = _broken(rule), str(violation)
    except TimeoutError:
        verdict, why = _broken(rule), f"not finished within {CASE_TIMEOUT_SECONDS:.0f} s"
    log = "" if verdict in (Verdict.PASSED, Verdict.SKIPPED) else stage.last_words()
    return Outcome(rule.full_name, rule.title, verdict, time.monotonic() - started, why, log)


def _broken(rule: Rule) -> Verdict:
    return Verdict.FAILED if rule.level == "must" else Verdict.WARNING
