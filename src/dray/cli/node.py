"""`dray node`: one node, alone, of any Kubernetes."""

import pathlib
import socket
import urllib.parse

import click

from dray.cli.roles import Role, RoleFlags, role_flags, run_role
from dray.client.protocol import Client
from dray.kits.metrics import Registry

_FILE = click.Path(path_type=pathlib.Path, exists=True, dir_okay=False)


@click.command(
    epilog="Examples:  dray node --kubeconfig node.kubeconfig --name lab-1 --root-dir ./lab-1  |  "
    "dray node --kubeconfig node.kubeconfig --root-dir ./n1 --tls-cert-file n1.crt --tls-private-key-file n1.key"
)
@click.option("--name", default="", help="The node's name; the machine's by default.")
@click.option(
    "--root-dir",
    required=True,
    type=click.Path(path_type=pathlib.Path, file_okay=False),
    help="The node's own /var/lib/kubelet: pods, plugins, checkpoints.",
)
@click.option(
    "--tls-cert-file",
    type=_FILE,
    help="What the node's server presents; signed by an authority of its own without. An API server that checks kubelets, "
    "as dray's does, reads logs only from a node whose certificate its authority signed.",
)
@click.option("--tls-private-key-file", type=_FILE, help="The key of that certificate.")
@click.option(
    "--client-ca-file",
    type=_FILE,
    help="Whose client certificates are known to the node's server; the kubeconfig's authority by default.",
)
@click.option("--address", default="127.0.0.1", show_default=True, help="Where the node's server listens.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Its port; 0 picks a free one.")
@click.option(
    "--pod-cidr",
    default="127.80.0.0/24",
    show_default=True,
    help="Loopback addresses for pods; one range a node.",
)
@role_flags(default_port=10248)
def command(
    flags: RoleFlags,
    name: str,
    root_dir: pathlib.Path,
    tls_cert_file: pathlib.Path | None,
    tls_private_key_file: pathlib.Path | None,
    client_ca_file: pathlib.Path | None,
    address: str,
    port: int,
    pod_cidr: str,
) -> None:
    """Run pods as processes of this machine, and drivers for them, as a node of the cluster.

    Requests for logs and exec are authorized by the cluster (TokenReview and SubjectAccessReview), as a kubelet does it.
    """
    if (tls_cert_file is None) != (tls_private_key_file is None):
        raise click.UsageError(
            "--tls-cert-file and --tls-private-key-file belong together: give both or none"
        )
    node = name or socket.gethostname().lower()

    def make(client: Client, metrics: Registry) -> Role:
        from dray.client.config import load_config
        from dray.cluster.lone_node import ServingFiles, serving_context
        from dray.cluster.node_access import webhook_authorizer
        from dray.kits.clock import SystemClock
        from dray.node.agent import NodeAgent
        from dray.node.config import NodeConfig

        clock = SystemClock()
        cluster = load_config(
            flags.kubeconfig, context=flags.context, in_cluster_first=flags.kubeconfig is None
        )
        files = (
            ServingFiles(tls_cert_file, tls_private_key_file)
            if tls_cert_file and tls_private_key_file
            else None
        )
        server_ssl = serving_context(
            node,
            address,
            files=files,
            own=root_dir / "pki",
            client_ca=client_ca_file.read_bytes() if client_ca_file else cluster.ca_data,
            now=clock.now(),
        )
        url = urllib.parse.urlsplit(cluster.server)
        config = NodeConfig(
            name=node,
            root=root_dir,
            pod_cidr=pod_cidr,
            address=address,
            bind_address=address,
            port=port,
            server_ssl=server_ssl,
            authorize=webhook_authorizer(client, node),
            api_host=url.hostname or "127.0.0.1",
            api_port=url.port or 443,
        )
        return NodeAgent(config, client, clock=clock, features=flags.features, registry=metrics)

    run_role(flags, "kubelet", make)
