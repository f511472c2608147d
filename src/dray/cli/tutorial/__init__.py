"""`dray tutorial`: the official DRA tutorial, word for word, on a cluster that is thrown away."""

import asyncio
import dataclasses
import pathlib
import shutil
import tempfile
import time
from collections.abc import Sequence

import click

from dray.cli.tutorial.run import Outcome, has_real_kubectl, run_step, shell_environment
from dray.cli.tutorial.steps import Edition, Step, steps

RULE_WIDTH = 100


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    edition: Edition
    step_by_step: bool
    keep: bool
    built_in: bool


@click.command(
    epilog="Examples:  dray tutorial  |  dray tutorial --step  |  dray tutorial --edition 2025 --keep"
)
@click.option("--step", "step_by_step", is_flag=True, help="Wait for Enter before each step.")
@click.option("--keep", is_flag=True, help="Leave the cluster running at the end, until Ctrl-C.")
@click.option(
    "--edition",
    type=click.Choice(["latest", "2025"]),
    default="latest",
    show_default=True,
    help="Which revision of the page: today's manifests (v1), or those of 2025 (v1beta1, v1beta2).",
)
@click.option(
    "--built-in-kubectl",
    "built_in",
    is_flag=True,
    help="Use dray's own kubectl even if the real one is there.",
)
def command(step_by_step: bool, keep: bool, edition: Edition, built_in: bool) -> None:
    """Run the official DRA tutorial, word for word, on a throw-away two-node cluster.

    Each command is shown with its real output and a verdict beside what the page says. Any deviation makes the exit
    code 1.
    """
    options = Options(edition, step_by_step, keep, built_in or not has_real_kubectl())
    failures = asyncio.run(_run(options))
    if failures:
        raise SystemExit(1)


async def _run(options: Options) -> int:
    from dray.cluster.embedded import EmbeddedCluster
    from dray.cluster.layout import ClusterSpec, Layout

    scratch = pathlib.Path(tempfile.mkdtemp(prefix="dray-tutorial-"))
    started = time.monotonic()
    try:
        cluster = EmbeddedCluster(ClusterSpec("tutorial", nodes=2), Layout(scratch / "cluster"))
        async with cluster:
            ready = time.monotonic() - started
            click.echo(
                f"A cluster of two nodes ({', '.join(cluster.spec.node_names)}) was ready after {ready:.1f} s."
            )
            which = "dray's built-in kubectl" if options.built_in else "the kubectl on PATH"
            click.echo(
                f"Commands run as the page prints them, with {which}; manifests are read from dray's own copies."
            )
            failures = await _run_all(options, cluster.layout.kubeconfig, scratch, started)
            if options.keep:
                await _wait_for_end(cluster.layout.kubeconfig)
            return failures
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


async def _run_all(options: Options, kubeconfig: pathlib.Path, scratch: pathlib.Path, started: float) -> int:
    outcomes: list[Outcome] = []
    section = ""
    with shell_environment(kubeconfig, scratch, built_in=options.built_in) as environment:
        for step in steps(options.edition):
            if step.section != section:
                section = step.section
                _show_section(section)
            click.secho(f"$ {step.command}", bold=True)
            if step.is_explained_only:
                click.echo(f"  {step.remark}\n")
                continue
            if options.step_by_step:
                await asyncio.to_thread(click.pause, "  (Enter to run)")
            outcome = await run_step(step, options.edition, environment)
            outcomes.append(outcome)
            _show_outcome(outcome)
    return _show_summary(outcomes, time.monotonic() - started)


def _show_section(title: str) -> None:
    click.echo()
    click.secho(f"── {title} ".ljust(RULE_WIDTH, "─"), fg="cyan")
    click.echo()


def _show_outcome(outcome: Outcome) -> None:
    if outcome.output.strip():
        click.echo(outcome.output.rstrip("\n"))
    took = f"{outcome.seconds:.1f} s"
    if outcome.is_right:
        click.secho(f"  ✓ {_verdict(outcome.step)} ({took})", fg="green")
        if outcome.step.remark:
            click.echo(f"    {outcome.step.remark}")
    else:
        click.secho(f"  ✗ not what the tutorial shows ({took})", fg="red")
        click.echo("    " + str(outcome.difference).replace("\n", "\n    "))
    click.echo()


def _verdict(step: Step) -> str:
    if step.corrects:
        return "as the tutorial shows, with the namespace added"
    return "as a real Kubernetes 1.36 answers" if step.remark else "as the tutorial shows"


def _show_summary(outcomes: Sequence[Outcome], seconds: float) -> int:
    wrong = [outcome for outcome in outcomes if not outcome.is_right]
    _show_section("Summary")
    click.echo(f"{len(outcomes) - len(wrong)} of {len(outcomes)} steps as expected, {seconds:.1f} s in all.")
    for outcome in wrong:
        click.secho(f"  ✗ {outcome.step.command}", fg="red")
    if not wrong:
        click.echo("Your own cluster: dray up")
    return len(wrong)


async def _wait_for_end(kubeconfig: pathlib.Path) -> None:
    click.echo(
        f"\nThe cluster stays. Use it from another terminal:\n\n  export KUBECONFIG={kubeconfig}\n  kubectl get nodes\n"
    )
    click.echo("Ctrl-C ends it and deletes everything.")
    await asyncio.Event().wait()
