"""The examples at the end of a command's help: one a line, never filled up into each other."""

import click

_HEAD = "Examples:"
_BETWEEN = "  |  "
_AS_IT_IS = "\b\n"
"""Keeps click from wrapping the paragraph."""


def examples(*lines: str) -> str:
    """For `epilog`, where examples have comments."""
    return f"{_AS_IT_IS}{_HEAD}\n" + "\n".join(f"  {line}" for line in lines)


def lay_out(command: click.Command) -> None:
    """Give each example of an epilog of the form `Examples:  one  |  another` a line, in subcommands too."""
    epilog = (command.epilog or "").strip()
    if epilog.startswith(("Example:", _HEAD)):
        command.epilog = examples(*epilog.partition(":")[2].strip().split(_BETWEEN))
    if isinstance(command, click.Group):
        for subcommand in command.commands.values():
            lay_out(subcommand)
