"""`dray driver test`: what it takes, what it prints, how it ends."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from dray.cli.driver import command

PROGRAM = str(Path(__file__).with_name("broken.py"))
SERVES = "registration/serves-before-it-registers"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(command, ["test", *arguments])


def test_a_driver_that_keeps_the_rules_ends_with_0_and_a_report(tmp_path: Path) -> None:
    junit = tmp_path / "report.xml"
    result = run("--rule", SERVES, "--junit", str(junit), "--", sys.executable, PROGRAM)
    assert result.exit_code == 0, result.output
    assert "ok    The service answers from the moment the driver is registered" in result.output
    assert result.output.endswith("PASSED: 1 rules: 1 passed, 0 failed, 0 warning, 0 skipped\n")
    assert ElementTree.parse(junit).getroot().find("testsuite/testcase") is not None


def test_a_broken_rule_ends_with_1_and_shows_the_drivers_last_words() -> None:
    result = run("--rule", SERVES, sys.executable, "-c", "print('no lamps here'); raise SystemExit(7)")
    assert result.exit_code == 1
    assert "the driver ended with exit code 7" in result.output
    assert "| no lamps here" in result.output
    assert f"rule: {SERVES}" in result.output


@pytest.mark.parametrize(("strict", "code"), [([], 0), (["--strict"], 1)])
def test_warnings_count_only_when_asked(strict: list[str], code: int) -> None:
    rule = ["--rule", "registration/prefers-the-newest-service", "--env", "BROKEN=only-v1"]
    assert run(*strict, *rule, sys.executable, PROGRAM).exit_code == code


def test_placeholders_of_the_command_are_filled_in(tmp_path: Path) -> None:
    shown = "import sys; print(sys.argv[1:])"
    result = run(
        "--keep", str(tmp_path), "--rule", SERVES, sys.executable, "-c", shown, "{node}", "{cdi}", "{x}"
    )
    assert f"| ['node-1', '{tmp_path}/n0/cdi', '{{x}}']" in result.output
    assert (tmp_path / "n0" / "driver.log").exists()


def test_the_rules_can_be_listed() -> None:
    lines = run("--list").output.splitlines()
    assert len(lines) >= 60
    assert any(line.startswith(SERVES) and " must " in line for line in lines)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ([], "say how the driver is started"),
        (["--rule", "nonsense", "x"], "no rule matches 'nonsense'"),
        (["--env", "NAME", "x"], "--env NAME: expected NAME=VALUE"),
        (["--parameters", "{tmp}/list.yaml", "x"], "expected an object with apiVersion and kind"),
        (["--parameters", "{tmp}/bad.yaml", "x"], "bad.yaml: "),
    ],
)
def test_what_cannot_be_used_is_named(arguments: list[str], complaint: str, tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- a\n")
    (tmp_path / "bad.yaml").write_text("{")
    result = run(*(argument.replace("{tmp}", str(tmp_path)) for argument in arguments))
    assert result.exit_code == 2
    assert complaint in result.output
