"""What pools and devices are called, the same in every slice and generation."""

from typing import NamedTuple


class PoolKey(NamedTuple):
    """A pool; its name alone is not unique, since drivers choose names without asking each other."""

    driver: str
    name: str

    def __str__(self) -> str:
        return f"{self.driver}/{self.name}"


class DeviceID(NamedTuple):
    """The identity of a device, stable across slices and generations."""

    driver: str
    pool: str
    device: str

    def __str__(self) -> str:
        return f"{self.driver}/{self.pool}/{self.device}"
