"""`dray driver`: write a DRA driver, test one, or run one that comes with dray."""

import importlib

import click

from dray.cli.examples import lay_out

SECTIONS = {
    "Write and test a driver": {
        "new": "Make a project for a new driver: code, tests, image, chart.",
        "test": "Try any driver against the contract with kubelets.",
    },
    "Drivers that come with dray": {
        "host": "Devices that this machine has, as one YAML file says.",
        "example": "Mock GPUs and other devices; the same as dra-example-kubeletplugin.",
        "example-controller": "Makes the example driver's devices ready.",
        "example-webhook": "Refuses wrong configurations of the example driver.",
    },
}


class _LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(f"dray.cli.driver.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        lay_out(command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, commands in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(commands.items()))


@click.group(
    cls=_LazyGroup,
    epilog="Examples:  dray driver new lamps.example.com  |  dray driver test -- ./my-driver --node {node}",
)
def command() -> None:
    """DRA drivers: write one, test one, run one."""
