"""PodGroups and Workloads from one release's form to another's: v1alpha2 of 1.36, v1beta1 of 1.37.

Nothing serves both, so this is for what a server of the other release stored. What a form has no place for is left out:
who set which field, since that names fields, and what becomes of groups of groups.
"""

from typing import Any

from dray.api.meta import Object
from dray.api.pod_groups import INITIALLY_SCHEDULED_CONDITION, SCHEDULED_CONDITION
from dray.api.resources import POD_GROUPS_BETA

_NEW_CONDITION = {SCHEDULED_CONDITION: INITIALLY_SCHEDULED_CONDITION}
_OLD_CONDITION = {new: old for old, new in _NEW_CONDITION.items()}
_ONLY_BETA = ("workloadRef", "parentCompositePodGroupName", "preemptionPolicy")


def converted(obj: Object, api_version: str) -> Object:
    """A PodGroup or a Workload of the other form in that of `api_version`, new wherever it differs."""
    is_beta = api_version == POD_GROUPS_BETA.api_version
    meta = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    spec = _common(obj.get("spec") or {}, is_beta=is_beta)
    if (templates := spec.get("podGroupTemplates")) is not None:
        spec["podGroupTemplates"] = [_common(template, is_beta=is_beta) for template in templates]
    shown = {**obj, "apiVersion": api_version, "metadata": meta, "spec": spec}
    if (conditions := (obj.get("status") or {}).get("conditions")) is not None:
        names = _NEW_CONDITION if is_beta else _OLD_CONDITION
        told = [{**each, "type": names.get(each["type"], each["type"])} for each in conditions]
        shown["status"] = {**obj["status"], "conditions": told}
    return shown


def _common(spec: Object, *, is_beta: bool) -> Object:
    """The spec of a group or of a Workload, or a template of one."""
    new = {key: value for key, value in spec.items() if key not in ("podGroupTemplateRef", *_ONLY_BETA)}
    if spec.get("disruptionMode") is not None:
        new["disruptionMode"] = _mode(spec["disruptionMode"], is_beta=is_beta)
    before, after = (spec.get("podGroupTemplateRef") or {}).get("workload"), spec.get("workloadRef")
    if is_beta and before is not None:
        new["workloadRef"] = _renamed(before, "podGroupTemplateName", "templateName")
    elif not is_beta and after is not None:
        new["podGroupTemplateRef"] = {"workload": _renamed(after, "templateName", "podGroupTemplateName")}
    return new


def _mode(mode: Any, *, is_beta: bool) -> Any:
    if is_beta:
        return {"all": {}} if mode == "PodGroup" else {"single": {}}
    return "PodGroup" if mode.get("all") is not None else "Pod"


def _renamed(reference: Object, old: str, new: str) -> Object:
    return {new if key == old else key: value for key, value in reference.items()}
