"""Pods and what they share with their host; and in which order a spec is judged. Words and order of kube-apiserver 1.36.2."""

import pytest

from dray.api.fields import Path
from dray.api.meta import Object
from dray.api.qos import qos_class
from dray.api.validation.pod.spec import validate_pod_spec

CONTAINER: Object = {
    "name": "c",
    "image": "i",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "Always",
}
SPEC: Object = {
    "containers": [CONTAINER],
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "terminationGracePeriodSeconds": 30,
}
NOT_A_NAME = "A_"


def told(**changes: object) -> list[str]:
    return [str(error) for error in validate_pod_spec({**SPEC, **changes}, Path("spec"), is_pod=True)]


def of_sysctl(name: str, **shared: bool) -> list[str]:
    context = {"sysctls": [{"name": name, "value": "0"}]}
    head = f'spec.securityContext.sysctls[0].name: Invalid value: "{name}": '
    found = told(securityContext=context, **shared)
    assert all(text.startswith(head) for text in found)
    return [text.removeprefix(head) for text in found]


@pytest.mark.parametrize(
    ("name", "shared"),
    [
        ("net.core.somaxconn", "hostNetwork"),
        ("net/ipv4/conf/eth0.100/forwarding", "hostNetwork"),
        ("kernel.sem", "hostIPC"),
        ("kernel.shm", "hostIPC"),
        ("kernel/shm_rmid_forced", "hostIPC"),
        ("kernel.msgmax", "hostIPC"),
        ("fs.mqueue.msg_max", "hostIPC"),
        ("kernel.shmx", ""),
        ("kernel.semx", ""),
        ("kernel.hostname", ""),
        ("fs.mqueue", ""),
        ("vm.swappiness", ""),
    ],
)
def test_settings_of_a_namespace_of_the_host_are_not_the_pods_to_set(name: str, shared: str) -> None:
    both = of_sysctl(name, hostNetwork=True, hostIPC=True)
    assert both == ([f"may not be specified when '{shared}' is true"] if shared else [])
    assert of_sysctl(name) == []


def test_a_pattern_is_no_setting_but_is_in_its_namespace() -> None:
    wrong, shared = of_sysctl("net.*", hostNetwork=True)
    assert wrong.startswith("must have at most 253 characters and match regex ^([a-z0-9]")
    assert shared == "may not be specified when 'hostNetwork' is true"


def test_a_pod_with_users_of_its_own_shares_nothing_with_its_host_and_has_no_raw_devices() -> None:
    devices = {**CONTAINER, "volumeDevices": [{"name": "v", "devicePath": "/x"}]}
    template = {"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1"}}}}
    found = told(
        hostUsers=False,
        hostNetwork=True,
        hostPID=True,
        hostIPC=True,
        containers=[devices],
        initContainers=[{**devices, "name": "d"}],
        volumes=[{"name": "v", "ephemeral": {"volumeClaimTemplate": template}}],
    )
    assert found == [
        f"spec.{field}: Forbidden: when `hostUsers` is false"
        for field in (
            "hostNetwork",
            "HostPID",
            "HostIPC",
            "initContainers[0].volumeDevices",
            "containers[0].volumeDevices",
        )
    ]


def test_a_name_for_itself_is_told_of_after_what_it_may_not_stand_beside() -> None:
    beside, network, wrong, name = told(
        hostnameOverride=NOT_A_NAME, setHostnameAsFQDN=True, hostNetwork=True, serviceAccountName=NOT_A_NAME
    )
    assert beside == "spec.hostnameOverride: Forbidden: may not be specified when setHostnameAsFQDN is true"
    assert network == "spec.hostnameOverride: Forbidden: may not be specified when hostNetwork is true"
    assert wrong.startswith('spec.hostnameOverride: Invalid value: "A_": a lowercase RFC 1123 subdomain')
    assert name.startswith("spec.serviceAccountName: ")


def test_files_that_variables_come_from_are_looked_for_last() -> None:
    variable = {"name": "A", "valueFrom": {"fileKeyRef": {"volumeName": "n", "path": "p", "key": "k"}}}
    found = told(
        containers=[{**CONTAINER, "env": [variable]}],
        initContainers=[{**CONTAINER, "name": "d", "env": [variable]}],
        schedulingGroup={"podGroupName": NOT_A_NAME},
    )
    assert [text.partition(": ")[0] for text in found] == [
        "spec.schedulingGroup.podGroupName",
        "spec.initContainers[0].env[0].valueFrom.fileKeyRef.volumeName",
        "spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName",
    ]
    wrong = told(
        containers=[{**CONTAINER, "env": [variable]}], volumes=[{"name": "n", "hostPath": {"path": "/x"}}]
    )
    assert wrong == [
        'spec.containers[0].env[0].valueFrom.fileKeyRef.volumeName: Invalid value: "n": referenced volume must be of '
        "type emptyDir"
    ]


def test_what_ephemeral_containers_have_not_is_told_in_the_order_of_their_fields() -> None:
    container = {
        **CONTAINER,
        "name": "e",
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        "ports": [{"containerPort": 80, "protocol": "TCP"}],
        "restartPolicyRules": [{"action": "Restart", "exitCodes": {"operator": "In", "values": [3]}}],
        "restartPolicy": "Never",
        "resizePolicy": [{"resourceName": "cpu", "restartPolicy": "NotRequired"}],
        "resources": {"limits": {"cpu": "1"}},
    }
    fields = ("ports", "resources", "resizePolicy", "restartPolicy", "restartPolicyRules", "lifecycle")
    assert told(ephemeralContainers=[container]) == [
        f"spec.ephemeralContainers[0].{field}: Forbidden: cannot be set for an Ephemeral Container"
        for field in fields
    ]


@pytest.mark.parametrize(
    ("resources", "quality"),
    [(None, "Burstable"), ({}, "BestEffort"), ({"requests": {"cpu": "1"}}, "Burstable")],
)
def test_resources_of_a_pod_count_in_place_of_its_containers_even_where_there_are_none(
    resources: Object | None, quality: str
) -> None:
    container = {**CONTAINER, "resources": {"requests": {"cpu": "1"}}}
    assert qos_class({"containers": [container], "resources": resources}) == quality
