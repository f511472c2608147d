"""The resizing of one pod on its node: what it is granted by now, what waits for room, and which containers begin anew."""

import dataclasses
from collections.abc import Callable, Collection, Sequence

from dray.api.meta import Object
from dray.client.events import EventKind
from dray.node.pods.resizing import Grant, conditions, outgrown, summary, why
from dray.node.pods.services import Peers
from dray.node.pods.status import Failure
from dray.node.pods.view import ContainerView

Tell = Callable[[EventKind, str, str], None]


class Resizer:
    def __init__(self, pod: Object, peers: Peers, tell: Tell) -> None:
        self._peers = peers
        self._tell = tell
        self._grant = Grant.told(pod)
        self._refusal: Failure | None = None
        self._generation = 0
        """The one that asked for what was refused or granted last."""
        self._outgrown: dict[str, Object] = {}
        """Containers that end to be resized, by id, and what they have until then."""

    @property
    def waits_for_room(self) -> bool:
        return self._refusal is not None

    @property
    def outgrown(self) -> Collection[str]:
        """Ids of containers that must begin anew."""
        return self._outgrown.keys()

    def granted(self, pod: Object) -> Object:
        """The pod with the resources that the node grants it by now."""
        return self._grant.applied(pod)

    def follow(self, pod: Object, views: Sequence[ContainerView]) -> None:
        """Grant what the pod asks for by now, if there is room."""
        asked, generation = Grant.asked(pod), pod["metadata"].get("generation") or 0
        if asked.is_same(self._grant):
            self._refusal = None
            return
        refusal = self._peers.admission_failure(pod)
        if refusal is not None:
            if self._refusal is None or self._generation != generation:
                text = f"Pod resize {refusal.reason}: {summary(pod, why(refusal))}"
                self._tell("Warning", "ResizeDeferred", text)
            self._refusal, self._generation = refusal, generation
            return
        self._refusal, self._generation = None, generation
        self._outgrown.update(outgrown(views, self._grant, asked))
        self._grant = asked
        self._tell("Normal", "ResizeStarted", f"Pod resize started: {summary(pod)}")
        if not self._outgrown:
            self._complete(pod)

    def seen(self, pod: Object, views: Sequence[ContainerView]) -> list[ContainerView]:
        """The containers with what they still have. Once none that must end runs, the pod has what it was granted."""
        if not self._outgrown:
            return list(views)
        running = {view.current.id for view in views if view.current is not None and view.is_running}
        self._outgrown = {each: held for each, held in self._outgrown.items() if each in running}
        if not self._outgrown:
            self._complete(pod)
        return [self._with_held(view) for view in views]

    def _with_held(self, view: ContainerView) -> ContainerView:
        held = self._outgrown.get(view.current.id) if view.current is not None else None
        return view if held is None else dataclasses.replace(view, held=held)

    def _complete(self, pod: Object) -> None:
        self._tell("Normal", "ResizeCompleted", f"Pod resize completed: {summary(pod)}")

    def conditions(self) -> list[Object]:
        return conditions(self._refusal, self._generation, is_under_way=bool(self._outgrown))
