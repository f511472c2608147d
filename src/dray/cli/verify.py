"""`dray verify`: replay recordings of the real Kubernetes and print what disagrees."""

import pathlib
from typing import Protocol

import click


class Report(Protocol):
    passed: int

    @property
    def failed(self) -> "list[object]": ...


@click.group(epilog="Examples:  dray verify cel cases.jsonl  |  dray verify alloc alloc-dev.jsonl.gz")
def command() -> None:
    """Replay recordings of the real Kubernetes and print what disagrees. Exit code 1 on any failure."""


_FILE = click.Path(exists=True, dir_okay=False, path_type=pathlib.Path)
_LIMIT = click.option("--max-shown", default=20, show_default=True, help="How many disagreements to print.")


def _finish(report: Report, max_shown: int) -> None:
    for failure in report.failed[:max_shown]:
        click.echo(str(failure))
    if len(report.failed) > max_shown:
        click.echo(f"... and {len(report.failed) - max_shown} more")
    click.echo(f"{report.passed} passed, {len(report.failed)} failed")
    if report.failed:
        raise SystemExit(1)


@command.command()
@click.argument("file", type=_FILE)
@_LIMIT
def cel(file: pathlib.Path, max_shown: int) -> None:
    """CEL: compile errors, types, costs and values of device selectors (.jsonl or .jsonl.gz)."""
    from dray.testing.corpus_cel import replay

    _finish(replay(file), max_shown)


@command.command()
@click.argument("file", type=_FILE)
@_LIMIT
def alloc(file: pathlib.Path, max_shown: int) -> None:
    """Allocation: which devices each claim gets, or why none (.jsonl or .jsonl.gz)."""
    from dray.testing.corpus_alloc import replay

    _finish(replay(file), max_shown)


@command.command()
@click.argument("file", type=_FILE)
@click.option("--server", help="Another API server, e.g. https://127.0.0.1:6443; our own by default.")
@click.option(
    "--tokens", type=_FILE, help="Its token file (CSV as kube-apiserver's, or JSON alias -> token)."
)
@_LIMIT
def api(file: pathlib.Path, server: str | None, tokens: pathlib.Path | None, max_shown: int) -> None:
    """API: whole requests and answers, replayed against our API server or another one."""
    import asyncio

    from dray.testing.corpus_api import replay

    _finish(asyncio.run(replay(file, server=server, tokens=tokens)), max_shown)
