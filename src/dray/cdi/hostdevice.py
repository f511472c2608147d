"""What the host has at a device path: the one question about the host that applying edits asks."""

import os
import stat

from dray.cdi.edits import DeviceStat


def stat_host_device(path: str) -> DeviceStat:
    """The device node at `path` of this machine; symbolic links are not followed. Raises OSError."""
    found = os.lstat(path)
    kinds = ((stat.S_ISBLK, "b"), (stat.S_ISCHR, "c"), (stat.S_ISFIFO, "p"))
    kind = next((name for test, name in kinds if test(found.st_mode)), "")
    return DeviceStat(kind, os.major(found.st_rdev), os.minor(found.st_rdev), found.st_mode)
