"""`kubectl logs`: of one pod's container, of all its containers, or of every pod a selector finds."""

import asyncio
import dataclasses
import sys
from collections.abc import Sequence

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
    since: str = ""
    limit_bytes: int = 0


async def logs(session: Session, pod_name: str, selector: str, options: Options) -> None:
    if selector:
        found = await session.client.list(PODS, Selection(session.namespace, selector))
        pods: Sequence[Object] = found.items
        if not pods:
            sys.stderr.write(f"No resources found in {session.namespace} namespace.\n")
            return
    else:
        pods = [
            await session.client.get(
                PODS, pod_name.removeprefix("pod/").removeprefix("pods/"), session.namespace
            )
        ]
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


def _containers(pod: Object, options: Options) -> list[str]:
    spec = pod["spec"]
    names = [each["name"] for each in (*(spec.get("initContainers") or ()), *spec["containers"])]
    regular = [each["name"] for each in spec["containers"]]
    if options.all_containers:
        return names
    if options.container:
        if options.container not in names:
            raise Failure(f"error: container {options.container} is not valid for pod {name_of(pod)}")
        return [options.container]
    default = (pod["metadata"].get("annotations") or {}).get(DEFAULT_CONTAINER_ANNOTATION)
    if default in names:
        return [str(default)]
    if len(names) > 1:
        sys.stderr.write(f'Defaulted container "{regular[0]}" out of: {", ".join(names)}\n')
    return regular[:1]


def _query(container: str, selected: bool, options: Options) -> dict[str, str]:
    tail = options.tail if options.tail is not None else SELECTED_TAIL if selected else None
    query = {
        "container": container,
        "follow": "true" if options.follow else "",
        "previous": "true" if options.previous else "",
        "timestamps": "true" if options.timestamps else "",
        "tailLines": str(tail) if tail is not None and tail >= 0 else "",
        "sinceSeconds": str(_seconds(options.since)) if options.since else "",
        "limitBytes": str(options.limit_bytes) if options.limit_bytes else "",
    }
    return {key: value for key, value in query.items() if value}


def _seconds(duration: str) -> int:
    units = {"s": 1, "m": 60, "h": 3600}
    total, number = 0.0, ""
    for char in duration:
        if char in units and number:
            total += float(number) * units[char]
            number = ""
        elif char.isdigit() or char == ".":
            number += char
        else:
            raise Failure(
                f'error: invalid argument "{duration}" for "--since" flag: use a duration like 5s, 2m or 3h'
            )
    if number:
        raise Failure(
            f'error: invalid argument "{duration}" for "--since" flag: missing unit in duration "{duration}"'
        )
    return max(1, round(total))


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
