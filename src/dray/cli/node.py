"""`dray node`: one node, alone, of any Kubernetes."""

import pathlib
import socket

import click

from dray.cli.roles import Role, RoleFlags, role_flags, run_role
from dray.client.protocol import Client
from dray.kits.metrics import Registry


@click.command(
    epilog="Examples:  dray node --kubeconfig node.kubeconfig --name lab-1 --root-dir ./lab-1  |  "
    "dray node --kubeconfig data/kubeconfig --pki-dir data/pki --root-dir ./n1 --name n1"
)
@click.option("--name", default="", help="The node's name; the machine's by default.")
@click.option(
    "--root-dir",
    required=True,
    type=click.Path(path_type=pathlib.Path, file_okay=False),
    help="The node's own /var/lib/kubelet: pods, plugins, checkpoints.",
)
@click.option(
    "--pki-dir",
    type=click.Path(path_type=pathlib.Path, file_okay=False),
    help="ca.crt and ca.key of the cluster, such as DATA/pki of `dray apiserver`; ROOT/pki with a new authority by default.",
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
    pki_dir: pathlib.Path | None,
    address: str,
    port: int,
    pod_cidr: str,
) -> None:
    """Run pods as processes of this machine, and drivers for them, as a node of the cluster.

    Requests for logs and exec are authorized by the cluster (TokenReview and SubjectAccessReview), as a kubelet does it.
    """

    def make(client: Client, metrics: Registry) -> Role:
        from dray.client.config import load_config
        from dray.cluster.lone_node import lone_node_config
        from dray.kits.clock import SystemClock
        from dray.node.agent import NodeAgent

        clock = SystemClock()
        server = load_config(
            flags.kubeconfig, context=flags.context, in_cluster_first=flags.kubeconfig is None
        ).server
        config = lone_node_config(
            client,
            name=name or socket.gethostname().lower(),
            root=root_dir,
            pki=pki_dir or root_dir / "pki",
            address=address,
            port=port,
            pod_cidr=pod_cidr,
            server=server,
            now=clock.now(),
        )
        return NodeAgent(config, client, clock=clock, features=flags.features)

    run_role(flags, "kubelet", make)
