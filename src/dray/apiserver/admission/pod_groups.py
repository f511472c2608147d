"""PodGroups: kept while pods belong to them, made only from templates that exist, and as urgent as their class says.

Sources: kubernetes plugin/pkg/admission/{scheduling/podgroupprotection,podgroup,priority}, 1.36.
"""

from typing import Final

from dray.api import errors
from dray.api.meta import Object, finalizers_of, is_deleting
from dray.api.pod_groups import PROTECTION_FINALIZER
from dray.api.resources import POD_GROUPS, WORKLOADS
from dray.apiserver.access import AdmissionRequest
from dray.apiserver.admission.priority_classes import priority_of
from dray.apiserver.admission.refusals import display_name

_PREEMPTION: Final = "WorkloadAwarePreemption"


class PodGroupRules:
    """For writes to groups themselves, not to their status."""

    async def mutate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden."""
        group = request.object
        if group is None or request.operation != "CREATE":
            return
        if PROTECTION_FINALIZER not in finalizers_of(group):
            group["metadata"]["finalizers"] = [*finalizers_of(group), PROTECTION_FINALIZER]
        if request.call.features.enabled(_PREEMPTION):
            _set_priority(request, group)

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden for a group of a template that is not there."""
        group = request.object
        if group is None or request.operation != "CREATE":
            return
        workload = (group["spec"].get("podGroupTemplateRef") or {}).get("workload")
        if workload is not None:
            _check_template(request, group, workload)


def _set_priority(request: AdmissionRequest, group: Object) -> None:
    spec = group.setdefault("spec", {})
    name, value, _ = priority_of(request, spec.get("priorityClassName") or "", group)
    given = spec.get("priority")
    if given is not None and given != value:
        raise _refused(
            group,
            f"priority set in the pod group ({given}) must match the priority computed ({value}) "
            "based on the priority class set in the spec",
        )
    spec["priority"] = value
    if name:
        spec["priorityClassName"] = name


def _check_template(request: AdmissionRequest, group: Object, reference: Object) -> None:
    name, template = reference.get("workloadName") or "", reference.get("podGroupTemplateName") or ""
    workload = request.call.find(WORKLOADS, name, request.call.namespace)
    if workload is None:
        raise _refused(group, f'PodGroup rejected: Workload "{name}" not found')
    if is_deleting(workload):
        raise _refused(group, f'PodGroup rejected: Workload "{name}" is being deleted')
    templates = (workload.get("spec") or {}).get("podGroupTemplates") or ()
    if not any(each.get("name") == template for each in templates):
        raise _refused(
            group, f'PodGroup rejected: PodGroupTemplate "{template}" not found in Workload "{name}"'
        )


def _refused(group: Object, why: str) -> errors.Forbidden:
    return errors.forbidden(POD_GROUPS.group, POD_GROUPS.plural, display_name(group), why)
