"""The file of the audit log: appended to, turned over when it is full, and never a reason to fail a request.

Files that are full are set aside under a name with the time, `audit-2026-11-30T12-27-57.249.log`, and removed when there
are too many or they are too old, as kube-apiserver does it.
"""

import contextlib
import dataclasses
import datetime as dt
import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dray.kits.clock import Clock

log = logging.getLogger("dray.apiserver")

MEGABYTE: Final = 1024 * 1024
STDOUT: Final = Path("-")
_STANDARD_OUT: Final = 1
_STAMP: Final = "%Y-%m-%dT%H-%M-%S"
_STAMPED: Final = re.compile(r"-(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d)\.(\d{3})$")


@dataclasses.dataclass(frozen=True, slots=True)
class Rotation:
    """When the file is set aside, and how long what was set aside is kept."""

    max_megabytes: int = 100
    """0: the file grows without end."""
    max_files: int = 100
    """Files set aside that are kept; 0: any number."""
    max_days: int = 366
    """How long they are kept; 0: for ever."""


KUBERNETES_ROTATION: Final = Rotation()


class AuditLog:
    """Lines are written at once; they are not synced, so power loss may cost the last ones.

    What cannot be written (a full disk) is lost and told in the log: the request is answered all the same.
    """

    def __init__(self, path: Path, clock: Clock, rotation: Rotation = KUBERNETES_ROTATION) -> None:
        """Appends to `path`, which only its owner may read; `-`: to standard output. Raises OSError."""
        self._path = path
        self._clock = clock
        self._rotation = rotation
        self._descriptor = _STANDARD_OUT if path == STDOUT else _opened(path)
        about = os.fstat(self._descriptor)
        self._size = about.st_size
        is_file = path != STDOUT and stat.S_ISREG(about.st_mode)
        self._limit = self._rotation.max_megabytes * MEGABYTE if is_file else 0
        self._lost = 0
        self._is_torn = False
        if self._limit:
            self._tidy()

    def close(self) -> None:
        if self._descriptor != _STANDARD_OUT:
            os.close(self._descriptor)

    def write(self, line: bytes) -> None:
        """`line` ends the way lines end."""
        if self._limit and self._size and self._size + len(line) > self._limit:
            self._turn_over()
        try:
            self._append(b"\n" + line if self._is_torn else line)
        except OSError as error:
            if not self._lost:
                log.error("the audit log cannot be written, its lines are lost: %s", error)
            self._lost += 1
            return
        self._is_torn = False
        if self._lost:
            log.error("the audit log is written again; %d of its lines were lost", self._lost)
            self._lost = 0

    def _append(self, data: bytes) -> None:
        """All of it. Raises OSError, maybe after a part, which the next line must not be joined to."""
        rest = memoryview(data)
        while rest:
            written = os.write(self._descriptor, rest)
            self._size += written
            rest = rest[written:]
            self._is_torn = bool(rest)

    # --- turning over

    def _turn_over(self) -> None:
        """Where that fails, the file goes on, however large; it is tried again after as many bytes."""
        try:
            os.rename(self._path, self._aside())
            fresh = _opened(self._path)
        except OSError as error:
            log.error("the audit log cannot be turned over, it grows on: %s", error)
            self._size = 0
            return
        os.close(self._descriptor)
        self._descriptor, self._size, self._is_torn = fresh, 0, False
        self._tidy()

    def _aside(self) -> Path:
        """A name that is free."""
        moment = self._clock.now()
        while True:
            stamp = f"{moment.strftime(_STAMP)}.{moment.microsecond // 1000:03}"
            path = self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}")
            if not path.exists():
                return path
            moment += dt.timedelta(milliseconds=1)

    def _tidy(self) -> None:
        """Remove what was set aside and is too much or too old."""
        kept = sorted(self._set_aside(), reverse=True)
        rotation = self._rotation
        oldest = self._clock.now() - dt.timedelta(days=rotation.max_days)
        for index, (moment, path) in enumerate(kept):
            is_too_many = rotation.max_files and index >= rotation.max_files
            if is_too_many or (rotation.max_days and moment < oldest):
                with contextlib.suppress(OSError):
                    path.unlink()

    def _set_aside(self) -> Iterator[tuple[dt.datetime, Path]]:
        try:
            names = os.listdir(self._path.parent)
        except OSError:
            return
        for name in names:
            path = self._path.with_name(name)
            begins = path.stem.startswith(f"{self._path.stem}-") and path.suffix == self._path.suffix
            stamped = _STAMPED.search(path.stem) if begins else None
            if stamped is None or path.stem[: stamped.start()] != self._path.stem:
                continue
            with contextlib.suppress(ValueError):
                moment = dt.datetime.strptime(stamped.group(1), _STAMP).replace(tzinfo=dt.UTC)
                yield moment + dt.timedelta(milliseconds=int(stamped.group(2))), path


def _opened(path: Path) -> int:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
