"""A private view of the host's files for one container: volumes and devices at the paths the pod names.

Decides how mount points come to exist where the host has none: the nearest existing directory is replaced, in this
view only, by an empty one whose entries lead back to the real ones ("mirroring"), and the missing path is made there.
Nothing is ever created in the host's own directories. The rest of the host's files stay as they are: this runtime
separates names, it does not confine.

Needs Linux and either root's power to mount or unprivileged user namespaces; `probe` tells.
"""

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from dray.node.runtime.shim import syscalls

DEFAULT_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
DEVICE_LINKS = (
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
)
_KEPT_FLAGS = (
    (os.ST_RDONLY, syscalls.MS_RDONLY),
    (os.ST_NOSUID, syscalls.MS_NOSUID),
    (os.ST_NODEV, syscalls.MS_NODEV),
    (os.ST_NOEXEC, syscalls.MS_NOEXEC),
    (os.ST_NOATIME, syscalls.MS_NOATIME),
    (os.ST_NODIRATIME, syscalls.MS_NODIRATIME),
    (os.ST_RELATIME, syscalls.MS_RELATIME),
)


class Bind(NamedTuple):
    """One path of the host (`source`) at `destination`; `source` "" asks for an empty tmpfs."""

    source: str
    destination: str
    read_only: bool = False


class DeviceNode(NamedTuple):
    """A device at `path`; where the host has none at `source`, it is made from the numbers (needs root)."""

    source: str
    path: str
    kind: str = ""
    major: int = 0
    minor: int = 0
    mode: int = 0


def enter(uid: int, gid: int) -> None:
    """Move this process into new mount and UTS namespaces, and a user namespace where needed.

    In a user namespace this process becomes `uid`:`gid` inside; its files stay owned by the real user. Raises
    OSError where the system allows neither way.
    """
    flags = syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS
    try:
        syscalls.unshare(flags)
    except PermissionError:
        outer_uid, outer_gid = os.geteuid(), os.getegid()
        syscalls.unshare(flags | syscalls.CLONE_NEWUSER)
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{uid} {outer_uid} 1")
        _write("/proc/self/gid_map", f"{gid} {outer_gid} 1")
    syscalls.mount("none", "/", "", syscalls.MS_REC | syscalls.MS_SLAVE)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)


def probe() -> None:
    """Raise OSError when this process could not give a container its own view."""
    enter(0, 0)
    syscalls.mount("tmpfs", "/mnt" if os.path.isdir("/mnt") else "/tmp", "tmpfs", 0)
    if not os.path.isdir("/proc/self/fd"):
        raise OSError(errno.ENOENT, "no /proc is mounted")


