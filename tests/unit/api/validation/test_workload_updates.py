"""What updates of stateful sets and replication controllers may say, in the words of kube-apiserver 1.36.2."""

import pytest

from dray.api.meta import Object
from dray.api.validation.core.stateful_set import validate_stateful_set, validate_stateful_set_update
from dray.api.validation.core.workloads import validate_replication_controller

POD = {
    "containers": [
        {"name": "c", "image": "i", "terminationMessagePolicy": "File", "imagePullPolicy": "Always"}
    ],
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
}
TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": POD}
CLAIM = {
    "metadata": {"name": "d"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
SET = {
    "replicas": 1,
    "selector": {"matchLabels": {"a": "b"}},
    "template": TEMPLATE,
    "podManagementPolicy": "OrderedReady",
    "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
    "serviceName": "s",
    "volumeClaimTemplates": [CLAIM],
}
CONTROLLER = {"replicas": 1, "selector": {"a": "b"}, "template": TEMPLATE}
TEXT = (
    "spec: Forbidden: updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', "
    "'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are "
    "forbidden"
)


def told(errors) -> list[str]:
    return [str(error) for error in errors]


@pytest.mark.parametrize(
    "change",
    [
        {"serviceName": "t"},
        {"podManagementPolicy": "Parallel"},
        {"volumeClaimTemplates": []},
        {"volumeClaimTemplates": [{**CLAIM, "metadata": {"name": "e"}}]},
        {"selector": {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "Exists"}]}},
    ],
)
def test_what_names_and_chooses_the_pods_of_a_set_stays(change: Object) -> None:
    new, old = {"spec": {**SET, **change}}, {"spec": SET}
    assert validate_stateful_set(new) == []
    assert told(validate_stateful_set_update(new, old)) == [TEXT]


def test_the_rest_of_a_set_may_change() -> None:
    change = {"replicas": 2, "minReadySeconds": 1, "ordinals": {"start": 1}, "revisionHistoryLimit": 2}
    assert validate_stateful_set_update({"spec": {**SET, **change}}, {"spec": SET}) == []


def test_claims_that_say_what_goes_without_saying_have_not_changed() -> None:
    said = {**CLAIM, "kind": "PersistentVolumeClaim", "apiVersion": "v1", "status": {"phase": "Pending"}}
    assert (
        validate_stateful_set_update({"spec": {**SET, "volumeClaimTemplates": [said]}}, {"spec": SET}) == []
    )


def with_mount(volumes: list[Object]) -> Object:
    container = {**POD["containers"][0], "volumeMounts": [{"name": "d", "mountPath": "/d"}]}
    template = {**TEMPLATE, "spec": {**POD, "containers": [container], "volumes": volumes}}
    return {"spec": {**SET, "template": template}}


def test_containers_of_a_set_mount_its_claims() -> None:
    assert validate_stateful_set(with_mount([])) == []
    assert validate_stateful_set_update(with_mount([]), with_mount([])) == []
    assert validate_stateful_set(with_mount([{"name": "d", "hostPath": {}, "emptyDir": {}}])) == []


def test_claims_of_a_set_are_counted_before_its_other_volumes() -> None:
    text = "spec.template.spec.volumes[1].hostPath: Forbidden: may not specify more than 1 volume type"
    assert told(validate_stateful_set(with_mount([{"name": "e", "hostPath": {}, "emptyDir": {}}]))) == [text]


@pytest.mark.parametrize(
    ("spec", "found"),
    [
        ({}, ["spec.selector: Required value", "spec.template: Required value"]),
        (
            {**CONTROLLER, "replicas": -1},
            ["spec.replicas: Invalid value: -1: must be greater than or equal to 0"],
        ),
        (
            {**CONTROLLER, "selector": {"a": "c"}},
            [
                'spec.template.metadata.labels: Invalid value: {"a":"b"}: `selector` does not match template `labels`'
            ],
        ),
        (
            {
                **CONTROLLER,
                "template": {
                    **TEMPLATE,
                    "spec": {**POD, "restartPolicy": "Never", "activeDeadlineSeconds": 3},
                },
            },
            [
                'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
                "spec.template.spec.activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in ReplicationController "
                "is not Supported",
            ],
        ),
    ],
)
def test_a_replication_controller_makes_pods_that_it_chooses(spec: Object, found: list[str]) -> None:
    assert told(validate_replication_controller({"spec": spec})) == found


def test_a_claim_of_a_set_has_one_source_however_it_is_written() -> None:
    older, newer = ({"kind": "PersistentVolumeClaim", "name": name} for name in "ab")
    claim = {**CLAIM, "spec": {**CLAIM["spec"], "dataSource": older, "dataSourceRef": newer}}
    assert told(validate_stateful_set({"spec": {**SET, "volumeClaimTemplates": [claim]}})) == [
        "spec.volumeClaimTemplates[0].spec: Invalid value: {}: must match dataSourceRef"
    ]
