"""What a job is at all and what of it may change, in the words of kube-apiserver 1.36.2."""

import copy

import pytest

from dray.api.features import FeatureGates, parse_feature_gates
from dray.api.meta import Object
from dray.api.validation.core.cron_job import validate_cron_job, validate_cron_job_update
from dray.api.validation.core.job import JobChanges, changes_of, validate_job, validate_job_update

POD: Object = {
    "containers": [
        {"name": "c", "image": "i", "terminationMessagePolicy": "File", "imagePullPolicy": "Always"}
    ],
    "restartPolicy": "Never",
    "dnsPolicy": "ClusterFirst",
}
LABELS = {
    "controller-uid": "u",
    "job-name": "j",
    "batch.kubernetes.io/controller-uid": "u",
    "batch.kubernetes.io/job-name": "j",
}
SPEC: Object = {
    "completions": 3,
    "parallelism": 1,
    "completionMode": "NonIndexed",
    "backoffLimit": 6,
    "podReplacementPolicy": "TerminatingOrFailed",
    "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": "u"}},
    "template": {"metadata": {"labels": LABELS}, "spec": POD},
}
ALL = FeatureGates()
NONE = parse_feature_gates(
    "MutablePodResourcesForSuspendedJobs=false,MutableSchedulingDirectivesForSuspendedJobs=false"
)
FREE = JobChanges(placement=True, resources=True)
NO_CHANGES = JobChanges()


def a_job(status: Object | None = None, name: str = "j", **spec: object) -> Object:
    return {
        "metadata": {"name": name, "uid": "u", "resourceVersion": "1"},
        "spec": {**SPEC, **spec},
        "status": status or {},
    }


def with_pod(labels: Object | None = None, **fields: object) -> Object:
    return {"metadata": {"labels": {**LABELS, **(labels or {})}}, "spec": {**POD, **fields}}


def told(errors: object) -> list[str]:
    return [str(error) for error in errors]  # type: ignore[attr-defined]


def changed(new: Object, old: Object, changes: JobChanges = NO_CHANGES) -> list[str]:
    return told(validate_job_update(new, old, changes=changes))


@pytest.mark.parametrize("label", LABELS)
def test_the_pods_of_a_job_have_the_labels_that_the_server_gives_them(label: str) -> None:
    without = {key: value for key, value in LABELS.items() if key != label}
    at = f"spec.template.metadata.labels[{label}]"
    (first, *_) = told(validate_job(a_job(template={"metadata": {"labels": without}, "spec": POD})))
    assert first == f"{at}: Required value: must be '{LABELS[label]}'"
    (first, *_) = told(validate_job(a_job(template=with_pod({label: "other"}))))
    assert first.startswith(f"{at}: Invalid value: {{")
    assert first.endswith(f": must be '{LABELS[label]}'")


def test_a_selector_that_does_not_choose_them_was_not_made_by_the_server() -> None:
    found = told(validate_job(a_job(selector={"matchLabels": {"a": "b"}}, template=with_pod({"a": "b"}))))
    assert found == ['spec.selector: Invalid value: {"matchLabels":{"a":"b"}}: `selector` not auto-generated']


def test_who_chooses_pods_himself_labels_them_himself() -> None:
    own = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
    job = a_job(manualSelector=True, selector={"matchLabels": {"a": "b"}}, template=own)
    assert validate_job(job) == []


def test_a_job_of_old_may_lack_the_newer_labels() -> None:
    template = {"metadata": {"labels": {"controller-uid": "u", "job-name": "j"}}, "spec": POD}
    job = a_job(selector={"matchLabels": {"controller-uid": "u"}}, template=template)
    assert len(validate_job(job)) == 2
    assert changes_of(job, ALL).is_labelled is False
    assert changed(job, job, changes_of(job, ALL)) == []


def test_the_last_pod_of_an_indexed_job_must_have_a_hostname() -> None:
    name = "j" * 62
    labels = {**LABELS, "job-name": name, "batch.kubernetes.io/job-name": name}
    fields = {"completionMode": "Indexed", "template": {"metadata": {"labels": labels}, "spec": POD}}
    assert told(validate_job(a_job(name=name, **fields))) == [
        f'metadata.name: Invalid value: "{name}": will not able to create pod with invalid DNS label: {name}-2'
    ]
    assert validate_job(a_job(name=name, **{**fields, "completionMode": "NonIndexed"})) == []


