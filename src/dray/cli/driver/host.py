"""`dray driver host`: the devices of this machine."""

import sys

import click


@click.command(
    "host",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Offer devices that this machine has, as one YAML file says.

    Examples:  dray driver host --config devices.yaml --dry-run
    """
    from dray.drivers.host.main import main

    sys.argv = ["dray driver host", *ctx.args]
    main()
