"""Webhooks are counted by what they answered, and by what became of writes that they could not be asked about."""

from typing import Any

import pytest

from dray.api import errors
from dray.api.resources import VALIDATING_WEBHOOK_CONFIGURATIONS
from dray.apiserver.admission.chain import default_admission
from dray.apiserver.admission.metrics import AdmissionMetrics
from dray.apiserver.authorization.rbac import Rbac
from dray.kits.metrics import Counter, Registry

from .cluster import Cluster
from .conftest import Hook

NAME = {"name": "hook.example.com", "operation": "CREATE", "type": "validating"}


def counted(cluster: Cluster) -> Registry:
    core, metrics = cluster.server.core, Registry()
    core.admission = default_admission(Rbac(core.store), metrics=AdmissionMetrics(metrics))
    return metrics


def total(metrics: Registry, name: str, /, **labels: Any) -> float:
    (found,) = (each for each in metrics if each.name == name)
    assert isinstance(found, Counter)
    return found.value(**labels)


async def test_answers_are_counted(cluster: Cluster, hook: Hook) -> None:
    metrics = counted(cluster)
    await hook.register(cluster, VALIDATING_WEBHOOK_CONFIGURATIONS)
    await cluster.write()
    hook.reply = lambda request: {"allowed": False, "status": {"code": 403}}
    with pytest.raises(errors.StatusError):
        await cluster.write("other")
    requests = "apiserver_admission_webhook_request_total"
    assert total(metrics, requests, **NAME, code="200", rejected="false") == 1
    assert total(metrics, requests, **NAME, code="403", rejected="true") == 1
    rejections = "apiserver_admission_webhook_rejection_count"
    assert total(metrics, rejections, **NAME, error_type="no_error", rejection_code="403") == 1


async def test_failures_are_counted_by_what_became_of_the_write(cluster: Cluster, hook: Hook) -> None:
    metrics = counted(cluster)
    hook.reply = lambda request: {"uid": "other", "allowed": True}
    await hook.register(cluster, VALIDATING_WEBHOOK_CONFIGURATIONS, hook.webhook(failurePolicy="Ignore"))
    await cluster.write()
    opened = "apiserver_admission_webhook_fail_open_count"
    assert total(metrics, opened, name="hook.example.com", type="validating") == 1
    closed = hook.webhook(failurePolicy="Fail")
    await hook.register(cluster, VALIDATING_WEBHOOK_CONFIGURATIONS, closed, name="second")
    with pytest.raises(errors.StatusError):
        await cluster.write("other")
    rejections = "apiserver_admission_webhook_rejection_count"
    assert total(metrics, rejections, **NAME, error_type="calling_webhook_error", rejection_code="0") == 1