class View:
    """Builds the container's view; call inside the namespaces made by `enter`."""

    def __init__(self, staging: str, marker: str) -> None:
        """`staging`: an empty directory. `marker`: a device name that tells this view from all others."""
        self._staging = staging
        self._marker = marker
        self._made: list[str] = []
        """Directories that exist in this view only and may get new entries."""
        self._volumes: list[str] = []

    def build(self, binds: Sequence[Bind], devices: Sequence[DeviceNode], *, all_devices: bool) -> None:
        """Apply everything, shallow destinations first. `all_devices`: keep the host's /dev."""
        syscalls.mount(self._marker, self._staging, "tmpfs", 0, "size=4k")
        ordered = sorted(binds, key=lambda bind: bind.destination.rstrip("/").count("/"))
        self._replace_root_if_needed([*(b.destination for b in ordered), *(d.path for d in devices)])
        # Sources are held open first: a later mount may hide their paths.
        sources = [os.open(bind.source, os.O_PATH) if bind.source else -1 for bind in ordered]
        nodes = [self._open_device(device) for device in devices]
        if not all_devices:
            self._minimal_dev()
        for bind, source in zip(ordered, sources, strict=True):
            self._bind(source, bind)
        for device, node in zip(devices, nodes, strict=True):
            self._place_device(node, device)
        for descriptor in (*sources, *nodes):
            if descriptor >= 0:
                os.close(descriptor)

    def _bind(self, source: int, bind: Bind) -> None:
        is_directory = source < 0 or stat.S_ISDIR(os.fstat(source).st_mode)
        target = self._mount_point(bind.destination, is_directory)
        if source < 0:
            syscalls.mount("tmpfs", target, "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=1777")
        else:
            syscalls.mount(f"/proc/self/fd/{source}", target, "", syscalls.MS_BIND | syscalls.MS_REC)
        if bind.read_only:
            flags = syscalls.MS_BIND | syscalls.MS_REMOUNT | syscalls.MS_RDONLY
            # The kernel refuses to drop flags that the outer namespace set.
            syscalls.mount("none", target, "", flags | _mount_flags(target))
        self._volumes.append(target)

    def _open_device(self, device: DeviceNode) -> int:
        try:
            return os.open(device.source, os.O_PATH)
        except FileNotFoundError:
            if device.kind not in ("b", "c", "u", "p"):
                raise
            return -1

    def _place_device(self, node: int, device: DeviceNode) -> None:
        if node >= 0:
            target = self._mount_point(device.path, False)
            syscalls.mount(f"/proc/self/fd/{node}", target, "", syscalls.MS_BIND)
            return
        target = self._mount_point(device.path, None)
        kind = {"b": stat.S_IFBLK, "p": stat.S_IFIFO}.get(device.kind, stat.S_IFCHR)
        os.mknod(target, kind | (device.mode or 0o666), os.makedev(device.major, device.minor))

    def _minimal_dev(self) -> None:
        """/dev as containers have it: the harmless devices, own terminals, and nothing else."""
        held = {}
        for name in DEFAULT_DEVICES:
            if os.path.exists(f"/dev/{name}"):
                held[name] = os.open(f"/dev/{name}", os.O_PATH)
        terminals = os.open("/dev/pts", os.O_PATH) if os.path.isdir("/dev/pts") else -1
        syscalls.mount("tmpfs", "/dev", "tmpfs", syscalls.MS_NOSUID, "mode=755,size=65536k")
        self._made.append("/dev")
        for name, descriptor in held.items():
            _touch(f"/dev/{name}")
            syscalls.mount(f"/proc/self/fd/{descriptor}", f"/dev/{name}", "", syscalls.MS_BIND)
            os.close(descriptor)
        for name, target in DEVICE_LINKS:
            os.symlink(target, f"/dev/{name}")
        os.mkdir("/dev/shm")
        syscalls.mount("shm", "/dev/shm", "tmpfs", syscalls.MS_NOSUID | syscalls.MS_NODEV, "mode=1777")
        self._terminals(terminals)

    def _terminals(self, host: int) -> None:
        os.mkdir("/dev/pts")
        flags = syscalls.MS_NOSUID | syscalls.MS_NOEXEC
        try:
            syscalls.mount("devpts", "/dev/pts", "devpts", flags, "newinstance,ptmxmode=0666,mode=0620")
        except OSError:
            if host >= 0:
                syscalls.mount(f"/proc/self/fd/{host}", "/dev/pts", "", syscalls.MS_BIND | syscalls.MS_REC)
        if host >= 0:
            os.close(host)

    def _mount_point(self, path: str, is_directory: bool | None) -> str:
        """The path to mount on, made if missing; `is_directory` None makes only its parents."""
        path = os.path.realpath(path)
        if is_directory is None:
            self._make_directories(os.path.dirname(path))
            return path
        if os.path.lexists(path):
            if os.path.isdir(path) != is_directory:
                found, wanted = ("directory", "file") if not is_directory else ("file", "directory")
                raise OSError(errno.ENOTDIR, f"mount point is a {found}, the source is a {wanted}", path)
            return path
        self._make_directories(path if is_directory else os.path.dirname(path))
        if not is_directory:
            _touch(path)
        return path

    def _make_directories(self, path: str) -> None:
        if os.path.isdir(path):
            if not self._is_made(path) and not self._in_volume(path):
                self._mirror(path, path)
            return
        existing = path
        while not os.path.isdir(existing):
            existing = os.path.dirname(existing)
        if not self._is_made(existing):
            # As container runtimes do: a mount point inside a volume is made in the volume.
            if self._in_volume(existing) and _try_makedirs(path):
                return
            self._mirror(existing, existing)
        os.makedirs(path)

    def _is_made(self, path: str) -> bool:
        """Whether `path` lies in a directory of this view with no mount in between."""
        made = max((d for d in self._made if _is_below(path, d)), key=len, default="")
        return bool(made) and os.stat(path).st_dev == os.stat(made).st_dev

    def _in_volume(self, path: str) -> bool:
        return any(_is_below(path, volume) for volume in self._volumes)

    def _mirror(self, directory: str, target: str) -> None:
        """Mount an empty directory on `target` whose entries lead to those of `directory`."""
        original = os.open(directory, os.O_PATH | os.O_DIRECTORY)
        entries = list(_entries(original))
        mode = stat.S_IMODE(os.fstat(original).st_mode)
        syscalls.mount(self._marker, target, "tmpfs", syscalls.MS_NODEV, f"mode={mode:o}")
        if directory != target:
            syscalls.mount("none", target, "", syscalls.MS_UNBINDABLE)
        for name, link, is_directory in entries:
            path = os.path.join(target, name)
            if link is not None:
                os.symlink(link, path)
                continue
            if is_directory:
                os.mkdir(path)
            else:
                _touch(path)
            source = f"/proc/self/fd/{original}/{name}"
            syscalls.mount(source, path, "", syscalls.MS_BIND | syscalls.MS_REC)
        os.close(original)
        self._made.append(directory)

    def _replace_root_if_needed(self, paths: Sequence[str]) -> None:
        tops = {os.path.realpath(path).split("/")[1] for path in paths}
        if all(os.path.lexists(f"/{top}") for top in tops if top):
            return
        self._mirror("/", self._staging)
        os.chdir(self._staging)
        syscalls.pivot_root(".", ".")
        syscalls.unmount(".", syscalls.MNT_DETACH)
        os.chdir("/")


def _entries(directory: int) -> Iterator[tuple[str, str | None, bool]]:
    """(name, target of a symbolic link or None, is a directory) of everything in an open directory."""
    path = f"/proc/self/fd/{directory}"
    for entry in os.scandir(path):
        link = os.readlink(f"{path}/{entry.name}") if entry.is_symlink() else None
        yield entry.name, link, entry.is_dir(follow_symlinks=False)


def _is_below(path: str, directory: str) -> bool:
    return directory == "/" or path == directory or path.startswith(directory + "/")


def _try_makedirs(path: str) -> bool:
    try:
        os.makedirs(path)
    except OSError:
        return False
    return True


def _touch(path: str) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))


def _mount_flags(path: str) -> int:
    present = os.statvfs(path).f_flag
    return sum(flag for bit, flag in _KEPT_FLAGS if present & bit)
