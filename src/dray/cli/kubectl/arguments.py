"""kubectl's way with words: flags before the verb, `-o=yaml`, and one clear line where the built-in subset ends."""

import re
from typing import Any

import click

from dray.api.validation.core.go_numbers import whole_number

WITH_VALUE = ("--kubeconfig", "--context", "--namespace", "-n", "--as", "--as-group")
"""The flags of every verb, which may also stand before it."""


INTERRUPTED = 130
TRUE = ("1", "t", "T", "TRUE", "true", "True")
FALSE = ("0", "f", "F", "FALSE", "false", "False")
"""As Go reads them."""
_EXTRA = re.compile(r"Got unexpected extra arguments? \((.*)\)")
_EXTRA_WORDS = {
    "": "error: unexpected arguments: [{0}]\nSee 'kubectl {verb} -h' for help and examples",
    "apply": "error: Unexpected args: [{0}]\nSee 'kubectl apply -h' for help and examples",
    "explain": "error: We accept only this format: explain RESOURCE",
    "version": "error: extra arguments: [{0}]",
}
SEPARATED = "dray.kubectl.separated"
"""Whether `--` is among the words."""


class _Whole(click.ParamType[int]):
    """A whole number, refused in Go's words."""

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        number = whole_number(value)
        if isinstance(number, int):
            return number
        flag = param.opts[-1] if param else ""
        raise Refused(invalid(flag, value, f'strconv.ParseInt: parsing "{value}": {number}', ctx))


class _DryRun(click.ParamType[str]):
    name = "none|client|server"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if value not in ("none", "client", "server"):
            raise Refused(f'error: Invalid dry-run value ({value}). Must be "none", "server", or "client".')
        return str(value)


WHOLE = _Whole()
DRY_RUN = _DryRun()


def invalid(flag: str, value: str, why: str, ctx: click.Context | None) -> str:
    verb = ctx.command.name if ctx else ""
    return f'Error: invalid argument "{value}" for "{flag}" flag: {why}\nSee \'kubectl {verb} --help\' for usage.'


class Refused(click.ClickException):
    """A command line that cannot be run: told as kubectl tells it."""

    exit_code = 1

    def show(self, file: Any = None) -> None:
        click.echo(self.message, err=True, file=file)


class Verb(click.Command):
    """Flags that are there or not may also be told by a word: `--watch=false`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        end = args.index("--") if "--" in args else len(args)
        ctx.meta[SEPARATED] = end < len(args)
        told = [word for arg in args[:end] for word in self._told(arg, ctx)]
        try:
            return super().parse_args(ctx, told + args[end:])
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise

    def _told(self, arg: str, ctx: click.Context) -> list[str]:
        name, equals, value = arg.partition("=")
        option = next((one for one in self.params if name in one.opts), None) if equals else None
        if not isinstance(option, click.Option):
            return [arg]
        if not option.is_flag:  # click takes the sign of `-o=yaml` for part of the value
            return [arg] if name.startswith("--") else [name, value]
        if value in TRUE or value in FALSE:
            return [name] if value in TRUE else []
        flags = ", ".join(sorted(option.opts, key=len))
        raise Refused(invalid(flags, value, f'strconv.ParseBool: parsing "{value}": invalid syntax', ctx))


class Kubectl(click.Group):
    """The group of the verbs."""

    command_class = Verb

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
    verb = error.ctx.command.name if error.ctx else ""
    if extra := _EXTRA.fullmatch(error.message):
        return _EXTRA_WORDS.get(str(verb), _EXTRA_WORDS[""]).format(extra[1], verb=verb)
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
    """The same words with the flags before the verb behind it."""
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
    return [*rest[:1], *leading, *rest[1:]]
