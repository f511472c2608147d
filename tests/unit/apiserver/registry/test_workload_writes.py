"""Writes of workloads: what is left out where a feature is off, what a write of the state keeps, and what is told of."""

import copy
from typing import Any

import pytest

from dray.api import errors
from dray.api.features import parse_feature_gates
from dray.api.resources import PODS
from dray.apiserver.registry.cron_job import CRON_JOB
from dray.apiserver.registry.daemon_set import DAEMON_SET, TEMPLATE_GENERATION
from dray.apiserver.registry.deployment import DEPLOYMENT
from dray.apiserver.registry.job import JOB
from dray.apiserver.registry.kind import Kind
from dray.apiserver.registry.pod import POD
from dray.apiserver.registry.pod_template import POD_TEMPLATE
from dray.apiserver.registry.replica_set import REPLICA_SET, REPLICATION_CONTROLLER
from dray.apiserver.registry.stateful_set import STATEFUL_SET
from dray.apiserver.verbs.create import create
from dray.apiserver.verbs.update import update
from tests.unit.apiserver.registry.recorded import Context
from tests.unit.apiserver.serving import add, call, hub, new_core

Object = dict[str, Any]

TEMPLATE: Object = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
OLD_LABEL = "beta.kubernetes.io/os"
TOLD = f'nodeSelector[{OLD_LABEL}]: deprecated since v1.14; use "kubernetes.io/os" instead'
LASTING = (DEPLOYMENT, REPLICA_SET, REPLICATION_CONTROLLER, STATEFUL_SET, DAEMON_SET)


def typed(kind: Kind) -> Object:
    return {"apiVersion": kind.resource.api_version, "kind": kind.resource.kind}


def a_workload(kind: Kind, name: str = "w", **spec: object) -> Object:
    template = copy.deepcopy(TEMPLATE)
    if kind is JOB:
        template["spec"]["restartPolicy"] = "Never"
    obj: Object = {
        **typed(kind),
        "metadata": {"name": name, "uid": "u"},
        "spec": {"template": template, **spec},
    }
    if kind not in (JOB, REPLICATION_CONTROLLER):
        obj["spec"]["selector"] = {"matchLabels": {"a": "b"}}
    kind.default(obj, "v1")
    return obj


def pod_of(kind: Kind, obj: Object) -> Object:
    holder = obj if kind is POD_TEMPLATE else obj["spec"]
    if kind is CRON_JOB:
        holder = holder["jobTemplate"]["spec"]
    spec: Object = holder["template"]["spec"]
    return spec


def of_any(kind: Kind) -> Object:
    if kind is POD_TEMPLATE:
        return {**typed(kind), "metadata": {"name": "w"}, "template": copy.deepcopy(TEMPLATE)}
    if kind is CRON_JOB:
        job = {"spec": {"template": copy.deepcopy(TEMPLATE)}}
        return {**typed(kind), "metadata": {"name": "w"}, "spec": {"schedule": "@daily", "jobTemplate": job}}
    return a_workload(kind)


@pytest.mark.parametrize("kind", [*LASTING, JOB, CRON_JOB, POD_TEMPLATE])
def test_fields_of_features_that_are_off_are_left_out_of_templates_unless_they_are_there(kind: Kind) -> None:
    new, old = of_any(kind), of_any(kind)
    pod_of(kind, new)["schedulingGroup"] = {"podGroupName": "g"}
    created = copy.deepcopy(new)
    kind.prepare_create(Context(), created)
    assert "schedulingGroup" not in pod_of(kind, created)
    for before, is_kept in ((old, False), (new, True)):
        updated = copy.deepcopy(new)
        kind.prepare_update(Context(old=copy.deepcopy(before)), updated)
        assert ("schedulingGroup" in pod_of(kind, updated)) is is_kept


@pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICA_SET])
def test_the_count_of_pods_that_end_has_a_gate(kind: Kind) -> None:
    assert kind.status is not None
    off = parse_feature_gates("DeploymentReplicaSetTerminatingReplicas=false")
    for features, stored, is_kept in ((off, {}, False), (off, {"terminatingReplicas": 1}, True)):
        new = {**a_workload(kind), "status": {"replicas": 0, "terminatingReplicas": 2}}
        old = {**a_workload(kind), "status": stored}
        kind.status.prepare_update(Context(features=features, old=old), new)
        assert ("terminatingReplicas" in new["status"]) is is_kept


