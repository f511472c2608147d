"""`dray controller-manager`: the control loops, alone, against any Kubernetes."""

import datetime as dt
import pathlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click

from dray.cli.roles import Role, RoleFlags, role_flags, run_role
from dray.client.protocol import Client
from dray.cluster.layout import ClusterError
from dray.kits.metrics import Registry

if TYPE_CHECKING:
    from dray.controllers.certificate_signing import Signing

Pair: TypeAlias = tuple[pathlib.Path | None, pathlib.Path | None]
"""Certificate and key."""

FILE: Final = click.Path(exists=True, dir_okay=False, path_type=pathlib.Path)
EACH_SIGNER: Final = ("kubelet-serving", "kubelet-client", "kube-apiserver-client", "legacy-unknown")


def signing_options(function: Callable[..., None]) -> Callable[..., None]:
    """The flags about certificate requests, under kube-controller-manager's names."""
    options = [
        click.option(
            "--cluster-signing-cert-file",
            type=FILE,
            help="Sign approved certificate requests with this CA; without one, none are signed.",
        ),
        click.option("--cluster-signing-key-file", type=FILE, help="The key of that CA."),
        click.option(
            "--cluster-signing-duration",
            default="8760h",
            show_default=True,
            metavar="DURATION",
            help="No certificate is signed for longer.",
        ),
    ]
    for signer in EACH_SIGNER:
        flag = f"--cluster-signing-{signer}"
        options += [
            click.option(f"{flag}-cert-file", type=FILE, help=f"A CA for the signer {signer} alone."),
            click.option(f"{flag}-key-file", type=FILE, help="The key of that CA."),
        ]
    for option in reversed(options):
        function = option(function)
    return function


@click.command(
    epilog="Examples:  dray controller-manager --kubeconfig ./kubeconfig  |  dray controller-manager --root-ca-file ca.crt"
)
@click.option("--root-ca-file", type=FILE, help="Publish this CA to every namespace (kube-root-ca.crt).")
@signing_options
@role_flags(default_port=10257)
def command(flags: RoleFlags, root_ca_file: pathlib.Path | None, **values: Any) -> None:
    """Run the control loops: claims from templates and their release, workloads, namespaces, garbage, nodes, certificates."""
    signing = _signing(values)
    root_ca = _text_of(root_ca_file) if root_ca_file else ""

    def make(client: Client, metrics: Registry) -> Role:
        from dray.controllers.manager import ControllerManager
        from dray.kits.clock import SystemClock

        return ControllerManager(
            client,
            clock=SystemClock(),
            features=flags.features,
            root_ca_pem=root_ca,
            signing=signing,
            registry=metrics,
        )

    run_role(flags, "kube-controller-manager", make)


def _text_of(root_ca_file: pathlib.Path) -> str:
    """Raises ClusterError."""
    try:
        return root_ca_file.read_text()
    except OSError as error:
        raise ClusterError(f"--root-ca-file {root_ca_file}: {error.strerror or error}") from error
    except UnicodeDecodeError:
        raise ClusterError(f"--root-ca-file {root_ca_file} is no text; give a PEM certificate") from None


def _signing(values: Mapping[str, Any]) -> "Signing | None":
    """None: nothing is signed. Raises ClusterError."""
    from dray.cluster.signing import SIGNERS, signing_of

    longest = _duration(values["cluster_signing_duration"])
    common = _pair(values)
    chosen = {signer: pair for signer in EACH_SIGNER if any(pair := _pair(values, signer))}
    if any(common):
        if chosen:
            raise ClusterError(
                "--cluster-signing-cert-file is for all signers: leave it out where single signers have a CA of their own"
            )
        chosen = dict.fromkeys(EACH_SIGNER, common)
    files = {SIGNERS[signer]: _whole(pair) for signer, pair in chosen.items()}
    return signing_of(files, longest) if files else None


def _pair(values: Mapping[str, Any], signer: str = "") -> Pair:
    name = f"cluster_signing_{signer}_".replace("-", "_") if signer else "cluster_signing_"
    return values[f"{name}cert_file"], values[f"{name}key_file"]


def _whole(pair: Pair) -> tuple[pathlib.Path, pathlib.Path]:
    certificate, key = pair
    if certificate is None:
        raise ClusterError(f"the certificate of the key {key} is missing: --cluster-signing-...-cert-file")
    if key is None:
        raise ClusterError(f"the key of {certificate} is missing: --cluster-signing-...-key-file")
    return certificate, key


def _duration(text: str) -> dt.timedelta:
    from dray.cel.values.time import parse_duration

    duration = parse_duration(text)
    if duration is None or duration.nanos <= 0:
        raise ClusterError(f"--cluster-signing-duration {text}: use a duration such as 8760h or 90m")
    return dt.timedelta(microseconds=duration.nanos // 1000)
