"""`kubectl logs`: of one pod's container, of all its containers, or of every pod a selector finds."""

import asyncio
import dataclasses
import sys
from collections.abc import Sequence

from dray.api import errors
from dray.api.meta import Object, name_of, namespace_of
from dray.api.resources import PODS
from dray.cli.kubectl.session import Failure, Session
from dray.client.protocol import Selection

SELECTED_TAIL = 10
"""Lines shown of each pod when a selector was given and --tail was not."""
MAX_FOLLOWED = 5
DEFAULT_CONTAINER_ANNOTATION = "kubectl.kubernetes.io/default-container"


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    container: str = ""
    all_containers: bool = False
    follow: bool = False
    previous: bool = False
    timestamps: bool = False
    prefix: bool = False
    tail: int | None = None
    since_seconds: float = 0.0
    """0 for all."""
    limit_bytes: int = 0


async def logs(session: Session, pod_name: str, selector: str, options: Options) -> None:
    _check(options)
    if selector:
        found = await session.client.list(PODS, Selection(session.namespace, selector))
        pods: Sequence[Object] = found.items
        if not pods:
            sys.stderr.write(f"No resources found in {session.namespace} namespace.\n")
            return
    else:
        pods = [await pod_behind(session, pod_name, is_log=True)]
    streams = [(pod, container) for pod in pods for container in _containers(pod, options)]
    if options.follow and len(streams) > MAX_FOLLOWED:
        raise Failure(
            f"error: you are attempting to follow {len(streams)} log streams, but maximum allowed concurrency is {MAX_FOLLOWED}, use --max-log-requests to increase the limit"
        )
    if options.follow:
        await asyncio.gather(*(_stream(session, pod, each, bool(selector), options) for pod, each in streams))
        return
    for pod, container in streams:
        await _stream(session, pod, container, bool(selector), options)


def _check(options: Options) -> None:
    if options.all_containers and options.container:
        raise Failure(
            f"error: --all-containers=true should not be specified with container name {options.container}"
        )
    if options.limit_bytes < 0:
        raise Failure("error: --limit-bytes must be greater than 0")
    if options.since_seconds < 0:
        raise Failure("error: --since must be greater than 0")
    if options.tail is not None and options.tail < -1:
        raise Failure("error: --tail must be greater than or equal to -1")


def _containers(pod: Object, options: Options) -> list[str]:
    spec = pod["spec"]
    names = [each["name"] for each in (*(spec.get("initContainers") or ()), *spec["containers"])]
    if options.all_containers:
        return names
    return [chosen_container(pod, options.container, is_log=True)]


def chosen_container(pod: Object, wanted: str, *, is_log: bool = False, quiet: bool = False) -> str:
    """The one that is named, or the pod's default, which the user is told. Raises Failure for one it does not have."""
    names = _container_names(pod)
    default = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER_ANNOTATION, "")
    if default and default not in names and is_log and not wanted:
        sys.stderr.write(f'Default container name "{default}" not found in pod {name_of(pod)}\n')
        default = ""
    chosen = wanted or str(default)
    if chosen in names:
        return chosen
    shown = ", ".join(f"{name}{kind}" for name, kind in names.items())
    if chosen:
        raise Failure(f"error: container {chosen} is not valid for pod {name_of(pod)} out of: {shown}")
    first = next(iter(names))
    if len(names) > 1 and not quiet:
        sys.stderr.write(f'Defaulted container "{first}" out of: {shown}\n')
    return first


def _container_names(pod: Object) -> dict[str, str]:
    """Each with what is said of it where all are named."""
    kinds = (("containers", ""), ("ephemeralContainers", " (ephem)"), ("initContainers", " (init)"))
    return {each["name"]: kind for field, kind in kinds for each in pod["spec"].get(field) or ()}


async def pod_behind(session: Session, name: str, *, is_log: bool = False) -> Object:
    """The pod that `name`, `pod/name` or, of a workload, `ds/name` means."""
    kind, slash, rest = name.partition("/")
    served = await session.find(kind) if slash else None
    resource = PODS if served is None else served.resource
    try:
        obj = await session.client.get(resource, rest if slash else name, session.namespace)
        return obj if resource.kind == "Pod" else await _pod_of_workload(session, obj, is_log=is_log)
    except errors.NotFound as error:
        if is_log:
            raise Failure(
                f'error: error from server (NotFound): {error.message} in namespace "{session.namespace}"'
            ) from None
        raise


async def _pod_of_workload(session: Session, workload: Object, *, is_log: bool) -> Object:
    labels = ((workload.get("spec") or {}).get("selector") or {}).get("matchLabels")
    if not labels:
        kind = f"*{workload['apiVersion'].rpartition('/')[2]}.{workload['kind']}"
        doing = "get the logs from" if is_log else "attach to"
        raise Failure(f"error: cannot {doing} {kind}: selector for {kind} not implemented")
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    pods = (await session.client.list(PODS, Selection(session.namespace, selector))).items
    if not pods:
        raise Failure("error: timed out waiting for the condition")
    if len(pods) > 1:
        sys.stderr.write(f"Found {len(pods)} pods, using pod/{name_of(pods[0])}\n")
    return pods[0]


def _query(container: str, selected: bool, options: Options) -> dict[str, str]:
    tail = options.tail if options.tail is not None else SELECTED_TAIL if selected else None
    query = {
        "container": container,
        "follow": "true" if options.follow else "",
        "previous": "true" if options.previous else "",
        "timestamps": "true" if options.timestamps else "",
        "tailLines": str(tail) if tail is not None and tail >= 0 else "",
        "sinceSeconds": str(max(1, round(options.since_seconds))) if options.since_seconds else "",
        "limitBytes": str(options.limit_bytes) if options.limit_bytes else "",
    }
    return {key: value for key, value in query.items() if value}


async def _stream(session: Session, pod: Object, container: str, selected: bool, options: Options) -> None:
    from dray.client.http import error_from_response

    path = PODS.path(namespace_of(pod), name_of(pod), "log")
    head = f"[pod/{name_of(pod)}/{container}] " if options.prefix else ""
    timeout = None if options.follow else 60.0
    query = _query(container, selected, options)
    async with session.client.open(
        "GET", path, query=query, accept="*/*", timeout_seconds=timeout
    ) as response:
        if response.status >= 400:
            raise error_from_response(response, await response.read())
        at_line_start = True
        async for chunk in response.content.iter_any():
            at_line_start = _write(chunk, head, at_line_start)


def _write(chunk: bytes, head: str, at_line_start: bool) -> bool:
    out = sys.stdout.buffer
    if not head:
        out.write(chunk)
    else:
        for line in chunk.splitlines(keepends=True):
            out.write((head.encode() if at_line_start else b"") + line)
            at_line_start = line.endswith(b"\n")
    out.flush()
    return at_line_start
