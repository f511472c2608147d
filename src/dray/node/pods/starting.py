"""The start of containers: image, configuration, program, postStart hook; and what is shown while it does not succeed.

Failures are told the kubelet's way: a reason and message that the container waits with, and an event. They are told
once each, not at every try. Restarts of a container that ended, and tries for an image that is not there, are spaced.
"""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from dray.api.meta import Object, uid_of
from dray.kits.backoff import Backoff
from dray.node.dra.containers import ClaimUnknown
from dray.node.environment import EnvironmentFailure
from dray.node.pods.containerconfig import container_config
from dray.node.pods.restart import CrashBackoff, end_of
from dray.node.pods.services import NodeServices, uninterrupted
from dray.node.pods.stopping import ContainerStopper
from dray.node.pods.view import ContainerView, Waiting, attempts_of, format_pod
from dray.node.probes.actions import Outcome, ProbeError, Target, named_ports
from dray.node.runtime.protocol import (
    Container,
    ContainerConfig,
    ImageFailure,
    RuntimeFailure,
    Sandbox,
    StartFailure,
)
from dray.node.volumes.content import VolumeFailure

RETRY_SECONDS: Final = 10.0
IMAGE_BACKOFF_SECONDS: Final = (10.0, 300.0)
SHOWN_SECONDS: Final = 2.0
"""How long the failure itself is shown before the back-off that follows it is."""

Volumes = Callable[[Object], Awaitable[Mapping[str, Path]]]
"""Sets up a pod's volumes, with fresh content, and says where they lie. Raises VolumeFailure."""


class HookFailure(Exception):
    """A postStart hook failed; its container was killed for that."""


