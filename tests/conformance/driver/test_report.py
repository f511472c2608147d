"""What a run found can be read by people and by CI."""

from xml.etree import ElementTree

from dray.testing.conformance import Outcome, Report, Verdict, all_rules

REPORT = Report(
    "./driver --node n",
    (
        Outcome("calls/answers", "Every call is answered", Verdict.PASSED, 0.25),
        Outcome("calls/hurries", "In time", Verdict.FAILED, 1.5, "too late\x00", "E1: <slow>\x1b[0m"),
        Outcome("health/reports", "Health is reported", Verdict.SKIPPED, 0.1, "not offered"),
        Outcome("health/repeats", "Again and again", Verdict.WARNING, 2.0, "only once"),
    ),
)


def test_the_text_has_areas_verdicts_reasons_and_a_summary() -> None:
    text = REPORT.as_text()
    assert text.splitlines()[:6] == [
        "Conformance of: ./driver --node n",
        "",
        "Calls",
        "  ok    Every call is answered  (0.2 s)",
        "  FAIL  In time  (1.5 s)",
        "        too late\x00",
    ]
    assert "        rule: calls/hurries" in text
    assert "        | E1: <slow>" in text
    assert text.endswith("FAILED: 4 rules: 1 passed, 1 failed, 1 warning, 1 skipped")


def test_warnings_do_not_fail_a_run() -> None:
    good = Report("d", tuple(one for one in REPORT.outcomes if one.verdict is not Verdict.FAILED))
    assert good.passed
    assert not REPORT.passed


def test_junit_is_xml_with_a_case_for_each_rule() -> None:
    suite = ElementTree.fromstring(REPORT.as_junit()).find("testsuite")
    assert suite is not None
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "1")
    cases = suite.findall("testcase")
    assert [(case.get("classname"), case.get("name")) for case in cases] == [
        ("dra.calls", "answers"),
        ("dra.calls", "hurries"),
        ("dra.health", "reports"),
        ("dra.health", "repeats"),
    ]
    failure = cases[1].find("failure")
    assert failure is not None
    assert failure.text == "In time\n\nE1: <slow>[0m"
    assert cases[2].find("skipped") is not None
    assert "only once" in (cases[3].findtext("system-out") or "")


def test_every_rule_has_a_sentence_and_a_name_of_its_own() -> None:
    rules = all_rules()
    assert len({rule.full_name for rule in rules}) == len(rules)
    assert [rule.full_name for rule in rules if len(rule.title) < 30] == []
