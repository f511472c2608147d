"""`dray`: the command line. Commands load their code only when they run, so that `dray --help` is instant."""

import importlib
import sys

import click

import dray
from dray.cli.examples import examples, lay_out

COMMANDS = {
    "tutorial": "dray.cli.tutorial",
    "up": "dray.cli.up",
    "status": "dray.cli.status",
    "down": "dray.cli.down",
    "delete": "dray.cli.delete",
    "snapshot": "dray.cli.snapshot",
    "kubectl": "dray.cli.kubectl",
    "why": "dray.cli.why",
    "devices": "dray.cli.devices",
    "top": "dray.cli.top",
    "whatif": "dray.cli.whatif",
    "cel": "dray.cli.cel",
    "doctor": "dray.cli.doctor",
    "safe-to-remove": "dray.cli.safe_to_remove",
    "apiserver": "dray.cli.apiserver",
    "scheduler": "dray.cli.scheduler",
    "controller-manager": "dray.cli.controller_manager",
    "node": "dray.cli.node",
    "driver": "dray.cli.driver",
    "verify": "dray.cli.verify",
}
SECTIONS = {
    "Start here": ("tutorial", "up", "status", "down", "delete", "snapshot", "kubectl"),
    "Questions, to any Kubernetes or to a snapshot of one": (
        "why",
        "devices",
        "top",
        "whatif",
        "cel",
        "doctor",
        "safe-to-remove",
    ),
    "Roles, each alone, against any Kubernetes": (
        "apiserver",
        "scheduler",
        "controller-manager",
        "node",
        "driver",
    ),
    "Check dray itself": ("verify",),
}


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = COMMANDS.get(cmd_name)
        if module is None:
            return None
        command = importlib.import_module(module).command
        assert isinstance(command, click.Command)
        lay_out(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, names in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name, HELP[name]) for name in names])


HELP = {
    "tutorial": "Run the official DRA tutorial on a throw-away cluster.",
    "up": "Start a cluster, or go on with one.",
    "status": "Show the clusters and what runs in them.",
    "down": "Stop a cluster; its data stays.",
    "delete": "Stop a cluster and delete its data.",
    "snapshot": "Copy a cluster to a file, and back.",
    "kubectl": "The everyday part of kubectl, built in.",
    "why": "Why a pod is pending or a claim has no devices.",
    "devices": "All devices: who holds them, what is free.",
    "top": "Devices in use by namespace, class or node.",
    "whatif": "What would fit after a change.",
    "cel": "Try a selector on the devices there are.",
    "doctor": "Look for what is wrong with DRA in a cluster.",
    "safe-to-remove": "Whether a driver or node can go.",
    "apiserver": "The API server.",
    "scheduler": "The scheduler.",
    "controller-manager": "The control loops.",
    "node": "One node: the kubelet's role.",
    "driver": "DRA drivers that come with dray.",
    "verify": "Replay recordings of the real Kubernetes.",
}


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=examples("dray tutorial", "dray up --nodes 3 --detach", "dray kubectl get pods -A"),
)
@click.version_option(
    dray.__version__, "-V", "--version", message=f"dray %(version)s (Kubernetes {dray.KUBERNETES_VERSION})"
)
def cli() -> None:
    """Kubernetes Dynamic Resource Allocation, whole, in Python."""


def main() -> None:
    """The console script. Expected failures are one line on stderr and exit code 1; Ctrl-C exits 130."""
    from dray.cli.failures import EXPECTED, explain

    try:
        cli.main(standalone_mode=False, prog_name="dray")
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except EXPECTED as error:
        click.echo(f"dray: {explain(error)}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output has gone, e.g. `| head`: not our failure.
        sys.stderr.close()
        sys.exit(141)


if __name__ == "__main__":
    main()
