"""`dray driver example`: the example driver."""

import sys

import click


@click.command(
    "example",
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """The example driver: mock GPUs and other devices; the same as dra-example-kubeletplugin."""
    from dray.drivers.example.main import main

    sys.argv = ["dra-example-kubeletplugin", *ctx.args]
    main()
