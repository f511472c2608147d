"""Where a driver runs and what it serves beside the kubelet: the settings every driver has, as flags and environment.

Flags, variables and defaults are those of the Kubernetes example driver, so that its manifests fit any driver.
"""

import argparse
import dataclasses
import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

KUBELET_ROOT: Final = Path("/var/lib/kubelet")


class OptionError(ValueError):
    """A flag or variable cannot be used; the text names it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    node_name: str
    node_uid: str = ""
    """"" looks it up."""
    registrar_directory: Path = KUBELET_ROOT / "plugins_registry"
    plugins_directory: Path = KUBELET_ROOT / "plugins"
    """The parent of the driver's own directory; the path must be the same for the kubelet and the driver."""
    cdi_root: Path = Path("/etc/cdi")
    pod_uid: str = ""
    """Set it to let two instances run side by side during a rolling update (kubelet 1.33 or newer)."""
    single_socket: bool = False
    """Serve everything on the registration socket. Registration then shares the event loop with the driver's async
    methods; on a socket of its own it has threads of its own."""
    serialize: bool = True
    healthcheck_port: int = -1
    """gRPC health endpoint; -1 for none, 0 for any free port."""
    metrics_port: int = -1
    bind_address: str = "::"
    """For the two ports above; `::` is every address of both families."""
    boot_id: str | None = None
    """None asks the kernel."""
    kubeconfig: str = ""
    json_logs: bool = False
    verbosity: int = 0
    grpc_verbosity: int = 6
    """From which verbosity on each gRPC request and response is logged; negative for never."""


@dataclasses.dataclass(frozen=True, slots=True)
class Flag:
    """A flag with its environment variable; `kind` is str, int, bool or Path."""

    name: str
    variable: str
    default: Any
    help: str
    kind: type = str

    @property
    def attribute(self) -> str:
        return self.name.replace("-", "_")


COMMON_FLAGS: Final = (
    Flag("node-name", "NODE_NAME", "", "name of the node this driver serves"),
    Flag("node-uid", "NODE_UID", "", "UID of the node; looked up when empty"),
    Flag("cdi-root", "CDI_ROOT", Path("/etc/cdi"), "directory for CDI files", Path),
    Flag(
        "kubelet-registrar-directory-path",
        "KUBELET_REGISTRAR_DIRECTORY_PATH",
        KUBELET_ROOT / "plugins_registry",
        "directory of the kubelet's registration sockets",
        Path,
    ),
    Flag(
        "kubelet-plugins-directory-path",
        "KUBELET_PLUGINS_DIRECTORY_PATH",
        KUBELET_ROOT / "plugins",
        "directory of the drivers' own directories",
        Path,
    ),
    Flag("pod-uid", "POD_UID", "", "UID of the driver's pod; enables rolling updates without a gap"),
    Flag(
        "single-socket",
        "SINGLE_SOCKET",
        False,
        "serve calls on the registration socket, without a second",
        bool,
    ),
    Flag("healthcheck-port", "HEALTHCHECK_PORT", -1, "port of the gRPC health endpoint, -1 for none", int),
    Flag("metrics-port", "METRICS_PORT", -1, "port of the metrics endpoint, -1 for none", int),
    Flag("bind-address", "BIND_ADDRESS", "::", "address of both endpoints"),
    Flag("kubeconfig", "KUBECONFIG", "", "kubeconfig file; inside a pod its service account is used"),
    Flag("kube-api-qps", "KUBE_API_QPS", "5", "accepted for compatibility; requests are few"),
    Flag("kube-api-burst", "KUBE_API_BURST", "10", "accepted for compatibility"),
    Flag("logging-format", "LOGGING_FORMAT", "text", "text (klog) or json"),
    Flag("feature-gates", "FEATURE_GATES", "", "accepted for compatibility"),
    Flag("v", "V", 0, "log verbosity; from 4 on every write, from 6 on every gRPC request and response", int),
)


def parse(
    flags: Sequence[Flag], arguments: Sequence[str], environment: Mapping[str, str], program: str
) -> dict[str, Any]:
    """Attribute -> value, from flags, else environment, else default.

    Raises OptionError for a value of the wrong kind; `--help` and unknown flags end the process as usual.
    """
    parser = argparse.ArgumentParser(program, allow_abbrev=False)
    for flag in flags:
        default = " ".join(str(flag.default).split()) or '""'
        text = f"{flag.help} [${flag.variable}, default {default}]"
        names = [f"--{flag.name}"] + ([f"-{flag.name}"] if len(flag.name) == 1 else [])
        optional_value: dict[str, Any] = {"nargs": "?", "const": "true"} if flag.kind is bool else {}
        parser.add_argument(*names, dest=flag.attribute, default=None, help=text, **optional_value)
    given, rest = parser.parse_known_args(list(arguments))
    unknown = [argument for argument in rest if argument.startswith("-")]
    if unknown:
        # The usage of all flags, which argparse would print, buries the one that is wrong.
        parser.exit(2, f"{program}: error: unknown flag: {_with_advice(unknown, flags)}; --help lists them\n")
    if rest:
        raise OptionError(f"arguments not supported: {list(rest)}")
    values = vars(given)
    return {flag.attribute: _value(flag, values[flag.attribute], environment) for flag in flags}


def _with_advice(unknown: Sequence[str], flags: Sequence[Flag]) -> str:
    names = [f"--{flag.name}" for flag in flags]
    close = difflib.get_close_matches(unknown[0].partition("=")[0], names, n=1)
    return " ".join(unknown) + (f" (did you mean {close[0]}?)" if close else "")


def _value(flag: Flag, given: str | None, environment: Mapping[str, str]) -> Any:
    source = f"--{flag.name}"
    if given is None:
        given = environment.get(flag.variable) or None
        source = f"${flag.variable}"
    if given is None:
        return flag.default
    if flag.kind is bool:
        if given.lower() not in ("true", "false", "1", "0", "t", "f"):
            raise OptionError(f"{source}: {given!r} is not true or false")
        return given.lower() in ("true", "1", "t")
    try:
        return flag.kind(given)
    except ValueError:
        raise OptionError(f"{source}: {given!r} is not a number") from None


def options_from(values: Mapping[str, Any]) -> Options:
    """The Options among parsed `values`. Raises OptionError when the node is not named."""
    if not values["node_name"]:
        raise OptionError("the node's name is needed: set --node-name or $NODE_NAME")
    if values["logging_format"] not in ("text", "json"):
        raise OptionError(f"--logging-format: {values['logging_format']!r} is neither text nor json")
    return Options(
        node_name=values["node_name"],
        node_uid=values["node_uid"],
        registrar_directory=values["kubelet_registrar_directory_path"],
        plugins_directory=values["kubelet_plugins_directory_path"],
        cdi_root=values["cdi_root"],
        pod_uid=values["pod_uid"],
        single_socket=values["single_socket"],
        healthcheck_port=values["healthcheck_port"],
        metrics_port=values["metrics_port"],
        bind_address=values["bind_address"],
        kubeconfig=values["kubeconfig"],
        json_logs=values["logging_format"] == "json",
        verbosity=values["v"],
    )


def boot_id() -> str:
    """What tells this boot of the machine from the others; "" where the kernel does not say."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return os.environ.get("DRAY_BOOT_ID", "")
