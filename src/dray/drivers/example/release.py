"""Which release of the Kubernetes example driver this one behaves as.

Tutorials and manifests name an image, and readers compare what they see with what that image prints. Releases differ
in log lines, in one environment variable and in what devices say of themselves. The release is taken from the tag of
the image the container was started for, when the node tells (DRAY_CONTAINER_IMAGE), and is the newest otherwise.
"""

import dataclasses
import re
from collections.abc import Mapping
from typing import Final

IMAGE_VARIABLE: Final = "DRAY_CONTAINER_IMAGE"
_IMAGE: Final = re.compile(r".*/dra-example-driver:v(\d+)\.(\d+)\..*")


@dataclasses.dataclass(frozen=True, slots=True)
class Release:
    minor: int
    """0.x."""

    @property
    def has_compute(self) -> bool:
        """Plain GPUs have a capacity `compute`, and say whether they may be shared."""
        return self.minor >= 4

    @property
    def names_device_in_claim_variable(self) -> bool:
        """GPU_DEVICE_GPU_0_RESOURCE_CLAIM rather than GPU_DEVICE_0_RESOURCE_CLAIM, and DRA_ADMIN_ACCESS."""
        return self.minor >= 3

    @property
    def logs_fields(self) -> bool:
        """Structured log lines rather than sentences."""
        return self.minor >= 3


NEWEST: Final = Release(4)


def release_of(environment: Mapping[str, str]) -> Release:
    match = _IMAGE.match(environment.get(IMAGE_VARIABLE, ""))
    if match is None or int(match[1]) > 0:
        return NEWEST
    return Release(min(int(match[2]), NEWEST.minor))
