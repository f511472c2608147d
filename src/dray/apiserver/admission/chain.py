"""The admission plugins in force, each asked only about the resources it cares for."""

import time
from collections.abc import Mapping, Sequence

from dray.apiserver.access import Admission, AdmissionRequest
from dray.apiserver.admission.certificates import CertificateRequests
from dray.apiserver.admission.escalation import EscalationCheck
from dray.apiserver.admission.limits import LimitRanges
from dray.apiserver.admission.metrics import AdmissionMetrics, Phase, measured_name
from dray.apiserver.admission.mountable_secrets import MountableSecrets
from dray.apiserver.admission.nodes import NodeRestriction, NodeTaint
from dray.apiserver.admission.pod_groups import GangJobs, PodGroupRules
from dray.apiserver.admission.pod_resize import PodResize
from dray.apiserver.admission.pod_security import PodSecurity
from dray.apiserver.admission.pods import PodDefaults, ServiceAccounts
from dray.apiserver.admission.policies.plugin import PolicyAdmission
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


class AdmissionChain:
    """Plugins by plural of the resource; those under "*" see every write."""

    def __init__(self, plugins: _Plugins, metrics: AdmissionMetrics | None = None) -> None:
        self._plugins = plugins
        self._always = tuple(plugins.get("*", ()))
        self._metrics = metrics

    def _of(self, request: AdmissionRequest) -> Sequence[Admission]:
        return (*self._plugins.get(request.call.kind.resource.plural, ()), *self._always)

    async def mutate(self, request: AdmissionRequest) -> None:
        """Once, and once more when a webhook has changed the object."""
        plugins = self._of(request)
        await self._run(plugins, request, "admit")
        rounds = request.reinvocation
        if rounds is None or not rounds.wanted:
            return
        rounds.running = True
        await self._run(plugins, request, "admit")

    async def validate(self, request: AdmissionRequest) -> None:
        await self._run(self._of(request), request, "validate")

    async def _run(self, plugins: Sequence[Admission], request: AdmissionRequest, phase: Phase) -> None:
        if self._metrics is None:
            for plugin in plugins:
                await _ask(plugin, request, phase)
            return
        begin, rejected = time.perf_counter(), True
        try:
            for plugin in plugins:
                await self._measure(self._metrics, plugin, request, phase)
            rejected = False
        finally:
            seconds = time.perf_counter() - begin
            self._metrics.took("", request.operation, phase, seconds, rejected=rejected)

    async def _measure(
        self, metrics: AdmissionMetrics, plugin: Admission, request: AdmissionRequest, phase: Phase
    ) -> None:
        if isinstance(plugin, _OnlyMain):
            if request.call.subresource:
                return
            plugin = plugin.plugin
        name = measured_name(plugin, phase)
        if not name:
            await _ask(plugin, request, phase)
            return
        begin, rejected = time.perf_counter(), True
        try:
            await _ask(plugin, request, phase)
            rejected = False
        finally:
            metrics.took(name, request.operation, phase, time.perf_counter() - begin, rejected=rejected)


async def _ask(plugin: Admission, request: AdmissionRequest, phase: Phase) -> None:
    if phase == "admit":
        await plugin.mutate(request)
    else:
        await plugin.validate(request)


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
    configured = (MutatingWebhooks(client), PolicyAdmission(), ValidatingWebhooks(client))
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
            "jobs": (_OnlyMain(GangJobs()),),
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
    """Keeps a plugin away from subresources."""

    def __init__(self, plugin: Admission) -> None:
        self.plugin = plugin

    async def mutate(self, request: AdmissionRequest) -> None:
        if not request.call.subresource:
            await self.plugin.mutate(request)

    async def validate(self, request: AdmissionRequest) -> None:
        if not request.call.subresource:
            await self.plugin.validate(request)
