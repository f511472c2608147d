"""Every command explains itself by examples that can be copied, whatever the width of the terminal."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from dray.cli.main import COMMANDS, cli


def commands(
    group: click.Group, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield (*words, name), command
        if isinstance(command, click.Group) and name != "kubectl":
            yield from commands(command, (*words, name))


WIDTH = 120
ALL = list(commands(cli))


def test_all_commands_are_found() -> None:
    assert {words[0] for words, _ in ALL} == set(COMMANDS)


@pytest.mark.parametrize("words", [words for words, command in ALL if command.epilog], ids=" ".join)
def test_examples_stand_one_on_a_line_and_begin_with_the_program(words: tuple[str, ...]) -> None:
    result = CliRunner(env={"COLUMNS": "60"}).invoke(cli, [*words, "--help"])
    _, found, examples = result.output.partition("Examples:\n")
    assert found, result.output
    lines = [line.strip() for line in examples.splitlines() if line.strip()]
    assert lines
    assert all(line.startswith(("dray ", "kubectl ")) for line in lines), lines
    assert all(len(line) <= WIDTH for line in examples.splitlines())