def test_pods_of_a_stateful_set_that_may_be_missing_have_a_gate() -> None:
    obj = a_workload(STATEFUL_SET)
    on = parse_feature_gates("MaxUnavailableStatefulSet=true")
    off = parse_feature_gates("MaxUnavailableStatefulSet=false")
    STATEFUL_SET.complete(Context(features=on), obj)
    assert obj["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 0, "maxUnavailable": 1}
    STATEFUL_SET.prepare_update(Context(features=off, old=copy.deepcopy(obj)), obj)
    assert "maxUnavailable" in obj["spec"]["updateStrategy"]["rollingUpdate"]
    STATEFUL_SET.prepare_create(Context(features=off), obj)
    assert obj["spec"]["updateStrategy"]["rollingUpdate"] == {"partition": 0}


@pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICA_SET, STATEFUL_SET, JOB])
def test_templates_are_told_of_when_they_are_new_and_when_the_spec_has_changed(kind: Kind) -> None:
    obj = a_workload(kind)
    obj["spec"]["template"]["spec"]["nodeSelector"] = {OLD_LABEL: "linux"}
    obj["metadata"]["generation"] = 2
    text = f"spec.template.spec.{TOLD}"
    same, older = copy.deepcopy(obj), copy.deepcopy(obj)
    older["metadata"]["generation"] = 1
    assert list(kind.warnings(Context(), obj)) == [text]
    assert list(kind.warnings(Context(old=older), obj)) == [text]
    assert list(kind.warnings(Context(old=same), obj)) == []


def test_a_daemon_set_is_told_of_its_template_only_when_that_changes() -> None:
    old = a_workload(DAEMON_SET)
    old["spec"]["template"]["spec"]["nodeSelector"] = {OLD_LABEL: "linux"}
    DAEMON_SET.prepare_create(Context(), old)
    new = copy.deepcopy(old)
    new["spec"]["minReadySeconds"] = 3
    new["metadata"]["generation"] = 2
    DAEMON_SET.prepare_update(Context(old=old), new)
    assert list(DAEMON_SET.warnings(Context(old=old), new)) == []
    new["spec"]["template"]["metadata"]["labels"]["x"] = "y"
    DAEMON_SET.prepare_update(Context(old=old), new)
    assert list(DAEMON_SET.warnings(Context(old=old), new)) == [f"spec.template.spec.{TOLD}"]


def test_a_replication_controller_is_told_of_the_template_that_it_had() -> None:
    old, new = a_workload(REPLICATION_CONTROLLER), a_workload(REPLICATION_CONTROLLER)
    new["spec"]["template"]["spec"]["nodeSelector"] = {OLD_LABEL: "linux"}
    old["metadata"]["generation"], new["metadata"]["generation"] = 1, 2
    assert list(REPLICATION_CONTROLLER.warnings(Context(), new)) == [f"spec.template.spec.{TOLD}"]
    assert list(REPLICATION_CONTROLLER.warnings(Context(old=old), new)) == []
    newer = {**a_workload(REPLICATION_CONTROLLER), "metadata": {"name": "w", "generation": 3}}
    told = list(REPLICATION_CONTROLLER.warnings(Context(old=new), newer))
    assert told == [f"spec.template.spec.{TOLD}"]


def test_a_controller_without_a_template_has_none() -> None:
    obj = {**typed(REPLICATION_CONTROLLER), "metadata": {"name": "w"}, "spec": {}}
    REPLICATION_CONTROLLER.default(obj, "v1")
    assert obj["spec"] == {"replicas": 1}
    found = [str(error) for error in REPLICATION_CONTROLLER.validate_create(Context(), obj)]
    assert found == ["spec.selector: Required value", "spec.template: Required value"]


@pytest.mark.parametrize("kind", [DEPLOYMENT, REPLICA_SET, REPLICATION_CONTROLLER, JOB])
def test_a_name_that_no_pod_can_have_as_its_hostname_is_told_of_once(kind: Kind) -> None:
    obj = a_workload(kind, name="a.b")
    (told,) = kind.warnings(Context(), obj)
    assert told.startswith("metadata.name: this is used in Pod names and hostnames, which can result in")
    old = {**copy.deepcopy(obj), "metadata": {"name": "a.b", "generation": 1}}
    obj["metadata"]["generation"] = 2
    assert list(kind.warnings(Context(old=old), obj)) == []


def test_an_indexed_job_of_very_many_pods_is_told_of() -> None:
    many = {"completionMode": "Indexed", "completions": 100_001}
    assert list(JOB.warnings(Context(), a_workload(JOB, parallelism=10_000, **many))) == []
    (told,) = JOB.warnings(Context(), a_workload(JOB, parallelism=10_001, **many))
    assert told.startswith("spec: In Indexed Jobs with a number of completions higher than 10^5")


