"""How an image that a pod names in short is reported in full."""

import pytest

from dray.node.runtime.images import full_name, program_of

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("named", "full"),
    [
        ("ubuntu:24.04", "docker.io/library/ubuntu:24.04"),
        ("busybox", "docker.io/library/busybox:latest"),
        ("team/app", "docker.io/team/app:latest"),
        ("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"),
        ("localhost/app", "localhost/app:latest"),
        ("registry:5000/app", "registry:5000/app:latest"),
        (f"quay.io/team/app@{DIGEST}", f"quay.io/team/app@{DIGEST}"),
    ],
)
def test_full_name_has_registry_repository_and_tag_or_digest(named: str, full: str) -> None:
    assert full_name(named) == full


@pytest.mark.parametrize(
    ("image", "command", "arguments", "program"),
    [
        ("busybox", [], [], ["sh"]),
        ("busybox:1.36", [], ["echo", "hello"], ["echo", "hello"]),
        ("busybox", [], ["-c", "echo"], ["sh", "-c", "echo"]),
        ("busybox", ["echo"], ["hello"], ["echo", "hello"]),
        ("registry.k8s.io/pause:3.10", [], ["-v"], ["sleep", "2147483647", "-v"]),
    ],
)
def test_arguments_alone_replace_what_an_image_would_run(
    image: str, command: list[str], arguments: list[str], program: list[str]
) -> None:
    assert program_of(image, command, arguments) == program
