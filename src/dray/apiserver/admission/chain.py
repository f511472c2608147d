"""The admission plugins in force, each asked only about the resources it cares for."""

from collections.abc import Mapping, Sequence

from dray.apiserver.access import Admission, AdmissionRequest
from dray.apiserver.admission.certificates import CertificateRequests
from dray.apiserver.admission.escalation import EscalationCheck
from dray.apiserver.admission.limits import LimitRanges
from dray.apiserver.admission.mountable_secrets import MountableSecrets
from dray.apiserver.admission.nodes import NodeRestriction, NodeTaint
from dray.apiserver.admission.pod_groups import PodGroupRules
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

    def __init__(self, plugins: _Plugins) -> None:
        self._plugins = plugins
        self._always = tuple(plugins.get("*", ()))

    def _of(self, request: AdmissionRequest) -> Sequence[Admission]:
        return (*self._plugins.get(request.call.kind.resource.plural, ()), *self._always)

    async def mutate(self, request: AdmissionRequest) -> None:
        """Once, and once more when a webhook has changed the object."""
        plugins = self._of(request)
        for plugin in plugins:
            await plugin.mutate(request)
        rounds = request.reinvocation
        if rounds is None or not rounds.wanted:
            return
        rounds.running = True
        for plugin in plugins:
            await plugin.mutate(request)

    async def validate(self, request: AdmissionRequest) -> None:
        for plugin in self._of(request):
            await plugin.validate(request)


def default_admission(rbac: Rbac, *extra: Admission) -> AdmissionChain:
    """What a cluster runs with; `extra` plugins see every write, after those of single resources.

    What users have configured comes late: policies and webhooks see what all others made of the object. Only quotas
    come after them, which are charged for what nobody refuses.
    """
    restriction, escalation, security = NodeRestriction(), EscalationCheck(rbac), PodSecurity()
    limits, protection = LimitRanges(), _OnlyMain(InUseProtection())
    client = WebhookClient()
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
        }
    )


class _OnlyMain:
    """Keeps a plugin away from subresources."""

    def __init__(self, plugin: Admission) -> None:
        self._plugin = plugin

    async def mutate(self, request: AdmissionRequest) -> None:
        if not request.call.subresource:
            await self._plugin.mutate(request)

    async def validate(self, request: AdmissionRequest) -> None:
        if not request.call.subresource:
            await self._plugin.validate(request)
