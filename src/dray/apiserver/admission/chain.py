"""The admission plugins in force, each asked only about the resources it cares for."""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import NamedTuple

from dray.apiserver.admission.certificates import CertificateRequests
from dray.apiserver.admission.escalation import EscalationCheck
from dray.apiserver.admission.limits import LimitRanges
from dray.apiserver.admission.metrics import AdmissionMetrics, Phase, does_anything, measured_name
from dray.apiserver.admission.mountable_secrets import MountableSecrets
from dray.apiserver.admission.nodes import NodeRestriction, NodeTaint
from dray.apiserver.admission.pod_groups import GangJobs, PodGroupRules
from dray.apiserver.admission.pod_resize import PodResize
from dray.apiserver.admission.pod_security import PodSecurity
from dray.apiserver.admission.pods import PodDefaults, ServiceAccounts
from dray.apiserver.admission.policies.plugin import PolicyAdmission, PolicyMutation
from dray.apiserver.admission.priority_classes import OneDefaultPriority
from dray.apiserver.admission.quotas import QuotaAdmission
from dray.apiserver.admission.runtime_classes import RuntimeClassRules
from dray.apiserver.admission.slice_nodes import SliceNodes
from dray.apiserver.admission.storage import ClaimClasses, IngressClasses, InUseProtection
from dray.apiserver.admission.topology import TopologyLabels
from dray.apiserver.admission.webhooks.client import WebhookClient
from dray.apiserver.admission.webhooks.mutating import MutatingWebhooks
from dray.apiserver.admission.webhooks.validating import ValidatingWebhooks
from dray.apiserver.authorization.rbac import Rbac
from dray.apiserver.core import Admission, AdmissionRequest

_Plugins = Mapping[str, Sequence[Admission]]


_TEMPLATED = (
    "replicationcontrollers",
    "podtemplates",
    "replicasets",
    "deployments",
    "statefulsets",
    "daemonsets",
    "jobs",
    "cronjobs",
)
"""What makes pods of a template."""


class _Step(NamedTuple):
    """What one plugin does in one phase."""

    run: Callable[[AdmissionRequest], Awaitable[None]]
    name: str
    """As what it is measured; "" for not at all."""
    only_main: bool


class AdmissionChain:
    """Plugins by plural of the resource; those under "*" see every write."""

    def __init__(self, plugins: _Plugins, metrics: AdmissionMetrics | None = None) -> None:
        self._plugins = plugins
        self._metrics = metrics
        self._steps: dict[tuple[str, Phase], tuple[_Step, ...]] = {}
        """Found once for each resource; plugins that do nothing in a phase are not asked in it."""

    @property
    def plugins(self) -> list[Admission]:
        """All of them, as they are themselves."""
        return [plugin for plural in self._plugins for plugin in self.plugins_of(plural)]

    def plugins_of(self, plural: str) -> list[Admission]:
        """Those of one resource; of "*" those that see all."""
        every = self._plugins.get(plural, ())
        return [each.plugin if isinstance(each, _OnlyMain) else each for each in every]

    async def mutate(self, request: AdmissionRequest) -> None:
        """Once, and once more when a policy or webhook has changed the object."""
        await self._run(request, "admit")
        if request.reinvocation.wanted:
            request.reinvocation.running = True
            await self._run(request, "admit")

    async def validate(self, request: AdmissionRequest) -> None:
        await self._run(request, "validate")

    async def _run(self, request: AdmissionRequest, phase: Phase) -> None:
        metrics, has_subresource = self._metrics, bool(request.call.subresource)
        begin, rejected = time.perf_counter(), True
        try:
            for step in self._steps_of(request.call.kind.resource.plural, phase):
                if step.only_main and has_subresource:
                    continue
                if metrics is None or not step.name:
                    await step.run(request)
                else:
                    await _measured(metrics, step, request, phase)
            rejected = False
        finally:
            if metrics is not None:
                metrics.took("", request.operation, phase, time.perf_counter() - begin, rejected=rejected)

    def _steps_of(self, plural: str, phase: Phase) -> tuple[_Step, ...]:
        # Of resources without plugins of their own there may be any number.
        own = plural if plural in self._plugins else ""
        steps = self._steps.get((own, phase))
        if steps is None:
            plugins = (*self._plugins.get(own, ()), *self._plugins.get("*", ()))
            found = (_step(plugin, phase) for plugin in plugins)
            steps = self._steps[own, phase] = tuple(step for step in found if step is not None)
        return steps


def _step(plugin: Admission, phase: Phase) -> _Step | None:
    only_main = isinstance(plugin, _OnlyMain)
    if isinstance(plugin, _OnlyMain):
        plugin = plugin.plugin
    if not does_anything(plugin, phase):
        return None
    run = plugin.mutate if phase == "admit" else plugin.validate
    return _Step(run, measured_name(plugin), only_main)


async def _measured(metrics: AdmissionMetrics, step: _Step, request: AdmissionRequest, phase: Phase) -> None:
    begin, rejected = time.perf_counter(), True
    try:
        await step.run(request)
        rejected = False
    finally:
        metrics.took(step.name, request.operation, phase, time.perf_counter() - begin, rejected=rejected)


def default_admission(
    rbac: Rbac, *extra: Admission, metrics: AdmissionMetrics | None = None
) -> AdmissionChain:
    """What a cluster runs with; `extra` plugins see every write, after those of single resources.

    What users have configured comes late: policies and webhooks see what all others made of the object. Only quotas
    come after them, which are charged for what nobody refuses.
    """
    restriction, escalation, security = NodeRestriction(), EscalationCheck(rbac), PodSecurity()
    limits, protection = LimitRanges(), _OnlyMain(InUseProtection())
    client = WebhookClient(metrics)
    configured = (
        PolicyMutation(),
        MutatingWebhooks(client),
        PolicyAdmission(),
        ValidatingWebhooks(client),
    )
    return AdmissionChain(
        {
            "pods": (
                limits,
                _OnlyMain(ServiceAccounts()),
                MountableSecrets(),
                restriction,
                _OnlyMain(PodDefaults()),
                _OnlyMain(RuntimeClassRules()),
                TopologyLabels(),
                security,
                PodResize(),
            ),
            "namespaces": (security,),
            **dict.fromkeys(_TEMPLATED, (security,)),
            "podgroups": (_OnlyMain(PodGroupRules()),),
            "jobs": (security, _OnlyMain(GangJobs())),
            "priorityclasses": (OneDefaultPriority(),),
            "nodes": (NodeTaint(), restriction),
            "resourceslices": (restriction, SliceNodes()),
            "serviceaccounts": (restriction,),
            "leases": (restriction,),
            "csinodes": (restriction,),
            "persistentvolumeclaims": (restriction, limits, _OnlyMain(ClaimClasses()), protection),
            "persistentvolumes": (protection,),
            "volumeattributesclasses": (protection,),
            "ingresses": (_OnlyMain(IngressClasses()),),
            "roles": (escalation,),
            "clusterroles": (escalation,),
            "rolebindings": (escalation,),
            "clusterrolebindings": (escalation,),
            "certificatesigningrequests": (restriction, CertificateRequests(rbac)),
            "*": (*extra, *configured, QuotaAdmission()),
        },
        metrics,
    )


class _OnlyMain:
    """Marks a plugin that is kept away from subresources."""

    def __init__(self, plugin: Admission) -> None:
        self.plugin = plugin

    async def mutate(self, request: AdmissionRequest) -> None:
        await self.plugin.mutate(request)

    async def validate(self, request: AdmissionRequest) -> None:
        await self.plugin.validate(request)
