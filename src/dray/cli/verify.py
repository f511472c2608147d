"""`dray verify`: replay recordings of the real Kubernetes and print what disagrees."""

import pathlib
import sys
from collections.abc import Sequence

import click


@click.group(epilog="Examples:  dray verify alloc alloc-dev.jsonl.gz  |  dray verify cel cel-dev.jsonl.gz")
def command() -> None:
    """Replay recordings of the real Kubernetes and print what disagrees. Exit code 1 on any failure."""


_FILE = click.Path(exists=True, dir_okay=False, path_type=pathlib.Path)
_LIMIT = click.option("--max-shown", default=20, show_default=True, help="How many disagreements to print.")


def _finish(passed: int, failures: Sequence[object], max_shown: int) -> None:
    for failure in failures[:max_shown]:
        click.echo(str(failure))
    if len(failures) > max_shown:
        click.echo(f"... and {len(failures) - max_shown} more")
    click.echo(f"{passed} passed, {len(failures)} failed")
    if failures:
        raise SystemExit(1)


@command.command()
@click.argument("file", type=_FILE)
@_LIMIT
def alloc(file: pathlib.Path, max_shown: int) -> None:
    """Allocation: which devices each claim gets, or why none (.jsonl or .jsonl.gz)."""
    from dray.testing.corpus_alloc import replay

    report = replay(file, on_progress=_show_progress)
    _finish(report.passed, report.disagreements, max_shown)


def _show_progress(done: int) -> None:
    """Every few cases one line that is written over, where somebody is watching."""
    if done % 100 == 0 and sys.stderr.isatty():
        click.echo(f"\r{done} cases replayed\r", err=True, nl=False)


@command.command()
@click.argument("files", metavar="FILE...", type=_FILE, nargs=-1, required=True)
@_LIMIT
def cel(files: tuple[pathlib.Path, ...], max_shown: int) -> None:
    """CEL: what each expression compiles to, costs and answers (.jsonl or .jsonl.gz)."""
    from dray.testing.corpus_cel import replay

    reports = [replay(file) for file in files]
    failures = [disagreement for report in reports for disagreement in report.disagreements]
    _finish(sum(report.passed for report in reports), failures, max_shown)


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

    report = asyncio.run(replay(file, server=server, tokens=tokens))
    _finish(report.passed, report.failed, max_shown)
