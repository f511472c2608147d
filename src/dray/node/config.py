"""What one node is: its name, its directories, its addresses, and how the host's paths map into it.

Decides where a host path that a pod names really lies. Several nodes on one machine must never share a kubelet
directory, so the directories that Kubernetes components meet in (`/var/lib/kubelet`, `/etc/cdi`, `/var/run/cdi`) stand
for the node's own; every other path is the machine's.
"""

import dataclasses
import os
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final

KUBELET_DIRECTORY: Final = "/var/lib/kubelet"
CDI_STATIC: Final = "/etc/cdi"
CDI_DYNAMIC: Final = "/var/run/cdi"
LEASE_SECONDS: Final = 40
LEASE_RENEW_SECONDS: Final = 10.0
STATUS_REPORT_SECONDS: Final = 300.0


@dataclasses.dataclass(frozen=True, slots=True)
class Caller:
    """Who asks the node's server: a client certificate's subject, or a bearer token."""

    name: str = ""
    groups: tuple[str, ...] = ()
    token: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Verdict:
    user: str = ""
    """Who the caller is; "" when nobody knows."""
    allowed: bool = False


Authorizer = Callable[[Caller, str, Sequence[str]], Awaitable[Verdict]]
"""(caller, verb, subresources of nodes) -> whether it may, by any of them: `proxy`, `log`, `metrics`, ..."""


@dataclasses.dataclass(frozen=True, slots=True)
class NodeConfig:
    name: str
    root: Path
    """The node's own `/var/lib/kubelet`."""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    taints: Sequence[Mapping[str, Any]] = ()
    capacity: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Resource -> quantity; cpu, memory and pods default to the machine's and 110."""
    pod_cidr: str = ""
    """Where pods share the machine's network, a part of 127.0.0.0/8 gives each pod an address that works."""
    address: str = "127.0.0.1"
    """The node's InternalIP, where others reach its server."""
    bind_address: str = "127.0.0.1"
    port: int = 0
    """Of the node's server; 0 takes a free one."""
    server_ssl: ssl.SSLContext | None = None
    """None serves plain HTTP, for tests."""
    authorize: Authorizer | None = None
    """None lets everybody in who can connect."""
    api_host: str = "127.0.0.1"
    """With `api_port`: where pods reach the API server; goes into KUBERNETES_SERVICE_HOST and _PORT."""
    api_port: int = 6443
    cdi_directories: tuple[Path, Path] | None = None
    """(static, dynamic); None keeps them below `root`."""
    provider_id: str = ""

    @property
    def paths(self) -> "NodePaths":
        return NodePaths(self.root, self.cdi_directories)


class NodePaths:
    """The node's directories. Making them is `create`'s business, not the constructor's."""

    def __init__(self, root: Path, cdi_directories: tuple[Path, Path] | None = None) -> None:
        self.root = Path(os.path.abspath(root))
        static, dynamic = cdi_directories or (self.root / "cdi" / "etc", self.root / "cdi" / "run")
        self.cdi_static = static
        self.cdi_dynamic = dynamic
        self.plugins_registry = self.root / "plugins_registry"
        self.plugins = self.root / "plugins"
        self.pods = self.root / "pods"
        self.logs = self.root / "log" / "pods"
        self.runtime = self.root / "runtime"
        self.claim_checkpoint = self.root / "dra_manager_state"
        self.health_checkpoint = self.root / "dra_health_state"
        self.pod_resources_socket = self.root / "pod-resources" / "kubelet.sock"
        self._mapping = (
            (PurePosixPath(KUBELET_DIRECTORY), self.root),
            (PurePosixPath(CDI_STATIC), static),
            (PurePosixPath(CDI_DYNAMIC), dynamic),
            (PurePosixPath("/run/cdi"), dynamic),
        )

    @property
    def cdi_directories(self) -> tuple[Path, Path]:
        """From lowest to highest priority."""
        return self.cdi_static, self.cdi_dynamic

    def create(self) -> None:
        self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        for directory in (self.plugins_registry, self.plugins, self.pods, self.pod_resources_socket.parent):
            directory.mkdir(mode=0o750, exist_ok=True)
        for directory in (self.logs, self.runtime, self.cdi_static, self.cdi_dynamic):
            directory.mkdir(mode=0o755, parents=True, exist_ok=True)

    def host(self, path: str) -> Path:
        """Where the host path `path`, as a pod or a driver names it, lies on this machine."""
        named = PurePosixPath(os.path.normpath(path))
        for prefix, directory in self._mapping:
            if named == prefix or prefix in named.parents:
                return directory / named.relative_to(prefix)
        return Path(named)

    def pod(self, uid: str) -> Path:
        return self.pods / uid

    def pod_logs(self, namespace: str, name: str, uid: str) -> Path:
        return self.logs / f"{namespace}_{name}_{uid}"
