"""`dray controller-manager`: the control loops, alone, against any Kubernetes."""

import pathlib

import click

from dray.cli.roles import Role, RoleFlags, role_flags, run_role
from dray.client.protocol import Client
from dray.kits.metrics import Registry


@click.command(
    epilog="Examples:  dray controller-manager --kubeconfig ./kubeconfig  |  dray controller-manager --root-ca-file ca.crt"
)
@click.option(
    "--root-ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=pathlib.Path),
    help="Publish this CA to every namespace (kube-root-ca.crt).",
)
@role_flags(default_port=10257)
def command(flags: RoleFlags, root_ca_file: pathlib.Path | None) -> None:
    """Run the control loops: claims from templates and their release, workloads, namespaces, garbage, nodes."""

    def make(client: Client, metrics: Registry) -> Role:
        from dray.controllers.manager import ControllerManager
        from dray.kits.clock import SystemClock

        root_ca = root_ca_file.read_text() if root_ca_file else ""
        return ControllerManager(
            client, clock=SystemClock(), features=flags.features, root_ca_pem=root_ca, registry=metrics
        )

    run_role(flags, "kube-controller-manager", make)