@pytest.mark.parametrize(
    "change",
    [
        {"completionMode": "Indexed"},
        {"backoffLimitPerIndex": 2},
        {"managedBy": "example.com/other"},
        {"podFailurePolicy": {"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [2]}}]}},
        {"selector": {"matchLabels": {"controller-uid": "u"}}},
        {"completions": 4},
    ],
)  # fmt: skip
def test_how_a_job_counts_and_chooses_stays(change: Object) -> None:
    (field,) = change
    found = changed(a_job(**change), a_job())
    assert any(
        text.startswith(f"spec.{field}: Invalid value: ") and text.endswith("field is immutable")
        for text in found
    )


def test_a_policy_is_shown_as_the_server_holds_it() -> None:
    policy = {"rules": [{"action": "Ignore", "onExitCodes": {"operator": "In", "values": [2]}}]}
    new = a_job(podFailurePolicy=policy, podReplacementPolicy="Failed")
    assert changed(new, a_job(podReplacementPolicy="Failed")) == [
        'spec.podFailurePolicy: Invalid value: {"Rules":[{"Action":"Ignore","OnExitCodes":{"ContainerName":null,'
        '"Operator":"In","Values":[2]},"OnPodConditions":null}]}: field is immutable'
    ]


@pytest.mark.parametrize(
    ("completions", "parallelism", "finding"),
    [
        (5, 5, ""),
        (None, 1, ""),
        (5, 1, "spec.completions: Invalid value: 5: can only be modified in tandem with spec.parallelism"),
    ],
)
def test_completions_of_an_indexed_job_follow_parallelism(
    completions: int | None, parallelism: int, finding: str
) -> None:
    old = a_job(completionMode="Indexed")
    new = a_job(completionMode="Indexed", completions=completions, parallelism=parallelism)
    assert [text for text in changed(new, old) if "tandem" in text] == ([finding] if finding else [])


SUSPENDED = {"conditions": [{"type": "Suspended", "status": "True"}]}


@pytest.mark.parametrize(
    ("suspend", "status", "gates", "placement", "resources"),
    [
        (True, {}, ALL, True, True),
        (False, {}, ALL, False, False),
        (True, {"startTime": "t"}, ALL, False, False),
        (True, {"startTime": "t", **SUSPENDED}, ALL, True, True),
        (True, {"active": 1, **SUSPENDED}, ALL, False, False),
        (True, {}, NONE, True, False),
        (True, {"startTime": "t", **SUSPENDED}, NONE, False, False),
        (True, {"active": 1}, NONE, True, False),
    ],
)
def test_pods_to_come_may_be_asked_for_otherwise_while_a_job_rests(
    suspend: bool, status: Object, gates: FeatureGates, placement: bool, resources: bool
) -> None:
    found = changes_of(a_job(status, suspend=suspend), gates)
    assert (found.placement, found.resources) == (placement, resources)


@pytest.mark.parametrize(
    "template",
    [
        with_pod(nodeSelector={"a": "b"}),
        with_pod(tolerations=[{"key": "k", "operator": "Exists"}]),
        with_pod(schedulingGates=[{"name": "g"}]),
        with_pod({"more": "1"}),
        with_pod(affinity={"nodeAffinity": {}}),
    ],
)
def test_where_pods_go_may_change_while_a_job_rests(template: Object) -> None:
    new, old = a_job(suspend=True, template=template), a_job(suspend=True)
    (refused,) = changed(new, old)
    assert refused.startswith('spec.template: Invalid value: {"')
    assert refused.endswith("field is immutable")
    assert changed(new, old, FREE) == []
    assert changed(new, old, JobChanges(placement=True)) == []


def test_affinity_to_other_pods_stays() -> None:
    term = {"topologyKey": "z", "labelSelector": {}}
    among = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    new, old = a_job(suspend=True, template=with_pod(affinity=among)), a_job(suspend=True)
    assert len(changed(new, old, JobChanges(placement=True))) == 1


def test_what_containers_need_may_change_while_a_job_rests() -> None:
    new = a_job(suspend=True, template=with_pod())
    pod = copy.deepcopy(POD)
    pod["containers"][0]["resources"] = {"requests": {"cpu": "1"}}
    new["spec"]["template"] = {"metadata": {"labels": LABELS}, "spec": pod}
    old = a_job(suspend=True)
    assert changed(new, old, FREE) == []
    assert len(changed(new, old, JobChanges(placement=True))) == 1
    pod["containers"][0]["image"] = "other"
    (refused,) = changed(new, old, FREE)
    assert refused.startswith('spec.template.spec: Invalid value: {"')


def test_what_is_wrong_with_a_changed_job_is_told_twice_around_what_is_wrong_with_its_metadata() -> None:
    new = a_job(parallelism=-1)
    new["metadata"]["annotations"] = {"a b": "c"}
    assert [text.partition(":")[0] for text in changed(new, a_job())] == [
        "spec.parallelism",
        "metadata.annotations",
        "spec.parallelism",
    ]


def a_cron_job(schedule: str = "* * * * *", **more: object) -> Object:
    job = {"template": {"spec": POD}}
    return {
        "metadata": {"name": "c"},
        "spec": {"schedule": schedule, "concurrencyPolicy": "Allow", "jobTemplate": {"spec": job}, **more},
    }


def test_a_zone_in_a_schedule_may_only_stay() -> None:
    zoned = a_cron_job("TZ=Etc/UTC * * * * *")
    text = 'spec.schedule: Invalid value: "TZ=Etc/UTC * * * * *": cannot use '
    assert told(validate_cron_job(zoned)) == [f"{text}TZ or CRON_TZ in schedule, use timeZone field instead"]
    assert validate_cron_job_update(zoned, zoned) == []
    both = a_cron_job("TZ=Etc/UTC * * * * *", timeZone="Etc/UTC")
    assert told(validate_cron_job_update(both, zoned)) == [
        f"{text}both timeZone field and TZ or CRON_TZ in schedule"
    ]


def test_a_time_zone_is_looked_at_when_it_changes() -> None:
    local = a_cron_job(timeZone="local")
    assert told(validate_cron_job_update(local, a_cron_job()))[0].startswith(
        'spec.timeZone: Invalid value: "local"'
    )
    assert validate_cron_job_update(local, local) == []


def test_the_name_of_a_cron_job_leaves_room_for_those_of_its_jobs() -> None:
    long = {**a_cron_job(), "metadata": {"name": "c" * 53}}
    assert told(validate_cron_job(long)) == [
        f'metadata.name: Invalid value: "{"c" * 53}": must be no more than 52 characters'
    ]
    assert validate_cron_job_update(long, long) == []
