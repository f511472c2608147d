"""Where a cluster keeps everything on disk, and who may use it: one directory, one process.

<data directory>/
  cluster.json     name, port, nodes, gates: what a second `dray up` goes on with
  lock             held while the cluster runs; contains the pid
  state.db         the API server's database
  pki/             certificates and keys
  kubeconfig       the administrator's
  nodes/<node>/    each node's own kubelet root
  log              output of a detached cluster
"""

import dataclasses
import errno
import fcntl
import json
import os
import pathlib
import re
import shutil
from typing import Any

NAME_PATTERN = re.compile(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?")
MAX_NODES = 100
FREE_BYTES_MIN = 4 * 2**20
"""Less holds no cluster: said at once, as a server that cannot write would only try again and again."""


class ClusterError(Exception):
    """A cluster that cannot be started or reached; one line with the cure."""


class AlreadyRunning(ClusterError):
    def __init__(self, layout: "Layout", name: str, pid: int) -> None:
        is_elsewhere = layout.root != default_root(name).absolute()
        where = f"--data-dir {layout.root}" if is_elsewhere else f"--name {name}"
        super().__init__(
            f"cluster {name!r} is already running (pid {pid}); stop it with: dray down {where}"
            if layout.spec_file.exists()
            else f"{layout.root} is in use by an API server (pid {pid}); stop it with: kill {pid}"
        )
        self.pid = pid


@dataclasses.dataclass(frozen=True, slots=True)
class ClusterSpec:
    """What a user asks for, and what is remembered of it."""

    name: str = "dray"
    nodes: int = 2
    port: int = 0
    """Of the API server; 0 lets the system choose at first start, and keeps the choice."""
    feature_gates: str = ""
    """As the flag says it, for every role."""
    runtime_config: str = ""
    """As the API server's flag says it: API versions to serve or not."""
    emulated_version: str = ""
    """The release of Kubernetes that every role stands for; "" for the one reproduced."""

    def __post_init__(self) -> None:
        if not NAME_PATTERN.fullmatch(self.name):
            raise ClusterError(
                f"{self.name!r} is no cluster name: use up to 32 of a-z, 0-9 and '-', e.g. dev"
            )
        if not 0 <= self.nodes <= MAX_NODES:
            raise ClusterError(f"--nodes {self.nodes}: choose 0 to {MAX_NODES}")

    @property
    def node_names(self) -> list[str]:
        return [f"{self.name}-worker{number if number > 1 else ''}" for number in range(1, self.nodes + 1)]


class Layout:
    def __init__(self, root: pathlib.Path) -> None:
        self.root = root.absolute()

    @property
    def pki(self) -> pathlib.Path:
        return self.root / "pki"

    @property
    def state(self) -> pathlib.Path:
        return self.root / "state"

    @property
    def kubeconfig(self) -> pathlib.Path:
        return self.root / "kubeconfig"

    @property
    def log(self) -> pathlib.Path:
        return self.root / "log"

    def node_root(self, node: str) -> pathlib.Path:
        return self.root / "nodes" / node

    def create(self) -> None:
        """Raises ClusterError when the directory cannot be made or is somebody else's, or its disk is full."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            present = {path.name for path in self.root.iterdir()}
        except OSError as error:
            raise ClusterError(f"cannot use {self.root} as data directory: {disk_cause(error)}") from error
        if not self._is_ours(present):
            raise ClusterError(
                f"{self.root} is not empty and is no data directory of dray; choose another --data-dir"
            )
        usage = shutil.disk_usage(self.root)
        if usage.total and usage.free < FREE_BYTES_MIN:
            raise ClusterError(
                f"the disk of {self.root} is full: {usage.free // 1024} KiB are free, a cluster needs "
                f"{FREE_BYTES_MIN // 2**20} MiB to start; free some, or choose another --data-dir"
            )

    def _is_ours(self, present: set[str]) -> bool:
        """Or empty. A first start that was cut short leaves its lock or its keys, or no more than its log."""
        return present <= {self.log.name} or bool(present & {self.spec_file.name, "lock", self.pki.name})

    @property
    def spec_file(self) -> pathlib.Path:
        return self.root / "cluster.json"

    def read_spec(self) -> ClusterSpec | None:
        """What the cluster in this directory is; None where there is none."""
        try:
            content: dict[str, Any] = json.loads(self.spec_file.read_text())
            return ClusterSpec(
                content["name"],
                int(content["nodes"]),
                int(content["port"]),
                str(content.get("feature_gates", "")),
                str(content.get("runtime_config", "")),
                str(content.get("emulated_version", "")),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ClusterError(
                f"{self.spec_file} is damaged ({error}); delete it to start with fresh settings"
            ) from error

    def write_spec(self, spec: ClusterSpec) -> None:
        temporary = self.spec_file.with_suffix(".new")
        temporary.write_text(json.dumps(dataclasses.asdict(spec)) + "\n")
        temporary.rename(self.spec_file)

    def lock(self, name: str) -> "Lock":
        """Take the directory for this process. Raises AlreadyRunning."""
        return Lock(self, name)

    def running_pid(self) -> int | None:
        """The process that runs this cluster, if one does."""
        try:
            descriptor = os.open(self.root / "lock", os.O_RDWR)
        except OSError:
            return None
        try:
            return None if _try_lock(descriptor) else _read_pid(descriptor)
        finally:
            os.close(descriptor)

    def delete(self) -> None:
        """Raises ClusterError when something cannot be removed; the rest may be gone then."""
        try:
            shutil.rmtree(self.root)
        except OSError as error:
            raise ClusterError(
                f"cannot delete {error.filename or self.root}: {error.strerror or error}"
            ) from error


class Lock:
    """Held until `release` or the end of the process, however it ends."""

    def __init__(self, layout: Layout, name: str) -> None:
        path = layout.root / "lock"
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ClusterError(f"cannot write {path}: {disk_cause(error)}") from error
        if not _try_lock(self._descriptor):
            pid = _read_pid(self._descriptor) or 0
            os.close(self._descriptor)
            raise AlreadyRunning(layout, name, pid)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, str(os.getpid()).encode(), 0)

    def release(self) -> None:
        os.close(self._descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise
    return True


def _read_pid(descriptor: int) -> int | None:
    text = os.pread(descriptor, 20, 0).decode(errors="replace").strip()
    return int(text) if text.isdigit() else None


def default_root(name: str) -> pathlib.Path:
    """$XDG_DATA_HOME/dray/<name>, else ~/.local/share/dray/<name>."""
    base = os.environ.get("XDG_DATA_HOME")
    return (pathlib.Path(base) if base else pathlib.Path.home() / ".local" / "share") / "dray" / name


def cannot_write(layout: Layout, error: OSError) -> ClusterError:
    """The failure of a cluster whose directory refuses a file."""
    return ClusterError(f"cannot write {error.filename or f'in {layout.root}'}: {disk_cause(error)}")


def disk_cause(error: OSError) -> str:
    """Why a data directory cannot be used, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "no space left on the device; free some, or choose another --data-dir"
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{error.strerror}; choose another --data-dir"
    return error.strerror or str(error)
