"""PodGroups: kept while pods belong to them, made only from templates that exist, and as urgent as their class says.

From 1.37 on a group has its priority whatever the features are, and names its template without a step between.
Sources: kubernetes plugin/pkg/admission/{scheduling/podgroupprotection,podgroup,priority,job}, 1.36.
"""

from typing import Final

from dray.api import errors
from dray.api.meta import Object, finalizers_of, is_controlled_by, is_deleting, name_of
from dray.api.pod_groups import PROTECTION_FINALIZER, min_count, pod_groups_in, workloads_in
from dray.api.resources import JOBS, POD_GROUPS
from dray.apiserver.admission.priority_classes import priority_of
from dray.apiserver.admission.refusals import display_name
from dray.apiserver.core import AdmissionRequest, prefix_of

GATE: Final = "GenericWorkload"
_PREEMPTION: Final = "WorkloadAwarePreemption"
_BETA_SINCE: Final = "1.37"


class PodGroupRules:
    """For writes to groups themselves, not to their status."""

    async def mutate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden."""
        group = request.object
        if group is None or request.operation != "CREATE":
            return
        if PROTECTION_FINALIZER not in finalizers_of(group):
            group["metadata"]["finalizers"] = [*finalizers_of(group), PROTECTION_FINALIZER]
        features = request.call.features
        if features.enabled(_PREEMPTION) or features.reaches(_BETA_SINCE):
            _set_priority(request, group)

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden for a group of a template that is not there."""
        group = request.object
        if group is None or request.operation != "CREATE":
            return
        spec = group["spec"]
        before = (spec.get("podGroupTemplateRef") or {}).get("workload")
        if before is not None:
            _check_template(request, group, before, before.get("podGroupTemplateName") or "")
        if (reference := spec.get("workloadRef")) is not None:
            _check_template(request, group, reference, reference.get("templateName") or "")


class GangJobs:
    """The parallelism of a Job whose pods are a gang is settled: the gang's minCount does not follow it."""

    async def mutate(self, request: AdmissionRequest) -> None:
        return None

    async def validate(self, request: AdmissionRequest) -> None:
        """Raises Forbidden."""
        new, old = request.object, request.old
        if new is None or old is None or not request.call.features.enabled(GATE):
            return
        if _parallelism(new) == _parallelism(old):
            return
        group = _gang_of(request, old)
        if group is not None:
            why = (
                f'cannot change parallelism for a Job referencing gang-scheduled PodGroup "{name_of(group)}"'
            )
            raise errors.forbidden(JOBS.group, JOBS.plural, display_name(new), why)


def _parallelism(job: Object) -> int | None:
    parallelism: int | None = (job.get("spec") or {}).get("parallelism")
    return parallelism


def _gang_of(request: AdmissionRequest, job: Object) -> Object | None:
    """The gang that the Job's pods name, else one that belongs to the Job."""
    namespace, groups = request.call.namespace, pod_groups_in(request.call.features)
    template = (job["spec"].get("template") or {}).get("spec") or {}
    name = (template.get("schedulingGroup") or {}).get("podGroupName")
    if name is not None:
        named = request.call.find(groups, name, namespace)
        return named if named is not None and min_count(named) else None
    records = request.call.core.store.page(groups.qualified, prefix_of(groups, namespace)).records
    owned = (record.obj for record in records if is_controlled_by(record.obj, job))
    return next((group for group in owned if min_count(group)), None)


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


def _check_template(request: AdmissionRequest, group: Object, reference: Object, template: str) -> None:
    name = reference.get("workloadName") or ""
    workload = request.call.find(workloads_in(request.call.features), name, request.call.namespace)
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
