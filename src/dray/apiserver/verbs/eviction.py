"""pods/eviction: a deletion that a PodDisruptionBudget may refuse for now."""

from typing import Final

from dray.api import errors
from dray.api.meta import Object, format_time, is_deleting, labels_of, name_of
from dray.api.resources import POD_DISRUPTION_BUDGETS
from dray.api.selectors import SelectorError, selects
from dray.apiserver.access import ADMIN
from dray.apiserver.call import Call, WriteOptions
from dray.apiserver.options import delete_options
from dray.apiserver.structure import TypeName, clone
from dray.apiserver.verbs.delete import delete
from dray.apiserver.verbs.posting import check_name, created
from dray.apiserver.verbs.update import amend
from dray.apiserver.verbs.writing import not_found

EVICTION: Final = TypeName("policy/v1", "Eviction")
REFUSED: Final = "Cannot evict pod as it would violate the pod's disruption budget."
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
    if not _is_free(record.obj):
        await _spend(call, record.obj)
    await delete(call, options, is_admitted=True)
    return created()


def _is_free(pod: Object) -> bool:
    """Whether no budget can mind: the pod does not run, or is going anyway."""
    phase = (pod.get("status") or {}).get("phase")
    return phase in ("Succeeded", "Failed", "Pending") or is_deleting(pod)


async def _spend(call: Call, pod: Object) -> None:
    """Take one disruption from the pod's budget. Raises TooManyRequests, or a 500 for a pod with two budgets."""
    budgets = _budgets_of(call, pod)
    if len(budgets) > 1:
        raise errors.StatusError(_SEVERAL)
    if not budgets:
        return
    kind = call.core.kind_of(POD_DISRUPTION_BUDGETS)
    version = POD_DISRUPTION_BUDGETS.version
    budget_call = Call(
        call.core, ADMIN, "update", kind, version, call.namespace, name_of(budgets[0]), "status", call.options
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
