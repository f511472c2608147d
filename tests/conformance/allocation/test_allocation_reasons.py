"""Reasons are true: take away what a refusal names, and the claims fit or something else is named."""

import copy
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

from dray.allocation import InvalidInput, Unsatisfiable
from dray.allocation.rejections import Rule
from dray.testing.corpus_alloc import load_index, read_cases

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "allocation" / "cases.jsonl.gz"
Case = dict[str, Any]


def options_of(case: Case) -> list[dict[str, Any]]:
    requests = [r for claim in case["claims"] for r in claim["spec"]["devices"].get("requests") or ()]
    return [option for r in requests for option in r.get("firstAvailable") or [r["exactly"]]]


def devices_of(case: Case) -> list[dict[str, Any]]:
    return [device for item in case["slices"] for device in item["spec"].get("devices") or ()]


def free_all(case: Case) -> None:
    case["allocated"] = []


def drop_selectors(case: Case) -> None:
    for spec in (*(item["spec"] for item in case["classes"]), *options_of(case)):
        spec.pop("selectors", None)


def drop_taints(case: Case) -> None:
    for device in devices_of(case):
        device.pop("taints", None)


def drop_counters(case: Case) -> None:
    for device in devices_of(case):
        device.pop("consumesCounters", None)


def drop_capacity(case: Case) -> None:
    case["allocated"] = []
    for item in (*devices_of(case), *options_of(case)):
        item.pop("capacity", None)


def drop_constraints(kind: str) -> Callable[[Case], None]:
    def drop(case: Case) -> None:
        for claim in case["claims"]:
            devices = claim["spec"]["devices"]
            devices["constraints"] = [c for c in devices.get("constraints") or () if kind not in c]

    return drop


REMEDIES: dict[Rule, Callable[[Case], None]] = {
    Rule.IN_USE: free_all,
    Rule.SELECTOR: drop_selectors,
    Rule.TAINT: drop_taints,
    Rule.COUNTERS: drop_counters,
    Rule.CAPACITY: drop_capacity,
    Rule.MATCH: drop_constraints("matchAttribute"),
    Rule.DISTINCT: drop_constraints("distinctAttribute"),
}


def rules_of(case: Case) -> set[Rule]:
    """The rules that a refusal names; none where the claims fit or cannot be worked with."""
    try:
        outcome = load_index(case).prepare(case["claims"]).on_node(case["node"])
    except InvalidInput:
        return set()
    if not isinstance(outcome, Unsatisfiable):
        return set()
    rules = {rejection.rule for rejection in outcome.rejections}
    assert rules, f"{case['id']}: refused without a reason"
    assert outcome.summary()
    return rules


@pytest.fixture(scope="module")
def refused() -> list[tuple[Case, set[Rule]]]:
    found = [(case, rules_of(case)) for case in read_cases(CORPUS) if is_plain_no(case)]
    assert len(found) > 900
    return found


def is_plain_no(case: Case) -> bool:
    expect = case["expect"].get("withoutQuirks") or case["expect"]
    return not expect["ok"] and not expect["error"]


def test_every_recorded_refusal_has_a_reason(refused: list[tuple[Case, set[Rule]]]) -> None:
    assert all(rules for _, rules in refused)


@pytest.mark.parametrize("rule", REMEDIES)
def test_without_the_named_obstacle_the_claims_fit_or_another_is_named(
    rule: Rule, refused: list[tuple[Case, set[Rule]]]
) -> None:
    named = [case for case, rules in refused if rule in rules][:60]
    assert len(named) > 10
    fit = 0
    for case in named:
        mended = copy.deepcopy(case)
        REMEDIES[rule](mended)
        after = rules_of(mended)
        assert rule not in after, case["id"]
        fit += not after
    assert fit  # for some it was the only obstacle
