"""Workloads: what is filled in, what is refused, what tables show."""

import copy

import pytest

from dray.apiserver.registry.cron_job import CRON_JOB
from dray.apiserver.registry.daemon_set import DAEMON_SET
from dray.apiserver.registry.deployment import DEPLOYMENT
from dray.apiserver.registry.job import JOB
from dray.apiserver.registry.replica_set import REPLICA_SET, REPLICATION_CONTROLLER
from dray.apiserver.registry.stateful_set import CONTROLLER_REVISION, STATEFUL_SET

from .recorded import NOW, Context

TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}


def a_workload(kind, **spec):
    obj = {
        "apiVersion": kind.resource.api_version,
        "kind": kind.resource.kind,
        "metadata": {"name": "w", "namespace": "ns", "uid": "u-1", "resourceVersion": "1"},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": copy.deepcopy(TEMPLATE), **spec},
    }
    kind.default(obj, "v1")
    return obj


def texts(found):
    return [str(error) for error in found]


def cells(kind, obj):
    return {column.name: column.cell(obj, NOW) for column in kind.columns}


@pytest.mark.parametrize("kind", [DAEMON_SET, DEPLOYMENT, REPLICA_SET, STATEFUL_SET])
def test_defaults_make_a_valid_workload(kind):
    assert kind.validate_create(Context(), a_workload(kind)) == []


@pytest.mark.parametrize("kind", [DAEMON_SET, DEPLOYMENT, REPLICA_SET, STATEFUL_SET])
def test_selector_must_choose_the_pods_of_the_template(kind):
    obj = a_workload(kind, selector={"matchLabels": {"a": "c"}})
    assert (
        'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`'
        in texts(kind.validate_create(Context(), obj))
    )


