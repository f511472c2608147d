"""`dray driver`: DRA drivers that come with dray."""

import click


@click.group(epilog="Examples:  dray driver example --help")
def command() -> None:
    """DRA drivers that come with dray."""


@command.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []},
    add_help_option=False,
)
@click.pass_context
def example(ctx: click.Context) -> None:
    """The example driver: mock GPUs and other devices; the same as dra-example-kubeletplugin."""
    import sys

    from dray.drivers.example.main import main

    sys.argv = ["dra-example-kubeletplugin", *ctx.args]
    main()
