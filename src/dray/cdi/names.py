"""CDI names: `vendor/class=device`, and the file names made of them.

Decides which names are well formed (CDI 1.1.0). Knows nothing of specs or directories.
"""

import re
from typing import Final, NamedTuple

from dray.cdi.errors import CdiError

# First a letter, last an alphanumeric; one character is enough.
_VENDOR_OR_CLASS: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?")
_DEVICE: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:-]*[A-Za-z0-9])?")


class QualifiedName(NamedTuple):
    vendor: str
    class_: str
    device: str

    @property
    def kind(self) -> str:
        return f"{self.vendor}/{self.class_}"

    def __str__(self) -> str:
        return f"{self.vendor}/{self.class_}={self.device}"


def parse_qualified(name: str) -> QualifiedName:
    """The parts of `vendor/class=device`. Raises CdiError for anything else, paths like /dev/null included."""
    kind, equals, device = name.partition("=")
    if name.startswith("/") or not equals:
        raise CdiError(f"{name!r} is not a CDI device name: expected vendor/class=device")
    vendor, class_ = parse_kind(kind)
    check_device_name(device)
    return QualifiedName(vendor, class_, device)


def parse_kind(kind: str) -> tuple[str, str]:
    """(vendor, class) of `vendor/class`. Raises CdiError."""
    vendor, slash, class_ = kind.partition("/")
    if not slash:
        raise CdiError(f"{kind!r} is not a CDI kind: expected vendor/class")
    for what, name in (("vendor", vendor), ("class", class_)):
        if not _VENDOR_OR_CLASS.fullmatch(name):
            raise CdiError(
                f"{name!r} is not a CDI {what}: it must begin with a letter, end with a letter or digit, "
                "and hold only letters, digits, '_', '-' and '.'"
            )
    return vendor, class_


def check_device_name(name: str) -> None:
    """Raises CdiError unless `name` can be the name of a device in a spec."""
    if not _DEVICE.fullmatch(name):
        raise CdiError(
            f"{name!r} is not a CDI device name: it must begin and end with a letter or digit, "
            "and hold only letters, digits, '_', '-', '.' and ':'"
        )


def spec_file_name(kind: str, transient_id: str = "", extension: str = ".yaml") -> str:
    """The customary file name of a spec: `<vendor>-<class>[_<transient id>].yaml`.

    `transient_id` names whom the spec is for, e.g. a claim UID; without one the spec is static.
    """
    vendor, class_ = parse_kind(kind)
    suffix = f"_{transient_id.replace('/', '_')}" if transient_id else ""
    return f"{vendor}-{class_}{suffix}{extension}"
