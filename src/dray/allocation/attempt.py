"""One try to allocate a list of claims: on a node, or on the first of many that works."""

from collections.abc import Callable, Iterator, Sequence

from dray.allocation.bounds import is_hopeless
from dray.allocation.explanation import explain
from dray.allocation.model import Allocated, InvalidInput, Unsatisfiable
from dray.allocation.nodes import NodeOrder, NodeTable
from dray.allocation.problem import Problem, Setting, pose
from dray.allocation.prospects import Prospects, Refusals, hopeless, wants_of
from dray.allocation.requests import ClaimPlan, Want
from dray.allocation.result import build_results
from dray.allocation.solving import Verdict, solve
from dray.api.meta import Object, name_of


class Cluster:
    """What the attempts of one index share beyond the setting: nodes by number, and what is known of them."""

    __slots__ = ("prospects", "setting", "table")

    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        self.table = NodeTable()
        self.prospects = Prospects(setting)

    def order(self, nodes: Sequence[Object]) -> NodeOrder:
        """See `DeviceIndex.order`."""
        generation = self.table.generation
        numbers, changed = self.table.register(nodes)
        if self.table.generation != generation:
            self.prospects.forget()
        for number in changed:
            self.prospects.changed(number, helps=True)
        return NodeOrder(nodes, numbers, self.table.generation)

    def number(self, node: Object) -> int:
        """The number of a node; notices when its labels changed."""
        number, changed = self.table.see(node)
        if changed:
            self.prospects.changed(number, helps=True)
        return number


class Attempt:
    """Claims that were read and can be asked about node by node. Lives as long as its classes stay as they are."""

    __slots__ = ("_cluster", "_open_ended", "_plans", "_wants", "claims")

    def __init__(self, cluster: Cluster, claims: Sequence[Object], plans: Sequence[ClaimPlan]) -> None:
        self.claims = claims
        self._cluster = cluster
        self._plans = tuple(plans)
        self._open_ended = any(plan.open_ended for plan in plans)
        self._wants: Sequence[Want] | None = None

    def on_node(
        self,
        node: Object,
        *,
        should_stop: Callable[[], bool] | None = None,
        max_steps: int | None = None,
    ) -> Allocated | Unsatisfiable:
        """Find devices for all claims on one node: the first solution in upstream's order.

        `should_stop` is asked before the first device is tried and every few dozen devices after; `max_steps` bounds
        the devices tried.

        Raises: InvalidInput (see `only_this_node` there); SearchAborted when stopped or out of steps.
        """
        number = self._cluster.number(node)
        refusals = self._cluster.prospects.refusals(self._plans)
        if refusals.current() >> number & 1 and not self._is_disturbed():
            return Unsatisfiable(name_of(node), 0, lambda: explain(self._pose(node)))
        return self._answer(number, node, refusals, should_stop, max_steps)

    def _answer(
        self,
        number: int,
        node: Object,
        refusals: Refusals,
        should_stop: Callable[[], bool] | None,
        max_steps: int | None,
    ) -> Allocated | Unsatisfiable:
        """Search on a node that nothing is known about."""
        problem, verdict = self._solve(node, should_stop, max_steps)
        if verdict.picked is None:
            refusal = Unsatisfiable(name_of(node), verdict.steps, lambda: explain(problem))
            if any(pool.invalid for pool in problem.pools):
                raise InvalidInput("invalid resource pools were encountered", unsatisfiable=refusal)
            refusals.add(number)
            return refusal
        return Allocated(build_results(problem, verdict.picked), name_of(node), verdict.steps)

    def _solve(
        self, node: Object, should_stop: Callable[[], bool] | None, max_steps: int | None
    ) -> tuple[Problem, Verdict]:
        steps = 0
        while True:
            problem = self._pose(node)
            if is_hopeless(problem.questions):
                return problem, Verdict(None, steps, learned=False)
            verdict = solve(problem, should_stop, max_steps, steps=steps)
            if not verdict.learned:
                return problem, verdict
            steps = verdict.steps

    def _pose(self, node: Object) -> Problem:
        setting = self._cluster.setting
        view = setting.inventory.view(node)
        problem = Problem(setting, view, setting.inventory.pools_of(view), node)
        pose(problem, self.claims, self._plans)
        return problem

    def candidate_nodes(self, nodes: Sequence[Object] | NodeOrder, start: int = 0) -> Iterator[Object]:
        """The nodes that are not known to be hopeless, in the given order from place `start` on and round to it.

        Every node that would allocate, and every node whose attempt ends in an error, is among them. What `on_node`
        refuses meanwhile is remembered, for this and later attempts with equal claims, until something changes there.
        Give a `NodeOrder` (`DeviceIndex.order`) where the same nodes are asked about again and again.

        Raises: InvalidInput where a node selector of a slice cannot be read.
        """
        for _, node in self._candidates(nodes, start):
            yield node

    def _candidates(self, nodes: Sequence[Object] | NodeOrder, start: int) -> Iterator[tuple[int, Object]]:
        order = self._cluster.order(nodes) if not isinstance(nodes, NodeOrder) else nodes
        if order.generation != self._cluster.table.generation:
            order = self._cluster.order(order.nodes)
        prospects = self._cluster.prospects
        wants = self._wants
        if wants is None:
            wants = self._wants = wants_of(self._plans)
        needs = [(want, prospects.headroom(want.kind)) for want in wants]
        wanted = ~hopeless(needs)
        if not self._is_disturbed():
            wanted &= ~prospects.refusals(self._plans).current()
        for number, node in order.among(wanted & order.mask, start):
            if prospects.has_room(number, node, needs):
                yield number, node

    def _is_disturbed(self) -> bool:
        """Whether a pool on one node may end the attempt with an error on another."""
        return self._open_ended and bool(self._cluster.setting.inventory.broken())

    def find_node(
        self,
        nodes: Sequence[Object] | NodeOrder,
        *,
        start: int = 0,
        should_stop: Callable[[], bool] | None = None,
        max_steps: int | None = None,
    ) -> Allocated | None:
        """The allocation on the first node, in the given order, that has room for all claims; None where none has.

        `max_steps` is per node. Raises as `on_node`, but for errors that concern a single node: those are passed over.
        """
        refusals = self._cluster.prospects.refusals(self._plans)
        for number, node in self._candidates(nodes, start):
            try:
                outcome = self._answer(number, node, refusals, should_stop, max_steps)
            except InvalidInput as error:
                if not error.only_this_node:
                    raise
                continue
            if isinstance(outcome, Allocated):
                return outcome
        return None
