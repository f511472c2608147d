"""What can be wrong with CDI names, specs and requests."""

from collections.abc import Sequence


class CdiError(ValueError):
    """A name, spec or edit that is not valid CDI; the text says where and why."""


class UnresolvableDevices(CdiError):
    """Requested devices that no valid spec defines, or that two specs of one directory define."""

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(f"unresolvable CDI devices {', '.join(names)}")
        self.names = tuple(names)
