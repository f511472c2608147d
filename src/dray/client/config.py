"""How to reach an API server: a kubeconfig file, or the files a pod is given.

Precedence as in kubectl: an explicit path, then $KUBECONFIG (several files, first wins per name), then the in-cluster
files when `in_cluster_first`, then ~/.kube/config. Client certificates, bearer tokens, token files, basic names of
`exec` plugins: the last are run and their token used.
"""

import base64
import contextlib
import dataclasses
import json
import os
import pathlib
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import yaml

SERVICE_ACCOUNT = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
EXEC_TIMEOUT_SECONDS = 60


_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_BaseLoader):  # type: ignore[misc]
    """Without timestamps: what looks like one is text, which is written again as it was read."""

    yaml_implicit_resolvers: ClassVar[Any] = {
        first: [each for each in resolvers if each[0] != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in _BaseLoader.yaml_implicit_resolvers.items()
    }


class ConfigError(Exception):
    """A configuration that cannot be used; the text says which file, what is wrong and what to do."""


@dataclasses.dataclass(frozen=True, slots=True)
class ClientConfig:
    server: str
    """https://host:port, without a trailing slash."""
    ca_data: bytes | None = None
    """PEM; None uses the system's authorities."""
    insecure: bool = False
    server_name: str = ""
    certificate: bytes | None = None
    key: bytes | None = None
    token: str = ""
    token_file: str = ""
    """Read again as the token is rotated; wins over `token`."""
    namespace: str = "default"
    context: str = ""
    impersonate: str = ""
    impersonate_groups: tuple[str, ...] = ()

    def bearer_token(self) -> str:
        if self.token_file:
            with contextlib.suppress(OSError):
                return pathlib.Path(self.token_file).read_text().strip()
        return self.token

    def ssl_context(self) -> ssl.SSLContext | None:
        """None for plain http."""
        if not self.server.startswith("https://"):
            return None
        context = ssl.create_default_context(cadata=self.ca_data.decode() if self.ca_data else None)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if self.certificate and self.key:
            with _as_file(self.certificate) as certificate, _as_file(self.key) as key:
                context.load_cert_chain(certificate, key)
        return context


@contextlib.contextmanager
def _as_file(data: bytes) -> Iterator[str]:
    """The ssl module takes client certificates from files only; this one lives for the call."""
    descriptor, path = tempfile.mkstemp(prefix="dray-")
    try:
        os.write(descriptor, data)
        os.close(descriptor)
        yield path
    finally:
        os.unlink(path)


def load_config(
    path: str | None = None, *, context: str = "", in_cluster_first: bool = False
) -> ClientConfig:
    """The configuration to use. Raises ConfigError when there is none, or the chosen one is unusable."""
    if path:
        return _from_kubeconfig([pathlib.Path(path)], context, explicit=True)
    if in_cluster_first and (config := in_cluster_config()) is not None:
        return config
    if variable := os.environ.get("KUBECONFIG"):
        return _from_kubeconfig([pathlib.Path(part) for part in variable.split(os.pathsep) if part], context)
    default = default_kubeconfig_path()
    if default.exists():
        return _from_kubeconfig([default], context)
    if (config := in_cluster_config()) is not None:
        return config
    raise ConfigError(
        f"no cluster to talk to: no --kubeconfig, no $KUBECONFIG, no {default}, and not inside a pod"
    )


def default_kubeconfig_path() -> pathlib.Path:
    """The file kubectl would change: the first of $KUBECONFIG, else ~/.kube/config."""
    for part in os.environ.get("KUBECONFIG", "").split(os.pathsep):
        if part:
            return pathlib.Path(part)
    return pathlib.Path.home() / ".kube" / "config"


def in_cluster_config(directory: pathlib.Path | None = None) -> ClientConfig | None:
    """What the service account files and the environment of a pod say; None outside a pod."""
    directory = directory or pathlib.Path(os.environ.get("DRAY_SERVICE_ACCOUNT_DIR", SERVICE_ACCOUNT))
    host, port = os.environ.get("KUBERNETES_SERVICE_HOST"), os.environ.get("KUBERNETES_SERVICE_PORT")
    token_file = directory / "token"
    if not host or not port or not token_file.exists():
        return None
    ca_file, namespace_file = directory / "ca.crt", directory / "namespace"
    address = f"[{host}]" if ":" in host else host
    return ClientConfig(
        server=f"https://{address}:{port}",
        ca_data=ca_file.read_bytes() if ca_file.exists() else None,
        token_file=str(token_file),
        namespace=namespace_file.read_text().strip() if namespace_file.exists() else "default",
        context="in-cluster",
    )


def _from_kubeconfig(paths: list[pathlib.Path], context: str, *, explicit: bool = False) -> ClientConfig:
    documents = [(path, read_kubeconfig(path)) for path in paths if explicit or path.exists()]
    if not documents:
        raise ConfigError(f"no kubeconfig at {', '.join(map(str, paths))}")
    current = context or next(
        (str(doc["current-context"]) for _, doc in documents if doc.get("current-context")), ""
    )
    if not current:
        raise ConfigError(f"{documents[0][0]} names no current-context; choose one with --context")
    _, chosen = _named(documents, "contexts", "context", current)
    cluster_path, cluster = _named(documents, "clusters", "cluster", str(chosen.get("cluster", "")))
    user_path, user = (
        (paths[0], {}) if not chosen.get("user") else _named(documents, "users", "user", chosen["user"])
    )
    server = str(cluster.get("server", "")).rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise ConfigError(
            f"{cluster_path}: cluster {chosen.get('cluster')!r} has no usable server: {server!r}"
        )
    certificate, key, token = _credentials(user, user_path)
    return ClientConfig(
        server=server,
        ca_data=_data(cluster, "certificate-authority", cluster_path),
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
        server_name=str(cluster.get("tls-server-name", "")),
        certificate=certificate,
        key=key,
        token=token,
        token_file=str(_relative(user["tokenFile"], user_path)) if user.get("tokenFile") else "",
        namespace=str(chosen.get("namespace") or "default"),
        context=current,
        impersonate=str(user.get("as", "")),
        impersonate_groups=tuple(user.get("as-groups") or ()),
    )


def _credentials(user: Mapping[str, Any], path: pathlib.Path) -> tuple[bytes | None, bytes | None, str]:
    if user.get("exec"):
        return _run_exec_plugin(user["exec"], path)
    token = str(user.get("token", ""))
    return _data(user, "client-certificate", path), _data(user, "client-key", path), token


def read_kubeconfig(path: pathlib.Path) -> dict[str, Any]:
    """The parsed file. Raises ConfigError naming the file when it cannot be read or is no kubeconfig."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise ConfigError(f"cannot read kubeconfig {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise ConfigError(f"{path} is not a kubeconfig: expected a mapping at the top")
    return document


def _named(
    documents: list[tuple[pathlib.Path, dict[str, Any]]], plural: str, singular: str, name: str
) -> tuple[pathlib.Path, dict[str, Any]]:
    for path, document in documents:
        for entry in document.get(plural) or ():
            if entry.get("name") == name:
                return path, entry.get(singular) or {}
    raise ConfigError(f"{documents[0][0]} has no {singular} named {name!r}")


def _data(entry: Mapping[str, Any], name: str, path: pathlib.Path) -> bytes | None:
    if encoded := entry.get(f"{name}-data"):
        try:
            return base64.b64decode(encoded)
        except ValueError as error:
            raise ConfigError(f"{path}: {name}-data is not base64: {error}") from error
    if file := entry.get(name):
        try:
            return _relative(file, path).read_bytes()
        except OSError as error:
            raise ConfigError(f"{path}: cannot read {name} {file}: {error.strerror}") from error
    return None


def _relative(file: str, path: pathlib.Path) -> pathlib.Path:
    """File references in a kubeconfig are relative to it."""
    return path.parent / pathlib.Path(file).expanduser()


def _run_exec_plugin(plugin: Mapping[str, Any], path: pathlib.Path) -> tuple[bytes | None, bytes | None, str]:
    command = [str(plugin.get("command", "")), *map(str, plugin.get("args") or ())]
    api_version = str(plugin.get("apiVersion", "client.authentication.k8s.io/v1"))
    request = {"apiVersion": api_version, "kind": "ExecCredential", "spec": {"interactive": False}}
    environment = {**os.environ, "KUBERNETES_EXEC_INFO": json.dumps(request)}
    environment.update({entry["name"]: entry["value"] for entry in plugin.get("env") or ()})
    try:
        done = subprocess.run(
            command,
            env=environment,
            capture_output=True,
            timeout=EXEC_TIMEOUT_SECONDS,
            check=True,
            cwd=path.parent,
        )
        status = json.loads(done.stdout)["status"]
    except (OSError, subprocess.SubprocessError, ValueError, KeyError) as error:
        raise ConfigError(f"{path}: the credential plugin {command[0]!r} failed: {error}") from error
    certificate, key = status.get("clientCertificateData"), status.get("clientKeyData")
    return (
        certificate.encode() if certificate else None,
        key.encode() if key else None,
        str(status.get("token", "")),
    )
