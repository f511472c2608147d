"""How an image that a pod names in short is reported in full."""

import pytest

from dray.node.runtime.images import full_name

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