def test_claims_and_history_of_a_stateful_set_are_told_of() -> None:
    claim = {"spec": {"resources": {"requests": {"storage": "1.5"}}}}
    obj = a_workload(STATEFUL_SET, volumeClaimTemplates=[claim], revisionHistoryLimit=-1)
    text = 'resources.requests[storage]: fractional byte value "1500m" is invalid, must be an integer'
    history = "spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended"
    assert list(STATEFUL_SET.warnings(Context(), obj)) == [f"spec.volumeClaimTemplates[0].{text}", history]
    told = list(STATEFUL_SET.warnings(Context(old=copy.deepcopy(obj)), obj))
    assert told == [f"spec.volumeClaimTemplates[0].Spec.{text}", history]


def test_a_zone_in_the_schedule_of_a_stored_cron_job_is_told_of() -> None:
    obj = of_any(CRON_JOB)
    obj["spec"]["schedule"] = "TZ=Etc/UTC * * * * *"
    assert list(CRON_JOB.warnings(Context(), obj)) == []
    (told,) = CRON_JOB.warnings(Context(old=obj), obj)
    assert told.startswith("cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead")


@pytest.mark.parametrize(
    ("text", "problem"), [("a", "invalid syntax"), ("", "invalid syntax"), (str(2**63), "value out of range")]
)
def test_a_template_generation_that_is_no_number_is_refused(text: str, problem: str) -> None:
    obj = {"metadata": {"annotations": {TEMPLATE_GENERATION: text}}}
    with pytest.raises(errors.BadRequest) as raised:
        DAEMON_SET.to_hub(obj, "v1")
    assert str(raised.value) == (
        f'DaemonSet in version "v1" cannot be handled as a DaemonSet: strconv.ParseInt: parsing "{text}": {problem}'
    )


async def status_written(kind: Kind, status: Object, **meta: object) -> tuple[Object, list[str]]:
    """What is stored when a state is written by an object with other metadata, and what is told."""
    core = await new_core(kind)
    stored = await add(core, kind.resource, a_stored(kind))
    calling = call(core, "update", kind.resource, "w", subresource="status")
    sent = {**a_stored(kind), "metadata": {"name": "w", "namespace": "ns", **meta}, "status": status}
    written, _ = await update(calling, hub(calling, sent))
    assert written.obj["metadata"].get("generation") == stored["metadata"].get("generation")
    return written.obj, calling.warnings


def a_stored(kind: Kind) -> Object:
    meta = {"name": "w", "namespace": "ns", "labels": {"l": "m"}}
    if kind is POD:
        return {**typed(kind), "metadata": meta, "spec": copy.deepcopy(TEMPLATE["spec"])}
    return {**a_workload(kind), "metadata": meta}


async def test_annotations_beside_a_state_make_no_new_generation() -> None:
    obj, _ = await status_written(DEPLOYMENT, {}, annotations={"x": "y"})
    assert obj["metadata"]["annotations"] == {"x": "y"}


async def test_labels_beside_the_state_of_a_deployment_do_not_count() -> None:
    deployment, _ = await status_written(DEPLOYMENT, {}, labels={"q": "r"})
    replica_set, _ = await status_written(REPLICA_SET, {"replicas": 0}, labels={"q": "r"})
    assert [obj["metadata"]["labels"] for obj in (deployment, replica_set)] == [{"l": "m"}, {"q": "r"}]


async def test_the_template_generation_of_a_daemon_set_stays_when_its_state_is_written() -> None:
    counts = ("currentNumberScheduled", "desiredNumberScheduled", "numberMisscheduled", "numberReady")
    obj, _ = await status_written(
        DAEMON_SET, dict.fromkeys(counts, 0), annotations={TEMPLATE_GENERATION: "7"}
    )
    assert obj["metadata"]["annotations"] == {TEMPLATE_GENERATION: "1"}


async def test_a_state_that_is_refused_is_not_told_of_beside() -> None:
    address = {"podIP": "2001:DB8::1", "podIPs": [{"ip": "2001:DB8::1"}]}
    _, told = await status_written(POD, address)
    assert told == [
        'status.podIPs[0].ip: IPv6 address "2001:DB8::1" should be in RFC 5952 canonical format ("2001:db8::1")'
    ]
    core = await new_core(POD)
    await add(core, PODS, a_stored(POD))
    calling = call(core, "update", PODS, "w", subresource="status")
    wrong = {**a_stored(POD), "status": {**address, "qosClass": "other"}}
    with pytest.raises(errors.Invalid):
        await update(calling, hub(calling, wrong))
    assert calling.warnings == []


async def test_labels_that_a_controller_wants_need_not_be_labels() -> None:
    core = await new_core(REPLICATION_CONTROLLER)
    calling = call(core, "create", REPLICATION_CONTROLLER.resource)
    obj = {**a_stored(REPLICATION_CONTROLLER)}
    obj["spec"]["selector"] = {"a": "no label"}
    with pytest.raises(errors.Invalid, match="`selector` does not match template `labels`"):
        await create(calling, hub(calling, obj))
