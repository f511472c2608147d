"""`dray driver example-controller`: what makes the example driver's devices ready."""

import sys

import click


@click.command(
    "example-controller",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Make the example driver's devices ready; the same as dra-example-controller."""
    from dray.drivers.example.controller import PROGRAM, main

    sys.argv = [PROGRAM, *ctx.args]
    main()
