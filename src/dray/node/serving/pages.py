"""What the node's server says about the node and its pods: pods, statistics, resource metrics, configuration.

Numbers are read when somebody asks. Rates are left to whoever asks twice.
"""

import datetime as dt
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from dray.api.meta import Object, format_time, name_of, namespace_of, uid_of
from dray.kits.clock import Clock
from dray.kits.metrics import Counter, Gauge, Metric, render
from dray.node.config import LEASE_SECONDS, STATUS_REPORT_SECONDS, NodeConfig
from dray.node.metrics import NodeMetrics
from dray.node.pods.table import PodTable
from dray.node.runtime.protocol import Container, ContainerState, Runtime, Usage

_OF_CONTAINER: Final = ("container", "namespace", "pod")
_OF_POD: Final = ("namespace", "pod")
_NANO: Final = 10**9


class Pages:
    def __init__(
        self, config: NodeConfig, runtime: Runtime, pods: PodTable, metrics: NodeMetrics, clock: Clock
    ) -> None:
        self._config = config
        self._runtime = runtime
        self._pods = pods
        self._metrics = metrics
        self._clock = clock
        self._started = clock.now()

    def add_to(self, router: web.UrlDispatcher) -> None:
        router.add_get("/pods", self._list_pods)
        router.add_get("/metrics", self._show_metrics)
        router.add_get("/metrics/resource", self._show_resource_metrics)
        router.add_get("/stats/summary", self._summarize)
        router.add_get("/configz", self._show_configuration)
        router.add_get("/healthz", _healthz)

    async def _list_pods(self, request: web.Request) -> web.Response:
        items = [worker.pod for worker in self._pods.workers()]
        return web.json_response({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": items})

    async def _show_metrics(self, request: web.Request) -> web.Response:
        return web.Response(text=self._metrics.render(), content_type="text/plain")

    async def _show_configuration(self, request: web.Request) -> web.Response:
        return web.json_response({"kubeletconfig": kubelet_configuration(self._config)})

    async def _show_resource_metrics(self, request: web.Request) -> web.Response:
        found = resource_metrics(node_usage(), list(self._measured()))
        return web.Response(text=render(found), content_type="text/plain")

    async def _summarize(self, request: web.Request) -> web.Response:
        now = format_time(self._clock.now())
        node: Object = {"nodeName": self._config.name, "startTime": format_time(self._started)}
        if (usage := node_usage()) is not None:
            node.update(_usage_stats(usage, now))
        by_pod: dict[str, list[tuple[Container, Usage]]] = {}
        for pod, container, usage in self._measured():
            by_pod.setdefault(uid_of(pod), []).append((container, usage))
        pods = [
            pod_stats(worker.pod, by_pod.get(uid_of(worker.pod), ()), now) for worker in self._pods.workers()
        ]
        return web.json_response({"node": node, "pods": pods})

    def _measured(self) -> Iterator[tuple[Object, Container, Usage]]:
        pods = {uid_of(worker.pod): worker.pod for worker in self._pods.workers()}
        for container in self._runtime.containers():
            if container.state is not ContainerState.RUNNING or container.pod.uid not in pods:
                continue
            usage = self._runtime.usage(container.id)
            if usage is not None:
                yield pods[container.pod.uid], container, usage


async def _healthz(request: web.Request) -> web.Response:
    return web.Response(text="ok")


def node_usage() -> Usage | None:
    """Of the whole machine; None where it does not tell."""
    try:
        times = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
        memory = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    except OSError:
        return None
    # The fourth and fifth are idle and waiting for input and output; guests count in user time already.
    busy = sum(int(ticks) for number, ticks in enumerate(times[:8]) if number not in (3, 4))
    used = (_kilobytes(memory["MemTotal"]) - _kilobytes(memory["MemAvailable"])) * 1024
    return Usage(busy / os.sysconf("SC_CLK_TCK"), used)


def _kilobytes(text: str) -> int:
    return int(text.split()[0])


def resource_metrics(
    node: Usage | None, containers: Sequence[tuple[Object, Container, Usage]]
) -> list[Metric]:
    """Under the names of the kubelet's /metrics/resource."""
    cpu = Counter(
        "container_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds", _OF_CONTAINER
    )
    memory = Gauge("container_memory_working_set_bytes", "Current working set in bytes", _OF_CONTAINER)
    start = Gauge("container_start_time_seconds", "Start time in seconds since 1970", _OF_CONTAINER)
    pod_cpu = Counter("pod_cpu_usage_seconds_total", "Cumulative cpu time consumed in seconds", _OF_POD)
    pod_memory = Gauge("pod_memory_working_set_bytes", "Current working set in bytes", _OF_POD)
    for pod, container, usage in containers:
        of_pod = {"namespace": namespace_of(pod), "pod": name_of(pod)}
        labels = {"container": container.name, **of_pod}
        cpu.inc(usage.cpu_seconds, **labels)
        memory.set(usage.memory_bytes, **labels)
        start.set((container.started or container.created).timestamp(), **labels)
        pod_cpu.inc(usage.cpu_seconds, **of_pod)
        pod_memory.inc(usage.memory_bytes, **of_pod)
    return [cpu, memory, start, *_node_metrics(node), pod_cpu, pod_memory]


def _node_metrics(node: Usage | None) -> list[Metric]:
    error = Gauge("resource_scrape_error", "1 if the metrics of the node could not be had, 0 otherwise")
    error.set(1 if node is None else 0)
    if node is None:
        return [error]
    cpu = Counter("node_cpu_usage_seconds_total", "Cumulative cpu time consumed by the node in seconds")
    memory = Gauge("node_memory_working_set_bytes", "Current working set of the node in bytes")
    cpu.inc(node.cpu_seconds)
    memory.set(node.memory_bytes)
    return [cpu, memory, error]


def pod_stats(pod: Object, containers: Sequence[tuple[Container, Usage]], now: str) -> Object:
    """One entry of the summary."""
    stats: Object = {
        "podRef": {"name": name_of(pod), "namespace": namespace_of(pod), "uid": uid_of(pod)},
        "startTime": (pod.get("status") or {}).get("startTime"),
        "containers": [
            {"name": each.name, "startTime": _start(each), **_usage_stats(usage, now)}
            for each, usage in containers
        ],
    }
    if containers:
        cpu = sum(usage.cpu_seconds for _, usage in containers)
        memory = sum(usage.memory_bytes for _, usage in containers)
        stats.update(_usage_stats(Usage(cpu, memory), now))
    return stats


def _start(container: Container) -> str:
    started: dt.datetime = container.started or container.created
    return format_time(started)


def _usage_stats(usage: Usage, now: str) -> Mapping[str, Any]:
    return {
        "cpu": {"time": now, "usageCoreNanoSeconds": int(usage.cpu_seconds * _NANO)},
        "memory": {"time": now, "workingSetBytes": usage.memory_bytes},
    }


def kubelet_configuration(config: NodeConfig) -> Object:
    """The node's settings under the kubelet's names, as far as both have them."""
    return {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "address": config.bind_address,
        **({"port": config.port} if config.port else {}),
        "podCIDR": config.pod_cidr,
        "providerID": config.provider_id,
        "maxPods": int(config.capacity.get("pods", 110)),
        "registerWithTaints": list(config.taints),
        "nodeStatusReportFrequency": f"{STATUS_REPORT_SECONDS:.0f}s",
        "nodeLeaseDurationSeconds": LEASE_SECONDS,
    }
