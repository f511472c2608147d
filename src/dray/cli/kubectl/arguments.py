"""kubectl's way with words: flags before the verb, `-o=yaml`, and one clear line where the built-in subset ends."""

from typing import Any

import click

WITH_VALUE = ("--kubeconfig", "--context", "--namespace", "-n", "--as", "--as-group")
"""The flags of every verb, which may also stand before it."""


INTERRUPTED = 130


class Refused(click.ClickException):
    """A command line that cannot be run: told as kubectl tells it."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True, file=file)


class Kubectl(click.Group):
    """The group of the verbs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, verb_first(args))
        except click.UsageError as error:
            raise Refused(_refusal(error)) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands:
            known = ", ".join(sorted(self.commands))
            raise Refused(
                f'Error: unknown command "{args[0]}" for "kubectl": built in are {known}; for more, install kubectl'
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            raise Refused(_refusal(error)) from error
        except KeyboardInterrupt:
            raise click.exceptions.Exit(INTERRUPTED) from None


def _refusal(error: click.UsageError) -> str:
    if isinstance(error, click.NoSuchOption):
        return _unknown_flag(error)
    if isinstance(error, click.BadOptionUsage) and "requires an argument" in error.message:
        name, verb = error.option_name, error.ctx.command.name if error.ctx else ""
        what = name if name.startswith("--") else f"{name[-1]!r} in {name}"
        return f"Error: flag needs an argument: {what}\nSee 'kubectl {verb} --help' for usage."
    return f"error: {error.format_message()}"


def _unknown_flag(error: click.NoSuchOption) -> str:
    name = error.option_name
    verb = error.ctx.command if error.ctx is not None else None
    known = sorted(
        option
        for one in (verb.params if verb else ())
        if isinstance(one, click.Option)
        for option in one.opts
    )
    what = (
        f"unknown flag: {name}"
        if name.startswith("--")
        else f"unknown shorthand flag: {name[-1]!r} in {name}"
    )
    if isinstance(verb, Kubectl):
        return f"Error: {what}: before the verb the built-in kubectl has {', '.join(WITH_VALUE)}"
    return f"Error: {what}: the built-in kubectl {verb.name if verb else ''} has {', '.join(known)}"


def verb_first(args: list[str]) -> list[str]:
    """The same words with the flags before the verb behind it, each `-o=value` as two words."""
    leading: list[str] = []
    rest = list(args)
    while rest and rest[0].startswith("-"):
        word = rest.pop(0)
        if word.partition("=")[0] not in WITH_VALUE:
            return args
        leading.append(word)
        if "=" not in word and rest:
            leading.append(rest.pop(0))
    if not rest:
        return args
    end = rest.index("--") if "--" in rest else len(rest)
    words = [*rest[:1], *leading, *rest[1:end]]
    return [part for word in words for part in _split(word)] + rest[end:]


def _split(word: str) -> list[str]:
    """click takes the sign of `-o=yaml` for part of the value."""
    is_short = len(word) > 2 and word[0] == "-" and word[1].isalpha() and word[2] == "="
    return [word[:2], word[3:]] if is_short else [word]
