"""Settings of the kernel that a pod asks for."""

import re
from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, duplicate, invalid, required
from dray.api.meta import Object
from dray.api.validation.lists import items_of

_LONGEST: Final = 253
_PART: Final = "[a-z0-9]([-_a-z0-9]*[a-z0-9])?"
_PATTERN: Final = rf"^({_PART}[\./])*{_PART}$"
_NAME: Final = re.compile(_PATTERN.removesuffix("$"))
_IPC: Final = frozenset(
    f"kernel.{name}"
    for name in (
        "sem",
        "shm",
        "shmall",
        "shmmax",
        "shmmni",
        "shm_rmid_forced",
        "msg",
        "msgmax",
        "msgmnb",
        "msgmni",
    )
)
_SWAPPED: Final = str.maketrans("./", "/.")


def validate_sysctls(spec: Object, path: Path) -> list[FieldError]:
    """A pod that shares a namespace with its host does not set what belongs to it; `path` is that of the list."""
    errors: list[FieldError] = []
    seen: set[str] = set()
    for index, sysctl in enumerate(items_of((spec.get("securityContext") or {}).get("sysctls"))):
        name, at = sysctl.get("name") or "", path.index(index).child("name")
        if not name:
            errors.append(required(at))
        elif names.byte_length(name) > _LONGEST or not _NAME.fullmatch(name):
            text = f"must have at most {_LONGEST} characters and match regex {_PATTERN}"
            errors.append(invalid(at, name, text))
        elif name in seen:
            errors.append(duplicate(at, name))
        shared = _namespace(_with_dots(name).rstrip("*"))
        if shared and spec.get(shared):
            errors.append(invalid(at, name, f"may not be specified when '{shared}' is true"))
        seen.add(name)
    return errors


def _namespace(name: str) -> str:
    """The field by which a pod shares with its host the namespace that a setting belongs to; "" where it has none."""
    if name.startswith("net."):
        return "hostNetwork"
    return "hostIPC" if name in _IPC or name.startswith("fs.mqueue.") else ""


def _with_dots(name: str) -> str:
    """A name whose parts slashes part, as one whose parts dots part: its dots are slashes then."""
    first = re.search(r"[./]", name)
    return name.translate(_SWAPPED) if first is not None and first[0] == "/" else name