class ContainerStarter:
    """Starts containers of one pod. `waiting`: container name -> why it does not run."""

    def __init__(self, services: NodeServices, stopper: ContainerStopper, volumes: Volumes) -> None:
        self.waiting: dict[str, Waiting] = {}
        self._services = services
        self._stopper = stopper
        self._volumes = volumes
        self._crashes = CrashBackoff()
        self._pulls = Backoff(*IMAGE_BACKOFF_SECONDS)
        self._pull_at: dict[str, float] = {}
        self._shown_until: dict[str, float] = {}

    async def start(self, pod: Object, view: ContainerView, sandbox: Sandbox) -> float:
        """Start the container and return 0, or return the seconds until it is worth another try."""
        if left := self.crash_delay(pod, view) or self._pull_delay(pod, view):
            return left
        try:
            await self._start(pod, view, sandbox)
        except ImageFailure as failure:
            return self._image_failed(pod, view, failure)
        except (EnvironmentFailure, VolumeFailure, ClaimUnknown) as failure:
            self._failed(pod, view, "CreateContainerConfigError", str(failure))
            return RETRY_SECONDS
        except StartFailure as failure:
            # What is left behind has exited; its restart is spaced like any other.
            self._failed(pod, view, "RunContainerError", str(failure))
        except RuntimeFailure as failure:
            self._failed(pod, view, "CreateContainerError", str(failure))
            return RETRY_SECONDS
        except HookFailure as failure:
            self._wait(view.name, "PostStartHookError", str(failure))
        else:
            self.waiting.pop(view.name, None)
        return 0

    # --- why it does not run ---

    def _wait(self, name: str, reason: str, message: str) -> bool:
        """Whether the reason is a new one."""
        before = self.waiting.get(name)
        self.waiting[name] = Waiting(reason, message)
        return before != self.waiting[name]

    def _failed(self, pod: Object, view: ContainerView, reason: str, message: str) -> None:
        if self._wait(view.name, reason, message):
            self._services.tell(pod, "Warning", "Failed", f"Error: {message}", view.name)

    def crash_delay(self, pod: Object, view: ContainerView) -> float:
        """Seconds that a container which ended still has to wait."""
        ended = self._counted_end(view)
        if ended is None:
            return 0
        left = self._crashes.remaining(view.name, end_of(ended), self._services.clock.now().timestamp())
        if left > 0:
            delay = self._crashes.delay(view.name)
            shown = f"{int(delay // 60)}m{int(delay % 60)}s" if delay >= 60 else f"{int(delay)}s"
            text = f"back-off {shown} restarting failed container={view.name} pod={format_pod(pod)}"
            if self._wait(view.name, "CrashLoopBackOff", text):
                told = f"Back-off restarting failed container {view.name} in pod {format_pod(pod)}"
                self._services.tell(pod, "Warning", "BackOff", told, view.name)
        return left

    def restarted(self, view: ContainerView) -> None:
        """A container that ended, if it did, is about to run again: the next time it waits longer."""
        if ended := self._counted_end(view):
            now = self._services.clock.now().timestamp()
            self._crashes.restarted(view.name, end_of(ended), now)

    @staticmethod
    def _counted_end(view: ContainerView) -> Container | None:
        """The end from which a restart is spaced. Of a container that ran until it was killed to begin again it is
        the one before: having run well for long, it begins at once."""
        return view.previous if view.is_running else view.exited

    def _pull_delay(self, pod: Object, view: ContainerView) -> float:
        """Seconds until an image that was not there is looked for again."""
        now = self._services.clock.monotonic()
        left = self._pull_at.get(view.name, 0.0) - now
        known = self.waiting.get(view.name)
        if left <= 0 or known is None:
            return 0
        if known.reason == "ErrImagePull":
            if now < self._shown_until[view.name]:
                return self._shown_until[view.name] - now
            told = f'Back-off pulling image "{view.spec.get("image", "")}"'
            self._wait(view.name, "ImagePullBackOff", f"{told}: ErrImagePull: {known.message}")
            self._services.tell(pod, "Normal", "BackOff", told, view.name)
            self._services.tell(pod, "Warning", "Failed", "Error: ImagePullBackOff", view.name)
        return left

    def _image_failed(self, pod: Object, view: ContainerView, failure: ImageFailure) -> float:
        image = view.spec.get("image", "")
        if failure.reason == "InvalidImageName":
            told = f'Failed to apply default image tag "{image}": {failure}'
            return self._no_image(pod, view, Waiting(failure.reason, told), "InspectFailed", told)
        if view.spec.get("imagePullPolicy") == "Never":
            told = f'Container image "{image}" is not present with pull policy of Never'
            reason = "ErrImageNeverPull"
            return self._no_image(pod, view, Waiting(reason, f"{told}: {failure}"), reason, told)
        return self._pull_failed(pod, view, failure)

    def _no_image(self, pod: Object, view: ContainerView, why: Waiting, reason: str, told: str) -> float:
        """There is no image and no try to get one would help."""
        if self._wait(view.name, why.reason, why.message):
            self._services.tell(pod, "Warning", reason, told, view.name)
            self._services.tell(pod, "Warning", "Failed", f"Error: {why.reason}", view.name)
        return RETRY_SECONDS

    def _pull_failed(self, pod: Object, view: ContainerView, failure: ImageFailure) -> float:
        delay = self._pulls.next_delay(view.name)
        now = self._services.clock.monotonic()
        self._pull_at[view.name] = now + delay
        self._shown_until[view.name] = now + min(SHOWN_SECONDS, delay)
        self._wait(view.name, failure.reason, str(failure))
        image = view.spec.get("image", "")
        self._services.tell(pod, "Warning", "Failed", f'Failed to pull image "{image}": {failure}', view.name)
        self._services.tell(pod, "Warning", "Failed", f"Error: {failure.reason}", view.name)
        return min(SHOWN_SECONDS, delay)

    # --- starting ---

    async def _start(self, pod: Object, view: ContainerView, sandbox: Sandbox) -> None:
        spec, runtime = view.spec, self._services.runtime
        image = spec.get("image", "")
        await runtime.resolve_image(image, spec.get("command") or ())
        self._pulls.forget(view.name)
        present = f'Container image "{image}" already present on machine and can be accessed by the pod'
        self._services.tell(pod, "Normal", "Pulled", present, view.name)
        attempts = attempts_of(view.name, runtime.containers(uid_of(pod)))
        attempt = attempts[0].attempt + 1 if attempts else 0
        config = await container_config(self._services, pod, spec, attempt, sandbox, await self._volumes(pod))
        for old in attempts[1:]:
            await runtime.remove_container(old.id)
        self.restarted(view)
        # In one piece: a program that was started is always known to have been.
        container = await uninterrupted(self._run(pod, sandbox, config))
        await self._run_hook(pod, view, container, sandbox)

    async def _run(self, pod: Object, sandbox: Sandbox, config: ContainerConfig) -> Container:
        created = await self._services.runtime.create_container(sandbox.id, config)
        self._services.tell(pod, "Normal", "Created", "Container created", config.name)
        started = await self._services.runtime.start_container(created.id)
        self._services.tell(pod, "Normal", "Started", "Container started", config.name)
        return started

    async def _run_hook(
        self, pod: Object, view: ContainerView, container: Container, sandbox: Sandbox
    ) -> None:
        """Raises HookFailure, once the container is killed."""
        hook: Mapping[str, Any] | None = (view.spec.get("lifecycle") or {}).get("postStart")
        if not hook:
            return
        target = Target(container.id, sandbox.ip, named_ports(view.spec))
        try:
            outcome = await self._services.actions.run_hook(hook, target, None)
        except ProbeError as error:
            outcome = Outcome(False, str(error))
        if outcome.success:
            return
        # No more than that: a hook's output may hold secrets, and events are widely read.
        self._services.tell(pod, "Warning", "FailedPostStartHook", "PostStartHook failed", view.name)
        grace = float(pod["spec"].get("terminationGracePeriodSeconds") or 0)
        await self._stopper.stop_one(
            pod, view.with_current(container), sandbox.ip, grace, "FailedPostStartHook"
        )
        raise HookFailure(_hook_text(hook, view.name, pod, outcome))


def _hook_text(hook: Mapping[str, Any], name: str, pod: Object, outcome: Outcome) -> str:
    kind = "Exec" if "exec" in hook else "HTTP"
    command = f" ([{' '.join(hook['exec'].get('command') or ())}])" if kind == "Exec" else ""
    return (
        f'{kind} lifecycle hook{command} for Container "{name}" in Pod "{format_pod(pod)}" failed: '
        f"{outcome.output}"
    )
