"""How strategies, policies and templates of workloads look when a message shows one."""

from typing import Any, Final

from dray.api.meta import Object
from dray.api.validation.internal_form import InternalForms
from dray.api.validation.pod.internal import internal_pod_spec

FORMS: Final = InternalForms(
    """
DeploymentStrategy:
  Type type string
  RollingUpdate rollingUpdate *RollingUpdate
DaemonSetUpdateStrategy:
  Type type string
  RollingUpdate rollingUpdate *RollingUpdate
RollingUpdate:
  MaxUnavailable maxUnavailable int
  MaxSurge maxSurge int
StatefulSetUpdateStrategy:
  Type type string
  RollingUpdate rollingUpdate *RollingUpdateStatefulSet
RollingUpdateStatefulSet:
  Partition partition int
  MaxUnavailable maxUnavailable any
PodFailurePolicy:
  Rules rules []PodFailurePolicyRule
PodFailurePolicyRule:
  Action action string
  OnExitCodes onExitCodes *OnExitCodes
  OnPodConditions onPodConditions []OnPodConditions
OnExitCodes:
  ContainerName containerName any
  Operator operator string
  Values values []any
OnPodConditions:
  Type type string
  Status status string
SuccessPolicy:
  Rules rules []SuccessPolicyRule
SuccessPolicyRule:
  SucceededIndexes succeededIndexes any
  SucceededCount succeededCount any
PodDisruptionBudgetSpec:
  MinAvailable minAvailable any
  Selector selector meta
  MaxUnavailable maxUnavailable any
  UnhealthyPodEvictionPolicy unhealthyPodEvictionPolicy any
UncountedTerminatedPods:
  Succeeded succeeded []any
  Failed failed []any
"""
)

_METADATA: Final = InternalForms("Template:\n  ObjectMeta metadata inline\n")


def internal_template(template: Object) -> Any:
    """A pod template: its metadata as in JSON, and its spec in its internal form."""
    return {**_METADATA.show("Template", template), "Spec": internal_pod_spec(template.get("spec") or {})}
