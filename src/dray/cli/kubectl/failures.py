"""How kubectl tells of many things that went wrong in one command."""

from collections.abc import Sequence

import click

from dray.cli.kubectl.session import Failure


def tell(failures: Sequence[str]) -> None:
    """Prints them; `error: ` stands only before one that is alone. Raises Failure unless there are none."""
    for failure in failures:
        click.echo(failure if len(failures) == 1 else failure.removeprefix("error: "), err=True)
    if failures:
        raise Failure("")
