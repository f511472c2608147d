"""How long admission takes and how often it refuses, under Kubernetes' names.

Source: kubernetes apiserver/pkg/admission/metrics/metrics.go, 1.36.
"""

from collections.abc import Mapping
from typing import Final, Literal

from dray.kits.metrics import Cell, Registry

Phase = Literal["admit", "validate"]

_BUCKETS: Final = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5)
_WEBHOOK_BUCKETS: Final = (*_BUCKETS, 10.0, 25.0)
_BOTH: Final[tuple[Phase, ...]] = ("admit", "validate")
_PLUGINS: Final[Mapping[str, tuple[str, tuple[Phase, ...]]]] = {
    "CertificateRequests": ("CertificateApproval", ("validate",)),
    "ClaimClasses": ("DefaultStorageClass", _BOTH),
    "InUseProtection": ("StorageObjectInUseProtection", ("admit",)),
    "GangJobs": ("JobValidation", ("validate",)),
    "IngressClasses": ("DefaultIngressClass", ("admit",)),
    "LimitRanges": ("LimitRanger", _BOTH),
    "MountableSecrets": ("ServiceAccount", ("validate",)),
    "MutatingWebhooks": ("MutatingAdmissionWebhook", ("admit",)),
    "NodeRestriction": ("NodeRestriction", ("admit",)),
    "NodeTaint": ("TaintNodesByCondition", ("admit",)),
    "OneDefaultPriority": ("Priority", ("validate",)),
    "PodDefaults": ("Priority", ("admit",)),
    "PodResize": ("PodResizeValidator", ("validate",)),
    "PodSecurity": ("PodSecurity", ("validate",)),
    "PolicyMutation": ("MutatingAdmissionPolicy", ("admit",)),
    "PolicyAdmission": ("ValidatingAdmissionPolicy", ("validate",)),
    "QuotaAdmission": ("ResourceQuota", ("validate",)),
    "RuntimeClassRules": ("RuntimeClass", _BOTH),
    "ServiceAccounts": ("ServiceAccount", _BOTH),
    "TopologyLabels": ("PodTopologyLabels", ("admit",)),
    "ValidatingWebhooks": ("ValidatingAdmissionWebhook", ("validate",)),
}
"""By the name of the class here: the plugin of Kubernetes that it stands for, and when it does anything."""


def measured_name(plugin: object) -> str:
    """As what a plugin is measured; "" for not at all."""
    return _PLUGINS.get(type(plugin).__name__, ("", _BOTH))[0]


def does_anything(plugin: object, phase: Phase) -> bool:
    return phase in _PLUGINS.get(type(plugin).__name__, ("", _BOTH))[1]


class AdmissionMetrics:
    def __init__(self, registry: Registry) -> None:
        self._steps = registry.histogram(
            "apiserver_admission_step_admission_duration_seconds",
            "Time that all plugins take for a write, in seconds.",
            ("operation", "rejected", "type"),
            buckets=_BUCKETS,
        )
        self._controllers = registry.histogram(
            "apiserver_admission_controller_admission_duration_seconds",
            "Time that one plugin takes for a write, in seconds.",
            ("name", "operation", "rejected", "type"),
            buckets=_BUCKETS,
        )
        self._webhooks = registry.histogram(
            "apiserver_admission_webhook_admission_duration_seconds",
            "Time that a webhook takes to answer, in seconds.",
            ("name", "operation", "rejected", "type"),
            buckets=_WEBHOOK_BUCKETS,
        )
        self._requests = registry.counter(
            "apiserver_admission_webhook_request_total",
            "Answers of webhooks, by the code that they gave.",
            ("code", "name", "operation", "rejected", "type"),
        )
        self._rejections = registry.counter(
            "apiserver_admission_webhook_rejection_count",
            "Writes refused by a webhook, or because it could not be asked.",
            ("error_type", "name", "operation", "rejection_code", "type"),
        )
        self._opened = registry.counter(
            "apiserver_admission_webhook_fail_open_count",
            "Writes let through although a webhook could not be asked.",
            ("name", "type"),
        )
        self._cells: dict[tuple[str, str, bool, Phase], Cell] = {}

    def took(self, name: str, operation: str, phase: Phase, seconds: float, *, rejected: bool) -> None:
        """`name`: of one plugin; "" for all of them."""
        key = (name, operation, rejected, phase)
        cell = self._cells.get(key)
        if cell is None:
            labels = {"operation": operation, "rejected": _shown(rejected), "type": phase}
            found = self._controllers.cell(name=name, **labels) if name else self._steps.cell(**labels)
            cell = self._cells[key] = found
        cell.observe(seconds)

    def webhook(
        self, name: str, operation: str, kind: str, seconds: float, code: int, *, failed: bool
    ) -> None:
        """A webhook answered with `code`, or `failed` to. `kind`: `admit` or `validating`."""
        rejected = failed or code >= 400
        labels = {"name": name, "operation": operation, "type": kind}
        self._webhooks.observe(seconds, **labels, rejected=_shown(rejected))
        self._requests.inc(1.0, **labels, rejected=_shown(rejected), code=str(code))

    def refused(self, name: str, operation: str, kind: str, code: int, *, failed: bool) -> None:
        error = "calling_webhook_error" if failed else "no_error"
        shown = "0" if failed else str(code)
        self._rejections.inc(
            1.0, name=name, operation=operation, type=kind, error_type=error, rejection_code=shown
        )

    def opened(self, name: str, kind: str) -> None:
        self._opened.inc(1.0, name=name, type=kind)


def _shown(rejected: bool) -> str:
    return "true" if rejected else "false"
