"""pods/eviction: a deletion that a PodDisruptionBudget may refuse for now."""

import dataclasses
from typing import Final

from dray.api import errors
from dray.api.meta import Object, clone, format_time, is_deleting, labels_of, name_of
from dray.api.pods import is_ready
from dray.api.resources import POD_DISRUPTION_BUDGETS
from dray.api.selectors import SelectorError, selects
from dray.apiserver.access import ADMIN
from dray.apiserver.core import Call, WriteOptions
from dray.apiserver.options import DeleteOptions, delete_options
from dray.apiserver.type_name import TypeName
from dray.apiserver.verbs.delete import check_preconditions, delete
from dray.apiserver.verbs.posting import check_name, created
from dray.apiserver.verbs.update import amend
from dray.apiserver.verbs.writing import not_found

EVICTION: Final = TypeName("policy/v1", "Eviction")
REFUSED: Final = "Cannot evict pod as it would violate the pod's disruption budget."
TARGET: Final = {
    "type": "DisruptionTarget",
    "status": "True",
    "lastProbeTime": None,
    "lastTransitionTime": None,
    "reason": "EvictionByEvictionAPI",
    "message": "Eviction API: evicting",
}
_SEVERAL: Final = (
    "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
)


async def evict(call: Call, eviction: Object) -> Object:
    """Delete the pod if its budget allows. Raises NotFound, TooManyRequests, Conflict for a failed precondition."""
    check_name(call, eviction, EVICTION.kind)
    options = delete_options({}, eviction.get("deleteOptions"))
    record = call.record()
    if record is None:
        raise not_found(call)
    if options.dry_run:
        call.options = WriteOptions(dry_run=True)
    budget = None if _is_free(record.obj) else _budget_of(call, record.obj)
    guard = ""
    if budget is not None:
        if _is_unguarded(budget, record.obj):
            guard = name_of(budget)
        else:
            await _spend(call, budget)
    options = await _mark(call, options, _version(record.obj), guard)
    await delete(call, options, is_admitted=True)
    return created()


async def _mark(call: Call, options: DeleteOptions, seen: str, guard: str) -> DeleteOptions:
    """Let the pod say why it goes. `guard`: a budget that lets go of the pod only in the state that was `seen`.

    What is asked of the pod's version then holds of the one that says so. Raises Conflict for a failed precondition,
    TooManyRequests for a pod that may be healthy by now.
    """
    if call.dry_run:
        return options

    def marked(pod: Object) -> Object:
        check_preconditions(call, pod, options)
        if guard and _version(pod) != seen:
            text = f"The disruption budget {guard} is still being processed by the server."
            raise _refused(text, seconds=10)
        new: Object = clone(pod)
        status = new.setdefault("status", {})
        status["conditions"] = _with_target(status.get("conditions") or [], format_time(call.now))
        return new

    record = await amend(call, marked)
    if guard or options.resource_version:
        return dataclasses.replace(options, resource_version=_version(record.obj))
    return options


def _version(obj: Object) -> str:
    return str(obj["metadata"]["resourceVersion"])


def _with_target(conditions: list[Object], now: str) -> list[Object]:
    known = next((each for each in conditions if each["type"] == TARGET["type"]), None)
    since = now if known is None or known.get("status") != "True" else known.get("lastTransitionTime")
    condition = {**TARGET, "lastTransitionTime": since}
    if known is None:
        return [*conditions, condition]
    return [condition if each is known else each for each in conditions]


def _is_free(pod: Object) -> bool:
    """Whether no budget can mind: the pod does not run, or is going anyway."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or is_deleting(pod)


def _budget_of(call: Call, pod: Object) -> Object | None:
    """Raises a 500 for a pod with two budgets."""
    budgets = _budgets_of(call, pod)
    if len(budgets) > 1:
        raise errors.StatusError(_SEVERAL)
    return budgets[0] if budgets else None


def _is_unguarded(budget: Object, pod: Object) -> bool:
    """Whether nothing is lost by the pod, which is not healthy and so does not count."""
    if is_ready(pod):
        return False
    if budget["spec"].get("unhealthyPodEvictionPolicy") == "AlwaysAllow":
        return True
    status = budget.get("status") or {}
    needed, healthy = int(status.get("desiredHealthy") or 0), int(status.get("currentHealthy") or 0)
    return healthy >= needed > 0


async def _spend(call: Call, budget: Object) -> None:
    """Take one disruption from the budget. Raises TooManyRequests."""
    kind = call.core.kind_of(POD_DISRUPTION_BUDGETS)
    version = POD_DISRUPTION_BUDGETS.version
    budget_call = Call(
        call.core, ADMIN, "update", kind, version, call.namespace, name_of(budget), "status", call.options
    )

    def spent(budget: Object) -> Object:
        _check(budget)
        new: Object = clone(budget)
        status = new["status"]
        status["disruptionsAllowed"] -= 1
        status["disruptedPods"] = {**(status.get("disruptedPods") or {}), call.name: format_time(call.now)}
        return new

    await amend(budget_call, spent)


def _budgets_of(call: Call, pod: Object) -> list[Object]:
    page = call.core.store.page(POD_DISRUPTION_BUDGETS.qualified, f"{call.namespace}/")
    found = []
    for record in page.records:
        try:
            if selects(record.obj["spec"].get("selector"), labels_of(pod)):
                found.append(record.obj)
        except SelectorError:
            continue  # a budget that cannot select protects nothing
    return found


def _check(budget: Object) -> None:
    status, name = budget.get("status") or {}, name_of(budget)
    generation = int(budget["metadata"].get("generation") or 0)
    if int(status.get("observedGeneration") or 0) < generation:
        raise _refused(f"The disruption budget {name} is still being processed by the server.", seconds=10)
    if int(status.get("disruptionsAllowed") or 0) > 0:
        return
    needed, healthy = int(status.get("desiredHealthy") or 0), int(status.get("currentHealthy") or 0)
    raise _refused(f"The disruption budget {name} needs {needed} healthy pods and has {healthy} currently")


def _refused(why: str, seconds: int = 0) -> errors.TooManyRequests:
    causes = [{"reason": "DisruptionBudget", "message": why}]
    return errors.TooManyRequests(REFUSED, details={"causes": causes}, retry_after_seconds=seconds)
