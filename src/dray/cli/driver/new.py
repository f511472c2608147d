"""`dray driver new`: a complete project for a new driver, which passes its own tests from the start."""

import importlib.resources
import pathlib
import re
from collections.abc import Iterator, Mapping
from importlib.resources.abc import Traversable

import click

import dray

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+")
MAX_NAME = 63
_TEMPLATE = ".tmpl"
_HIDDEN = "dot."


@click.command(
    "new",
    epilog="Examples:  dray driver new lamps.example.com  |  dray driver new fpga.acme.io --directory ./fpga-driver",
)
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(path_type=pathlib.Path),
    help="Where the project goes; dra-LABEL by default, LABEL being the first part of NAME.",
)
def command(name: str, directory: pathlib.Path | None) -> None:
    """Make a project for a new driver: code, tests, image, Helm chart and CI.

    NAME is the driver's DNS name, as ResourceSlices and DeviceClasses will use it. The project runs with pretended
    devices and passes its own tests; README.md says which file to change first.
    """
    values = placeholders(name)
    directory = directory or pathlib.Path(values["PROJECT"])
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise click.ClickException(
            f"{directory} exists and is not empty; choose another place with --directory"
        )
    paths = write_project(directory, values)
    click.echo(f"Made {directory} with {len(paths)} files. Next:")
    click.echo(f"  cd {directory} && pip install -e '.[test]' && pytest")
    click.echo(f"Then put your hardware into {values['PACKAGE']}/hardware.py.")


def placeholders(name: str) -> dict[str, str]:
    """What @...@ stands for in the templates. Raises ClickException for a name that no driver can have."""
    if not _NAME.fullmatch(name):
        like = f"{name}.example.com" if _NAME.fullmatch(f"{name}.example.com") else "lamps.example.com"
        raise click.ClickException(
            f"{name!r} is no driver name: it must be a DNS name of at least two parts, of lower-case letters, "
            f"digits and '-', like {like}"
        )
    if len(name) > MAX_NAME:
        raise click.ClickException(
            f"{name!r} has {len(name)} characters; a driver name has at most {MAX_NAME}"
        )
    label = name.partition(".")[0]
    words = label.split("-")
    return {
        "NAME": name,
        "LABEL": label,
        "PROJECT": f"dra-{label}",
        "PACKAGE": f"dra_{'_'.join(words)}",
        "CLASS": "".join(word.capitalize() for word in words) if words[0][0].isalpha() else "Device",
        "VARIABLE": "".join(word.upper() for word in words) if words[0][0].isalpha() else "DEVICE",
        "DRAY": dray.__version__,
    }


def write_project(directory: pathlib.Path, values: Mapping[str, str]) -> list[pathlib.Path]:
    """Fill every template into `directory`; the files made. Raises OSError."""
    written = []
    for parts, text in _templates(importlib.resources.files("dray.cli.driver") / "project"):
        path = directory.joinpath(*(_filled(_real(part), values) for part in parts))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_filled(text, values))
        written.append(path)
    return written


def _templates(directory: Traversable) -> Iterator[tuple[tuple[str, ...], str]]:
    """(path parts, text) of each template, by name."""
    for entry in sorted(directory.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            for parts, text in _templates(entry):
                yield (entry.name, *parts), text
        elif entry.name.endswith(_TEMPLATE):
            yield (entry.name,), entry.read_text()


def _real(part: str) -> str:
    part = part.removesuffix(_TEMPLATE)
    return f".{part.removeprefix(_HIDDEN)}" if part.startswith(_HIDDEN) else part


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub("@([A-Z]+)@", lambda found: values[found[1]], text)