@pytest.mark.parametrize("kind", [DAEMON_SET, DEPLOYMENT, REPLICA_SET])
def test_selector_stays(kind):
    old = a_workload(kind)
    new = a_workload(
        kind, selector={"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}
    )
    (finding,) = texts(kind.validate_update(Context(old=old), new))
    assert finding.startswith("spec.selector: Invalid value: {")
    assert finding.endswith("field is immutable")


@pytest.mark.parametrize("kind", [DAEMON_SET, DEPLOYMENT, REPLICA_SET, STATEFUL_SET])
def test_pods_that_last_are_always_restarted(kind):
    obj = a_workload(kind)
    obj["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    assert texts(kind.validate_create(Context(), obj)) == [
        'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"'
    ]


def test_template_generation_counts_changes_of_the_template_only():
    first = a_workload(DAEMON_SET)
    DAEMON_SET.prepare_create(Context(), first)
    annotation = "deprecated.daemonset.template.generation"
    assert first["metadata"]["annotations"][annotation] == "1"
    same = copy.deepcopy(first)
    same["spec"]["minReadySeconds"] = 5
    same["metadata"]["annotations"] = {}
    DAEMON_SET.prepare_update(Context(old=first), same)
    assert same["metadata"]["annotations"][annotation] == "1"
    other = copy.deepcopy(first)
    other["spec"]["template"]["spec"]["containers"][0]["image"] = "j"
    DAEMON_SET.prepare_update(Context(old=first), other)
    assert other["metadata"]["annotations"][annotation] == "2"


@pytest.mark.parametrize(
    ("rolling", "finding"),
    [
        (
            {"maxUnavailable": 0, "maxSurge": 0},
            "maxUnavailable: Required value: cannot be 0 when maxSurge is 0",
        ),
        (
            {"maxUnavailable": 1, "maxSurge": 1},
            "maxSurge: Invalid value: 1: may not be set when maxUnavailable is non-zero",
        ),
        (
            {"maxUnavailable": "101%", "maxSurge": 0},
            'maxUnavailable: Invalid value: "101%": must not be greater than 100%',
        ),
        (
            {"maxUnavailable": -1, "maxSurge": 1},
            "maxUnavailable: Invalid value: -1: must be greater than or equal to 0",
        ),
    ],
)
def test_how_a_daemon_set_may_roll(rolling, finding):
    obj = a_workload(DAEMON_SET, updateStrategy={"type": "RollingUpdate", "rollingUpdate": rolling})
    assert f"spec.updateStrategy.rollingUpdate.{finding}" in texts(DAEMON_SET.validate_create(Context(), obj))


def test_deployment_must_have_time_to_become_ready():
    obj = a_workload(DEPLOYMENT, minReadySeconds=600)
    assert texts(DEPLOYMENT.validate_create(Context(), obj)) == [
        "spec.progressDeadlineSeconds: Invalid value: 600: must be greater than minReadySeconds"
    ]


def a_job(**spec):
    template = copy.deepcopy(TEMPLATE)
    template["spec"]["restartPolicy"] = "Never"
    obj = a_workload(JOB, template=template, **spec)
    if not spec.get("manualSelector"):
        obj["spec"].pop("selector")
    JOB.prepare_create(Context(), obj)
    return obj


def test_job_tells_its_pods_by_its_uid():
    job = a_job()
    assert job["spec"]["selector"] == {"matchLabels": {"batch.kubernetes.io/controller-uid": "u-1"}}
    assert job["spec"]["template"]["metadata"]["labels"] == {
        "a": "b",
        "controller-uid": "u-1",
        "job-name": "w",
        "batch.kubernetes.io/controller-uid": "u-1",
        "batch.kubernetes.io/job-name": "w",
    }
    assert JOB.validate_create(Context(), job) == []


def test_job_of_a_given_selector_keeps_it():
    job = a_job(manualSelector=True)
    assert job["spec"]["selector"] == {"matchLabels": {"a": "b"}}


def test_job_defaults():
    spec = a_job()["spec"]
    fields = (
        "completions",
        "parallelism",
        "backoffLimit",
        "completionMode",
        "suspend",
        "podReplacementPolicy",
    )
    assert [spec[field] for field in fields] == [1, 1, 6, "NonIndexed", False, "TerminatingOrFailed"]
    queue = a_job(parallelism=3)["spec"]
    assert "completions" not in queue


def test_pods_of_a_job_are_not_always_restarted():
    job = a_job()
    job["spec"]["template"]["spec"]["restartPolicy"] = "Always"
    assert texts(JOB.validate_create(Context(), job)) == [
        'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"'
    ]


def test_template_of_a_job_stays_unless_it_waits():
    old = a_job()
    new = copy.deepcopy(old)
    new["spec"]["template"]["spec"]["nodeSelector"] = {"x": "1"}
    (finding,) = texts(JOB.validate_update(Context(old=old), new))
    assert finding.startswith("spec.template: Invalid value")
    suspended = a_job(suspend=True)
    new["spec"]["suspend"] = False
    assert JOB.validate_update(Context(old=suspended), new) == []


@pytest.mark.parametrize(
    ("status", "conditions", "spec", "shown"),
    [
        ({}, (), {}, ("Running", "0/1", "")),
        ({"startTime": "2025-12-31T23:59:00Z"}, (), {"completions": None, "parallelism": 3}, ("Running", "0/1 of 3", "60s")),
        (
            {"succeeded": 1, "startTime": "2025-12-31T23:59:00Z", "completionTime": "2025-12-31T23:59:30Z"},
            ("Complete",), {}, ("Complete", "1/1", "30s"),
        ),
        ({"failed": 1}, ("FailureTarget", "Failed"), {}, ("Failed", "0/1", "")),
        ({}, ("Suspended",), {}, ("Suspended", "0/1", "")),
    ],
)  # fmt: skip
def test_job_in_a_table(status, conditions, spec, shown):
    job = a_job()
    job["spec"] |= spec
    job["status"] = {**status, "conditions": [{"type": kind, "status": "True"} for kind in conditions]}
    row = cells(JOB, job)
    assert (row["Status"], row["Completions"], row["Duration"]) == shown


@pytest.mark.parametrize(
    ("schedule", "problem"),
    [
        ("*/5 * * * *", ""),
        ("@hourly", ""),
        ("* * *", "expected exactly 5 fields, found 3: [* * *]"),
        ("@never", "unrecognized descriptor: @never"),
    ],
)
def test_schedule_of_a_cron_job(schedule, problem):
    job_template = {"spec": {"template": copy.deepcopy(TEMPLATE)}}
    job_template["spec"]["template"]["spec"]["restartPolicy"] = "Never"
    obj = {
        "metadata": {"name": "c", "namespace": "ns"},
        "spec": {"schedule": schedule, "jobTemplate": job_template},
    }
    CRON_JOB.default(obj, "v1")
    found = texts(CRON_JOB.validate_create(Context(), obj))
    assert found == ([f'spec.schedule: Invalid value: "{schedule}": {problem}'] if problem else [])
    row = cells(CRON_JOB, obj)
    assert (row["Suspend"], row["Last Schedule"], row["Timezone"], row["Active"]) == (
        "False",
        "<none>",
        "<none>",
        0,
    )


def test_replication_controller_takes_labels_and_selector_from_its_template():
    obj = {"metadata": {"name": "r"}, "spec": {"template": copy.deepcopy(TEMPLATE)}}
    REPLICATION_CONTROLLER.default(obj, "v1")
    assert obj["spec"]["selector"] == obj["metadata"]["labels"] == {"a": "b"}
    assert cells(REPLICATION_CONTROLLER, obj)["Selector"] == "a=b"


def test_revision_is_of_its_controller_and_stays():
    owner = {"apiVersion": "apps/v1", "kind": "DaemonSet", "name": "d", "uid": "u", "controller": True}
    old = {"metadata": {"name": "d-1", "ownerReferences": [owner]}, "revision": 2, "data": {"a": 1}}
    row = cells(CONTROLLER_REVISION, old)
    assert (row["Controller"], row["Revision"]) == ("daemonset.apps/d", 2)
    new = old | {"data": {"a": 2}}
    assert texts(CONTROLLER_REVISION.validate_update(Context(old=old), new)) == [
        'data: Invalid value: {"a":2}: field is immutable'
    ]


def test_selector_in_a_table_is_what_kubectl_takes():
    selector = {
        "matchLabels": {"a": "b"},
        "matchExpressions": [
            {"key": "x", "operator": "In", "values": ["2", "1"]},
            {"key": "y", "operator": "DoesNotExist"},
            {"key": "z", "operator": "Exists"},
        ],
    }
    assert cells(DEPLOYMENT, a_workload(DEPLOYMENT, selector=selector))["Selector"] == "a=b,x in (1,2),!y,z"
