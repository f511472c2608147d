"""How an image that a pod names in short is reported in full."""

import pytest

from dray.node.runtime.images import check_name, full_name, program_of
from dray.node.runtime.protocol import ImageFailure

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


@pytest.mark.parametrize(
    ("image", "flaw"),
    [
        ("UPPER/Bad::x", ": repository name (Bad) must be lowercase"),
        ("Bad", ": repository name (library/Bad) must be lowercase"),
        ("a b", ""),
        ("busybox:", ""),
        ("", ""),
        ("busybox@sha256:12", ""),
    ],
)
def test_what_names_no_image_is_refused_with_its_flaw(image: str, flaw: str) -> None:
    with pytest.raises(ImageFailure) as caught:
        check_name(image)
    assert caught.value.reason == "InvalidImageName"
    assert str(caught.value) == f'couldn\'t parse image name "{image}": invalid reference format{flaw}'


@pytest.mark.parametrize(
    "image", ["a__b/c-d.e:v1.2_x", "LOCAL:5000/app", "ghcr.io/a/b:1@" + DIGEST, "localhost/x"]
)
def test_names_of_images_with_host_tag_and_digest_are_taken(image: str) -> None:
    check_name(image)
