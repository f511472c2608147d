"""`dray driver test`: the conformance kit for drivers."""

import asyncio
import json
import os
import pathlib
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dray.testing.conformance import Outcome

_CONTEXT = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@click.command(
    "test",
    context_settings=_CONTEXT,
    epilog="Examples:  dray driver test dray driver example  |  "
    "dray driver test --rule lifecycle --junit report.xml -- ./my-driver --cdi-root {cdi} --node {node}",
)
@click.option(
    "--rule",
    "-r",
    "rules",
    multiple=True,
    metavar="PATTERN",
    help="Only rules like this: an area (calls), a name (calls/unprepares-twice), a pattern (*/*restart*).",
)
@click.option("--list", "show_list", is_flag=True, help="Show the rules and run nothing.")
@click.option(
    "--junit", type=click.Path(path_type=pathlib.Path), metavar="FILE", help="Also write JUnit XML."
)
@click.option(
    "--env", "-e", "variables", multiple=True, metavar="NAME=VALUE", help="A variable for the driver."
)
@click.option(
    "--parameters",
    type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
    metavar="FILE",
    help="Opaque configuration (YAML or JSON) for every claim, for drivers that need one.",
)
@click.option("--strict", is_flag=True, help="Count warnings as failures.")
@click.option(
    "--jobs", "-j", type=click.IntRange(1, 64), default=6, show_default=True, help="Nodes at a time."
)
@click.option(
    "--ready-seconds", type=float, default=30.0, show_default=True, help="The driver's time to start."
)
@click.option("--stop-seconds", type=float, default=30.0, show_default=True, help="Its grace period.")
@click.option(
    "--keep",
    type=click.Path(file_okay=False, path_type=pathlib.Path),
    metavar="DIRECTORY",
    help="Put the nodes, with the driver's logs, here and leave them.",
)
@click.argument("program", nargs=-1, type=click.UNPROCESSED, metavar="CMD...")
def command(
    rules: tuple[str, ...],
    show_list: bool,
    junit: pathlib.Path | None,
    variables: tuple[str, ...],
    parameters: pathlib.Path | None,
    strict: bool,
    jobs: int,
    ready_seconds: float,
    stop_seconds: float,
    keep: pathlib.Path | None,
    program: tuple[str, ...],
) -> None:
    """Try any driver, in whatever language, against the contract that kubelets rely on.

    CMD is run on nodes that do not exist: a kubelet with real sockets and an API server. It is told where it is by the
    variables of a DaemonSet (NODE_NAME, KUBECONFIG, CDI_ROOT, KUBELET_REGISTRAR_DIRECTORY_PATH,
    KUBELET_PLUGINS_DIRECTORY_PATH, POD_UID) and by {node} {kubeconfig} {cdi} {registry} {plugins} {pod_uid} {root} in
    CMD. Exit code 1: a rule that kubelets rely on is broken.
    """
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    if show_list:
        _list(rules)
        return
    if not program:
        raise click.UsageError("say how the driver is started: dray driver test -- ./my-driver")
    from dray.testing.conformance import Subject, Verdict, run_suite

    subject = Subject(
        program,
        dict(_variable(text) for text in variables),
        _read_parameters(parameters),
        ready_seconds,
        stop_seconds,
    )
    with tempfile.TemporaryDirectory(prefix="dray-", ignore_cleanup_errors=True) as temporary:
        run = run_suite(
            subject,
            (keep or pathlib.Path(temporary)).absolute(),
            patterns=_known(rules),
            at_once=jobs,
            on_outcome=_progress,
        )
        report = asyncio.run(run)
    click.echo(report.as_text())
    if junit is not None:
        junit.write_text(report.as_junit())
    if not report.passed or (strict and report.of(Verdict.WARNING)):
        sys.exit(1)


def _list(patterns: tuple[str, ...]) -> None:
    from dray.testing.conformance.suite import select

    for rule in select(_known(patterns)):
        click.echo(f"{rule.full_name:<60} {rule.level:<6}  {rule.title}")


def _known(patterns: tuple[str, ...]) -> tuple[str, ...]:
    from dray.testing.conformance.suite import select

    try:
        select(patterns)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return patterns


def _variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.UsageError(f"--env {text}: expected NAME=VALUE")
    return name, value


def _read_parameters(path: pathlib.Path | None) -> Any:
    if path is None:
        return None
    import yaml

    try:
        parameters = yaml.safe_load(path.read_text())
        json.dumps(parameters)
    except (yaml.YAMLError, TypeError) as error:
        raise click.UsageError(f"--parameters {path}: {' '.join(str(error).split())}") from None
    if not isinstance(parameters, dict):
        raise click.UsageError(f"--parameters {path}: expected an object with apiVersion and kind")
    return parameters


def _progress(outcome: "Outcome") -> None:
    if sys.stderr.isatty():
        click.echo(f"{outcome.verdict.value:<8} {outcome.name}", err=True)
