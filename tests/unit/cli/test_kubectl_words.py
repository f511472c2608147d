"""Flags and words of the built-in kubectl are read, and refused, as kubectl does; recorded from it."""

import click
import pytest
from click.testing import CliRunner

from dray.cli.kubectl.arguments import SEPARATED, WHOLE, Kubectl


@click.group(cls=Kubectl)
def kubectl() -> None:
    pass


@kubectl.command()
@click.argument("words", nargs=-1)
@click.option("-w", "--watch", is_flag=True)
@click.option("-o", "--output", default="")
@click.option("--tail", type=WHOLE, default=0)
@click.option("-n", "--namespace", default="")
def show(words: tuple[str, ...], watch: bool, output: str, tail: int, namespace: str) -> None:
    is_separated = click.get_current_context().meta[SEPARATED]
    click.echo(f"{' '.join(words)} {watch} {output} {tail} {namespace} {is_separated}")


@kubectl.command()
def version() -> None:
    pass


@kubectl.command()
@click.argument("field", default="")
def explain(field: str) -> None:
    click.echo(field)


def _said(*words: str) -> tuple[str, int]:
    done = CliRunner().invoke(kubectl, words)
    return done.output, done.exit_code


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("show a -w", "a True  0  False\n"),
        ("show a --watch=true", "a True  0  False\n"),
        ("show a -w=false", "a False  0  False\n"),
        ("show a --watch=F -o=yaml", "a False yaml 0  False\n"),
        ("show a --output=yaml --tail=-1", "a False yaml -1  False\n"),
        ("-n v show a", "a False  0 v False\n"),
        ("--namespace=v show a", "a False  0 v False\n"),
        ("show a -- b -w=false", "a b -w=false False  0  True\n"),
    ],
)
def test_words_are_read(words: str, shown: str) -> None:
    assert _said(*words.split()) == (shown, 0)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            "show -w=x",
            'Error: invalid argument "x" for "-w, --watch" flag: strconv.ParseBool: parsing "x": invalid syntax\n'
            "See 'kubectl show --help' for usage.\n",
        ),
        (
            "show --tail=x",
            'Error: invalid argument "x" for "--tail" flag: strconv.ParseInt: parsing "x": invalid syntax\n'
            "See 'kubectl show --help' for usage.\n",
        ),
        (
            "show --tail=99999999999999999999",
            'Error: invalid argument "99999999999999999999" for "--tail" flag: strconv.ParseInt: parsing '
            "\"99999999999999999999\": value out of range\nSee 'kubectl show --help' for usage.\n",
        ),
        ("show -o", "Error: flag needs an argument: 'o' in -o\nSee 'kubectl show --help' for usage.\n"),
        (
            "show --output",
            "Error: flag needs an argument: --output\nSee 'kubectl show --help' for usage.\n",
        ),
        ("version x", "error: extra arguments: [x]\n"),
        ("explain pod x", "error: We accept only this format: explain RESOURCE\n"),
    ],
)
def test_words_are_refused(words: str, told: str) -> None:
    assert _said(*words.split()) == (told, 1)
