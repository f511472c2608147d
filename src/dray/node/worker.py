"""One pod on this node, from its first sight to its last: a loop that looks, decides by `plan`, acts, and reports.

The worker owns nothing that it could not read back: containers are the runtime's, prepared claims the checkpoint's, the
pod the API server's. It is woken by changes of the pod, by ended containers and by its own timers, and may be stopped and
begun anew at any point. A pod's end is: stop the containers, report them, give the devices back, remove the volumes,
delete the API object.
"""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from dray.api import errors
from dray.api.meta import Object, format_time, is_deleting, name_of, namespace_of, parse_time, uid_of
from dray.api.pods import is_terminal
from dray.api.resources import PODS
from dray.client.events import EventRecorder
from dray.client.protocol import Client, PatchType, Unreachable
from dray.kits.clock import Clock
from dray.node.claims import DraManager, PrepareFailure, UnprepareFailure
from dray.node.config import NodeConfig
from dray.node.environment import (
    EnvironmentFailure,
    PodFacts,
    container_environment,
    expand,
    service_variables,
)
from dray.node.objects import ReferencedObjects
from dray.node.pods.plan import Plan, plan_pod
from dray.node.pods.restart import CrashBackoff, end_of
from dray.node.pods.status import Circumstances, pod_status, status_patch
from dray.node.pods.view import (
    ContainerView,
    Role,
    Waiting,
    attempts_of,
    container_specs,
    field_path,
    format_pod,
    identity_of,
)
from dray.node.runtime.images import IMAGE_VARIABLE, is_own_program
from dray.node.runtime.protocol import (
    Container,
    ContainerConfig,
    ContainerState,
    Identity,
    ImageFailure,
    Runtime,
    RuntimeFailure,
    Sandbox,
    SandboxConfig,
    SandboxState,
)
from dray.node.volumes.content import VolumeFailure
from dray.node.volumes.podvolumes import PodVolumes, container_mounts

log = logging.getLogger("dray.node")

RESYNC_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 1.0
MAX_RETRY_SECONDS: Final = 10.0
DEFAULT_GRACE_SECONDS: Final = 30
MESSAGE_LIMIT: Final = 4096
ALREADY_PRESENT: Final = 'Container image "{}" already present on machine and can be accessed by the pod'


class Node(Protocol):
    """What a worker shares with the others of its node."""

    config: NodeConfig
    client: Client
    clock: Clock
    runtime: Runtime
    volumes: PodVolumes
    objects: ReferencedObjects
    claims: DraManager
    recorder: EventRecorder
    allocatable: Mapping[str, str]

    def may_return(self, driver: str, pod_uid: str) -> bool: ...

    def must_wait_for_users(self, pod: Object) -> bool: ...


