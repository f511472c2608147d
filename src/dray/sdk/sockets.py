"""Names of a driver's sockets, and the removal of those that dead instances left behind.

A socket path holds at most 107 bytes, and the Go kubelet dials the full path. With a long driver name and a pod UID in
the name that is soon too little, so shorter forms are tried in the order in which the Go helper tries them.
"""

import base64
import hashlib
import socket
from pathlib import Path

from dray.wire.sockets import SocketPath, fits


def registration_socket(directory: Path, driver: str, pod_uid: str = "") -> Path:
    """The registration socket in the kubelet's plugins_registry; with a pod UID, one per instance of the driver."""
    if not pod_uid:
        names = [f"{driver}-reg.sock", f"dra-{_digest(driver, 16)}-reg.sock"]
    else:
        names = [
            f"{driver}-{pod_uid}-reg.sock",
            f"{driver}-{_digest(pod_uid, 8)}-reg.sock",
            f"dra-{_digest(driver + chr(0) + pod_uid, 16)}-reg.sock",
        ]
    return _first_that_fits(directory, names)


def service_socket(directory: Path, pod_uid: str = "") -> Path:
    """The socket on which the kubelet prepares claims, in the driver's own directory."""
    if not pod_uid:
        return directory / "dra.sock"
    names = [f"dra-{pod_uid}.sock", f"dra-{_digest(pod_uid, 8)}.sock", f"{_digest(pod_uid, 6)}.sock"]
    return _first_that_fits(directory, names)


def _first_that_fits(directory: Path, names: list[str]) -> Path:
    # When none fits, the plain name is still good for kubelets that can dial long paths (dray.wire.sockets).
    return next((directory / name for name in names if fits(directory / name)), directory / names[0])


def _digest(text: str, length: int) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:length]).rstrip(b"=").decode()


def remove_dead_sockets(directory: Path, pattern: str) -> list[Path]:
    """Remove sockets in `directory` that match the glob and that nobody listens on.

    Instances that were killed leave theirs, pod UIDs never come again, and the kubelet dials them for ever.
    """
    dead = [path for path in directory.glob(pattern) if path.is_socket() and not _is_alive(path)]
    for path in dead:
        path.unlink(missing_ok=True)
    return dead


def _is_alive(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe, SocketPath(path) as address:
        probe.setblocking(False)
        try:
            probe.connect(address.short)
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True
