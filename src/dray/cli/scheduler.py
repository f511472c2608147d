"""`dray scheduler`: the scheduler, alone, against any Kubernetes."""

import click

from dray.cli.roles import Role, RoleFlags, role_flags, run_role
from dray.client.protocol import Client
from dray.kits.metrics import Registry


@click.command(
    epilog="Examples:  dray scheduler --kubeconfig ~/.kube/config --scheduler-name dray  |  dray scheduler --no-leader-elect"
)
@click.option(
    "--scheduler-name",
    default="default-scheduler",
    show_default=True,
    help="Which pods to place: those whose spec.schedulerName is this.",
)
@click.option(
    "--leader-elect/--no-leader-elect",
    default=True,
    show_default=True,
    help="Work only while holding the lease kube-system/NAME.",
)
@role_flags(default_port=10259)
def command(flags: RoleFlags, scheduler_name: str, leader_elect: bool) -> None:
    """Place pods on nodes and devices on claims."""

    def make(client: Client, metrics: Registry) -> Role:
        from dray.kits.clock import SystemClock
        from dray.scheduler.scheduler import Scheduler

        return Scheduler(
            client,
            clock=SystemClock(),
            features=flags.features,
            name=scheduler_name,
            registry=metrics,
            elect_leader=leader_elect,
        )

    run_role(flags, "kube-scheduler", make)
