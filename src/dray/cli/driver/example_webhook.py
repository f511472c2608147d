"""`dray driver example-webhook`: what refuses wrong configurations of the example driver."""

import sys

import click


@click.command(
    "example-webhook",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Refuse wrong configurations of the example driver; the same as dra-example-webhook."""
    from dray.drivers.example.webhook import PROGRAM, main

    sys.argv = [PROGRAM, *ctx.args]
    main()