class PodWorker:
    def __init__(self, node: Node, pod: Object) -> None:
        self.pod = pod
        self._node = node
        self._woken = asyncio.Event()
        self._backoff = CrashBackoff()
        self._waiting: dict[str, Waiting] = {}
        self._told: set[tuple[str, str]] = set()
        self._failures = 0
        self._start_time = (pod.get("status") or {}).get("startTime") or format_time(node.clock.now())
        self.is_over: bool = False

    def update(self, pod: Object) -> None:
        self.pod = pod
        self.wake()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Until the pod is gone from the node."""
        while True:
            self._woken.clear()
            delay = await self._step()
            if self.is_over:
                break
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._woken.wait()

    async def _step(self) -> float:
        """One look and what follows from it; returns the seconds until the next, if nothing happens before."""
        try:
            if is_deleting(self.pod):
                await self._end()
                return RETRY_SECONDS
            delay = await self._advance()
        except UnprepareFailure as failure:
            self._tell(
                "Warning",
                "FailedUnprepareDynamicResources",
                f"Failed to unprepare dynamic resources: {failure}",
            )
        except (errors.StatusError, Unreachable) as error:
            if isinstance(error, errors.NotFound) and is_deleting(self.pod):
                return RETRY_SECONDS
            log.warning("Pod %s: %s", format_pod(self.pod), error)
        except RuntimeFailure as failure:
            self._tell("Warning", "FailedCreatePodSandBox", str(failure))
        except Exception:
            log.exception("Pod %s could not be synced; it is tried again", format_pod(self.pod))
        else:
            self._failures = 0
            return delay
        self._failures += 1
        return _retry_delay(self._failures)

    # --- living ---

    async def _advance(self) -> float:
        if is_terminal(self.pod):
            await self._release()
            return RESYNC_SECONDS
        plan = self._plan()
        if plan.over:
            await self._report()
            await self._release()
            return RESYNC_SECONDS
        if plan.new_sandbox:
            await self._report()
            if not await self._prepare():
                await self._report()
                self._failures += 1
                return _retry_delay(self._failures)
            await self._run_sandbox()
            plan = self._plan()
        delay = RESYNC_SECONDS
        for view in plan.start:
            delay = min(delay, await self._start(view))
        await self._report()
        return delay

    def _plan(self) -> Plan:
        return plan_pod(self.pod, self._sandbox(), self._views(), {})

    def _sandbox(self) -> Sandbox | None:
        own = [each for each in self._node.runtime.sandboxes() if each.pod.uid == uid_of(self.pod)]
        return max(own, key=lambda each: each.attempt, default=None)

    def _views(self) -> list[ContainerView]:
        containers = self._node.runtime.containers(uid_of(self.pod))
        return [self._view(role, spec, containers) for role, spec in container_specs(self.pod)]

    def _view(self, role: Role, spec: Mapping[str, Any], containers: Sequence[Container]) -> ContainerView:
        attempts = attempts_of(spec["name"], containers)
        current = attempts[0] if attempts else None
        running = current is not None and current.state is ContainerState.RUNNING
        return ContainerView(
            spec=spec,
            role=role,
            current=current,
            previous=attempts[1] if len(attempts) > 1 else None,
            waiting=None if running else self._waiting.get(spec["name"]),
            started=running,
            ready=running,
            messages={each.id: _termination_message(each, spec) for each in attempts if each.finished},
            health=self._health(spec),
        )

    def _health(self, spec: Mapping[str, Any]) -> Sequence[Object]:
        try:
            return self._node.claims.resource_status(self.pod, spec)
        except PrepareFailure:
            return ()

    async def _prepare(self) -> bool:
        """Volumes and devices; False when they are not to be had yet, which is told."""
        try:
            await self._node.claims.prepare(self.pod)
        except PrepareFailure as failure:
            self._tell(
                "Warning",
                "FailedPrepareDynamicResources",
                f"Failed to prepare dynamic resources: prepare dynamic resources: {failure}",
            )
            return False
        try:
            await self._set_up_volumes()
        except VolumeFailure as failure:
            self._tell("Warning", "FailedMount", str(failure))
            return False
        return True

    async def _set_up_volumes(self) -> dict[str, Path]:
        return await self._node.volumes.set_up(
            self.pod,
            host_ips=[self._node.config.address],
            pod_ips=self._pod_ips(),
            allocatable=self._node.allocatable,
        )

    def _pod_ips(self) -> list[str]:
        sandbox = self._sandbox()
        return [sandbox.ip] if sandbox is not None else []

    async def _run_sandbox(self) -> None:
        old = self._sandbox()
        spec = self.pod["spec"]
        host_network = bool(spec.get("hostNetwork"))
        hostname = spec.get("hostname") or (self._node.config.name if host_network else name_of(self.pod))
        attempt = old.attempt + 1 if old is not None else 0
        if old is not None:
            await self._node.runtime.remove_sandbox(old.id)
        await self._node.runtime.run_sandbox(
            SandboxConfig(identity_of(self.pod), attempt, hostname[:63], host_network)
        )

    async def _start(self, view: ContainerView) -> float:
        """Start a container now, or return how long it still backs off."""
        sandbox = self._sandbox()
        ended = view.exited
        now = self._node.clock.now().timestamp()
        if sandbox is None:
            return RETRY_SECONDS
        if ended is not None:
            left = self._backoff.remaining(view.name, end_of(ended), now)
            if left > 0:
                self._back_off(view)
                return left
            self._backoff.restarted(view.name, end_of(ended), now)
        try:
            await self._start_container(view, sandbox)
        except ImageFailure as failure:
            self._wait(
                view,
                failure.reason,
                str(failure),
                "Failed",
                f'Failed to pull image "{view.spec.get("image", "")}": {failure}',
            )
            return MAX_RETRY_SECONDS
        except (EnvironmentFailure, VolumeFailure) as failure:
            self._wait(view, "CreateContainerConfigError", str(failure), "Failed", f"Error: {failure}")
            return MAX_RETRY_SECONDS
        except RuntimeFailure as failure:
            self._wait(view, "RunContainerError", str(failure), "Failed", f"Error: {failure}")
            return MAX_RETRY_SECONDS
        self._waiting.pop(view.name, None)
        return RESYNC_SECONDS

    def _back_off(self, view: ContainerView) -> None:
        delay = self._backoff.delay(view.name)
        shown = f"{int(delay // 60)}m{int(delay % 60)}s" if delay >= 60 else f"{int(delay)}s"
        text = f"back-off {shown} restarting failed container={view.name} pod={format_pod(self.pod)}"
        message = f"Back-off restarting failed container {view.name} in pod {format_pod(self.pod)}"
        self._wait(view, "CrashLoopBackOff", text, "BackOff", message)

    def _wait(self, view: ContainerView, reason: str, message: str, event: str, event_message: str) -> None:
        self._waiting[view.name] = Waiting(reason, message)
        self._tell("Warning", event, event_message, view.name)

    async def _start_container(self, view: ContainerView, sandbox: Sandbox) -> None:
        spec, runtime = view.spec, self._node.runtime
        await runtime.resolve_image(spec.get("image", ""), spec.get("command") or ())
        self._node.recorder.event(
            self.pod,
            "Normal",
            "Pulled",
            ALREADY_PRESENT.format(spec.get("image", "")),
            field_path=field_path(self.pod, view.name),
        )
        attempt = view.current.attempt + 1 if view.current is not None else 0
        config = await self._container_config(spec, attempt)
        if view.previous is not None:
            await runtime.remove_container(view.previous.id)
        container = await runtime.create_container(sandbox.id, config)
        self._node.recorder.event(
            self.pod, "Normal", "Created", "Container created", field_path=field_path(self.pod, view.name)
        )
        await runtime.start_container(container.id)
        self._node.recorder.event(
            self.pod, "Normal", "Started", "Container started", field_path=field_path(self.pod, view.name)
        )

    async def _container_config(self, spec: Mapping[str, Any], attempt: int) -> ContainerConfig:
        volumes = await self._set_up_volumes()
        environment = container_environment(self.pod, spec, await self._facts())
        if is_own_program(spec.get("command") or ()):
            # Programs that dray brings for an image behave as that image's release does.
            environment = {**environment, IMAGE_VARIABLE: spec.get("image", "")}
        paths = self._node.config.paths
        identity = identity_of(self.pod)
        directory = paths.pod_logs(identity.namespace, identity.name, identity.uid) / spec["name"]
        message = paths.pod(identity.uid) / "containers" / spec["name"] / str(attempt)
        message.parent.mkdir(parents=True, exist_ok=True)
        message.touch()
        return ContainerConfig(
            name=spec["name"],
            attempt=attempt,
            image=spec.get("image", ""),
            command=[expand(word, environment) for word in spec.get("command") or ()],
            arguments=[expand(word, environment) for word in spec.get("args") or ()],
            environment=environment,
            working_directory=spec.get("workingDir") or "",
            mounts=container_mounts(spec, volumes, environment),
            cdi_devices=self._node.claims.cdi_devices(self.pod, spec),
            identity=_identity(self.pod, spec),
            log_path=directory / f"{attempt}.log",
            termination_log=(message, spec.get("terminationMessagePath") or "/dev/termination-log"),
            privileged=bool((spec.get("securityContext") or {}).get("privileged")),
            terminal=bool(spec.get("tty")),
            stdin=bool(spec.get("stdin")),
            stdin_once=bool(spec.get("stdinOnce")),
        )

    async def _facts(self) -> PodFacts:
        config = self._node.config
        references = [
            (kind, namespace_of(self.pod), name)
            for _, spec in container_specs(self.pod)
            for kind, name in _references(spec)
        ]
        try:
            fetched = await self._node.objects.fetch(references)
        except (errors.StatusError, Unreachable) as error:
            raise EnvironmentFailure(str(error)) from error
        return PodFacts(
            host_ips=[config.address],
            pod_ips=self._pod_ips(),
            allocatable=self._node.allocatable,
            service=service_variables(config.api_host, config.api_port),
            config_map=lambda namespace, name: fetched.get(("ConfigMap", namespace, name)),
            secret=lambda namespace, name: _decoded(fetched.get(("Secret", namespace, name))),
        )

    # --- reporting ---

    async def _report(self, *, terminated: bool = False) -> None:
        sandbox = self._sandbox()
        facts = Circumstances(
            now=format_time(self._node.clock.now()),
            start_time=self._start_time,
            host_ip=self._node.config.address,
            pod_ip=sandbox.ip if sandbox is not None else "",
            has_sandbox=sandbox is not None and sandbox.state is SandboxState.READY,
            terminated=terminated,
        )
        patch = status_patch(self.pod, pod_status(self.pod, self._views(), facts))
        if patch is None:
            return
        updated = await self._node.client.patch(
            PODS,
            name_of(self.pod),
            patch,
            namespace_of(self.pod),
            patch_type=PatchType.STRATEGIC,
            subresource="status",
        )
        if uid_of(updated) == uid_of(self.pod):
            self.pod = updated

    def _tell(self, kind: Any, reason: str, message: str, container: str = "") -> None:
        path = field_path(self.pod, container) if container else ""
        self._node.recorder.event(self.pod, kind, reason, message, field_path=path)

    # --- ending ---

    async def _end(self) -> None:
        if self._node.must_wait_for_users(self.pod):
            # A driver outlives the pods whose devices only it can take back.
            await asyncio.sleep(0.2)
            return
        grace = self.pod["metadata"].get("deletionGracePeriodSeconds")
        await self._stop_containers(DEFAULT_GRACE_SECONDS if grace is None else grace)
        await self._report(terminated=True)
        await self._release()
        await self._delete()
        self.is_over = True

    async def _stop_containers(self, grace_seconds: float) -> None:
        running = [view for view in self._views() if view.is_running]
        for view in running:
            self._tell("Normal", "Killing", f"Stopping container {view.name}", view.name)
        left = self._grace_left(grace_seconds)
        await asyncio.gather(
            *(self._node.runtime.stop_container(view.current.id, left) for view in running if view.current)
        )

    def _grace_left(self, grace_seconds: float) -> float:
        """deletionTimestamp is when the grace ends; a restarted agent grants only the rest."""
        deadline = self.pod["metadata"].get("deletionTimestamp")
        if not deadline:
            return grace_seconds
        left = (parse_time(deadline) - self._node.clock.now()).total_seconds()
        return max(0.0, min(grace_seconds, left + 1))

    async def _release(self) -> None:
        """Devices, then volumes. Raises UnprepareFailure."""
        uid = uid_of(self.pod)
        await self._node.claims.unprepare(uid, lambda driver: self._node.may_return(driver, uid))

    async def _delete(self) -> None:
        pod = self.pod
        with contextlib.suppress(errors.NotFound, errors.Conflict):
            await self._node.client.delete(
                PODS, name_of(pod), namespace_of(pod), grace_period_seconds=0, uid=uid_of(pod)
            )
        await self.clean_up()

    async def clean_up(self) -> None:
        """Remove everything of the pod from this node."""
        for sandbox in [each for each in self._node.runtime.sandboxes() if each.pod.uid == uid_of(self.pod)]:
            await self._node.runtime.remove_sandbox(sandbox.id)
        self._node.volumes.remove(uid_of(self.pod))


def _retry_delay(failures: int) -> float:
    return float(min(RETRY_SECONDS * 2.0 ** min(failures - 1, 16), MAX_RETRY_SECONDS))


def _termination_message(container: Container, spec: Mapping[str, Any]) -> str:
    path = container.termination_log
    text = ""
    if path is not None:
        with contextlib.suppress(OSError):
            text = path.read_bytes()[:MESSAGE_LIMIT].decode(errors="replace")
    return text


def _identity(pod: Object, spec: Mapping[str, Any]) -> Identity:
    of_pod, own = pod["spec"].get("securityContext") or {}, spec.get("securityContext") or {}
    return Identity(
        own.get("runAsUser", of_pod.get("runAsUser")),
        own.get("runAsGroup", of_pod.get("runAsGroup")),
        tuple(of_pod.get("supplementalGroups") or ()),
    )


def _references(spec: Mapping[str, Any]) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for entry in spec.get("envFrom") or ():
        for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
            if entry.get(key):
                found.append((kind, entry[key].get("name", "")))
    for entry in spec.get("env") or ():
        source = entry.get("valueFrom") or {}
        for key, kind in (("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")):
            if source.get(key):
                found.append((kind, source[key].get("name", "")))
    return found


def _decoded(secret: Object | None) -> Object | None:
    import base64

    if secret is None:
        return None
    data = {
        key: base64.b64decode(value).decode(errors="replace")
        for key, value in (secret.get("data") or {}).items()
    }
    return {**secret, "data": data}
