"""`dray status`: the clusters and what runs in them."""

import asyncio
import json
import pathlib

import click

from dray.cluster.fleet import ClusterState, find_cluster, find_clusters


@click.command(epilog="Examples:  dray status  |  dray status --name ci  |  dray status -o json")
@click.option("--name", help="Only this cluster.")
@click.option("--data-dir", type=click.Path(path_type=pathlib.Path), help="A cluster that lives elsewhere.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def command(name: str | None, data_dir: pathlib.Path | None, output: str) -> None:
    """Show the clusters and what runs in them. Exit code 1 when a cluster that was named does not run."""
    if name or data_dir:
        states = [find_cluster(name or "dray", data_dir)]
    else:
        states = list(find_clusters())
    reports = asyncio.run(_reports(states))
    if output == "json":
        click.echo(json.dumps(reports, indent=2))
    elif not reports:
        click.echo("No clusters. Start one with: dray up")
    else:
        _show_table(reports)
    if (name or data_dir) and states[0].pid is None:
        raise SystemExit(1)


async def _reports(states: list[ClusterState]) -> list[dict[str, object]]:
    return list(await asyncio.gather(*(_report(state) for state in states)))


async def _report(state: ClusterState) -> dict[str, object]:
    report: dict[str, object] = {
        "name": state.spec.name,
        "state": "running" if state.pid else "stopped",
        "pid": state.pid,
        "nodes": f"-/{state.spec.nodes}",
        "pods": "-",
        "devices": "-",
        "memory": f"{state.resident_bytes / 2**20:.0f}Mi" if state.pid else "-",
        "server": f"https://127.0.0.1:{state.spec.port}" if state.spec.port else "-",
        "data": str(state.layout.root),
    }
    if state.pid:
        report |= await _contents(state)
    return report


async def _contents(state: ClusterState) -> dict[str, object]:
    from dray.api.errors import StatusError
    from dray.api.pods import condition_status, is_terminal
    from dray.api.resources import NODES, PODS, RESOURCE_SLICES
    from dray.client.config import load_config
    from dray.client.http import HttpClient
    from dray.client.protocol import Unreachable

    try:
        async with asyncio.timeout(5), HttpClient(load_config(str(state.layout.kubeconfig))) as client:
            nodes = (await client.list(NODES)).items
            pods = (await client.list(PODS)).items
            slices = (await client.list(RESOURCE_SLICES)).items
    except (Unreachable, StatusError, TimeoutError):
        return {"state": "starting or stuck"}
    ready = sum(condition_status(node, "Ready") == "True" for node in nodes)
    return {
        "nodes": f"{ready}/{len(nodes)}",
        "pods": str(sum(not is_terminal(pod) for pod in pods)),
        "devices": str(sum(len(each["spec"].get("devices") or ()) for each in slices)),
    }


COLUMNS = ("name", "state", "nodes", "pods", "devices", "memory", "pid", "server", "data")


def _show_table(reports: list[dict[str, object]]) -> None:
    rows = [[column.upper() for column in COLUMNS]]
    rows += [
        [str(report[column] if report[column] is not None else "-") for column in COLUMNS]
        for report in reports
    ]
    widths = [max(len(row[index]) for row in rows) for index in range(len(COLUMNS))]
    for row in rows:
        click.echo("   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
