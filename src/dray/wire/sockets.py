"""Unix socket paths of any length, in directories of any name.

The kernel takes at most 107 bytes for the path of a unix socket, which a kubelet root below a deep directory exceeds.
gRPC reads the path as part of a URI: it splits it at commas, decodes `%20`, and ends it at `?` and `#`. Such a path is
reached through another name of its directory: on Linux `/proc/self/fd/<n>`, elsewhere a symbolic link in the temporary
directory. Decides only how a path is spelled; it neither creates nor removes sockets.
"""

import os
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final

_IS_LINUX: Final = bool(sys.platform == "linux")
MAX_PATH_BYTES: Final = 107 if _IS_LINUX else 103
_URI_CHARACTERS: Final = frozenset(",%?#")
"""What gRPC takes for more than a letter of a path."""


class SocketPath:
    """A spelling of `path` that fits into a socket address and a gRPC target, valid until `close`.

    `short` is what to bind or dial. Where `path` itself will not do, its directory must exist: raises FileNotFoundError
    otherwise, and ValueError when the file name alone will not do.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._directory: int | None = None
        self._link: Path | None = None
        self.short = self._shorten()

    def _shorten(self) -> str:
        if fits(self.path) and _is_literal(self.path):
            return str(self.path)
        if not _is_literal(self.path.name):
            characters = " ".join(sorted(_URI_CHARACTERS))
            raise ValueError(
                f"the socket name {self.path.name!r} has one of {characters}, which gRPC cannot dial"
            )
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"the directory of socket {self.path} does not exist")
        short = str(Path(self._directory_alias()) / self.path.name)
        if not fits(short):
            self.close()
            raise ValueError(f"the socket name {self.path.name!r} is too long for a socket address")
        return short

    def _directory_alias(self) -> str:
        if _IS_LINUX:
            self._directory = os.open(self.path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            return f"/proc/self/fd/{self._directory}"
        self._link = Path(tempfile.mkdtemp(prefix="dray-")) / "d"
        self._link.symlink_to(self.path.parent.resolve())
        return str(self._link)

    def close(self) -> None:
        if self._directory is not None:
            os.close(self._directory)
            self._directory = None
        if self._link is not None:
            self._link.unlink(missing_ok=True)
            self._link.parent.rmdir()
            self._link = None

    def __enter__(self) -> "SocketPath":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def fits(path: str | os.PathLike[str]) -> bool:
    """Whether `path` can be a socket address as it is."""
    return len(os.fsencode(path)) <= MAX_PATH_BYTES


def _is_literal(path: str | os.PathLike[str]) -> bool:
    return _URI_CHARACTERS.isdisjoint(os.fspath(path))
