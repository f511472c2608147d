"""What an image stands for where nothing is pulled: a program of this machine.

Decides which program a container runs. A container that names its command needs no image. One that does not gets the
program its image is known for, if the machine has it; otherwise nobody can know what to run, and the error says so.
"""

import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from dray.node.runtime.protocol import ImageFailure

ENTRYPOINTS: Final[Mapping[str, tuple[str, ...]]] = {
    "alpine": ("sh",),
    "bash": ("bash",),
    "busybox": ("sh",),
    "debian": ("bash",),
    "dra-example-driver": ("dra-example-kubeletplugin",),
    "fedora": ("bash",),
    "httpd": ("httpd", "-DFOREGROUND"),
    "nginx": ("nginx", "-g", "daemon off;"),
    "node": ("node",),
    "pause": ("sleep", "2147483647"),
    "postgres": ("postgres",),
    "python": ("python3",),
    "redis": ("redis-server",),
    "ubuntu": ("bash",),
}
"""Last part of the repository -> what a container of it runs when the pod does not say."""

WITH_ENTRYPOINT: Final = frozenset({"dra-example-driver", "pause"})
"""Images whose program takes a pod's arguments; those of the others replace it, unless they begin with an option."""

OWN_PROGRAMS: Final[Mapping[str, str]] = {
    "dra-example-controller": "dray.drivers.example.controller",
    "dra-example-kubeletplugin": "dray.drivers.example",
    "dra-example-webhook": "dray.drivers.example.webhook",
    "dray": "dray.cli.main",
}
"""Console scripts of dray that stand for an image's program, and the module that `python -m` runs instead."""

IMAGE_VARIABLE: Final = "DRAY_CONTAINER_IMAGE"
"""Tells such a program which image it stands for."""

_REFERENCE = re.compile(r"^(?P<name>[^@]*?)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@.*)?$")


_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = rf"{_LABEL}(?:\.{_LABEL})*(?::[0-9]+)?"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_VALID = re.compile(
    rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*(?::\w[\w.-]{{0,127}})?(?:@{_DIGEST})?", re.ASCII
)


def repository_of(image: str) -> str:
    """`registry.k8s.io/pause:3.10` -> `registry.k8s.io/pause`."""
    match = _REFERENCE.match(image)
    return match["name"] if match else image


def full_name(image: str) -> str:
    """`ubuntu:24.04` -> `docker.io/library/ubuntu:24.04`: how runtimes report what a pod names in short."""
    host, path = _host_and_path(image)
    image = f"{host}/{path}"
    has_tag = ":" in image.rpartition("/")[2] or "@" in image
    return image if has_tag else f"{image}:latest"


def check_name(image: str) -> None:
    """Raises ImageFailure when `image` names none, whatever a registry holds."""
    if _VALID.fullmatch(image):
        return
    path = _host_and_path(image)[1].partition(":")[0]
    flaw = f": repository name ({path}) must be lowercase" if path != path.lower() else ""
    raise ImageFailure(
        "InvalidImageName", f'couldn\'t parse image name "{image}": invalid reference format{flaw}'
    )


def _host_and_path(image: str) -> tuple[str, str]:
    """The registry, which a short name leaves out, and the rest."""
    head, slash, rest = image.partition("/")
    if slash and (head == "localhost" or {".", ":"} & set(head) or head != head.lower()):
        return head, rest
    return "docker.io", image if slash else f"library/{image}"


def program_of(image: str, command: Sequence[str], arguments: Sequence[str]) -> list[str]:
    """What a container runs, given what its pod says of it. Raises ImageFailure."""
    if command:
        return [*command, *arguments]
    known = entrypoint_of(image)
    takes_arguments = _short_name(image) in WITH_ENTRYPOINT
    if arguments and not takes_arguments and not arguments[0].startswith("-"):
        return list(arguments)
    return [*known, *arguments]


def _short_name(image: str) -> str:
    return repository_of(image).rsplit("/", 1)[-1]


def entrypoint_of(image: str) -> tuple[str, ...]:
    """The command of a container whose pod names none. Raises ImageFailure."""
    name = _short_name(image)
    known = ENTRYPOINTS.get(name)
    if known is None:
        raise ImageFailure(
            "ErrImagePull",
            f'this node runs programs of its own machine and pulls no images: nothing is known about "{image}"; '
            "set the container's command",
        )
    program = known[0]
    if program not in OWN_PROGRAMS and shutil.which(program) is None:
        raise ImageFailure(
            "ErrImagePull",
            f'this node runs programs of its own machine and pulls no images: "{image}" would run "{program}", '
            "which is not on the node's PATH; install it, or set the container's command",
        )
    return known


def resolve_own_program(arguments: Sequence[str]) -> list[str]:
    """`arguments` with the name of a program that dray brings replaced by what starts it."""
    name = arguments[0].rsplit("/", 1)[-1] if arguments else ""
    if name not in OWN_PROGRAMS:
        return list(arguments)
    script = Path(sys.executable).with_name(name)
    if script.exists():
        return [str(script), *arguments[1:]]
    return [sys.executable, "-m", OWN_PROGRAMS[name], *arguments[1:]]


def is_own_program(command: Sequence[str]) -> bool:
    return bool(command) and command[0].rsplit("/", 1)[-1] in OWN_PROGRAMS
