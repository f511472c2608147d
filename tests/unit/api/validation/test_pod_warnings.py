"""What pods and templates are warned of though they are taken, in the words of kube-apiserver 1.36.2."""

import pytest

from dray.api.fields import Path
from dray.api.meta import Object
from dray.api.validation.pod.warnings import (
    claim_warnings,
    pod_template_warnings,
    pod_warnings,
    status_warnings,
)

AT = "spec.containers[0]"


def of_pod(annotations: Object | None = None, **spec: object) -> list[str]:
    return pod_warnings({"metadata": {"name": "p", "annotations": annotations or {}}, "spec": spec})


def of_container(**fields: object) -> list[str]:
    return of_pod(containers=[{"name": "c", "image": "i", **fields}])


def of_volume(**volume: object) -> list[str]:
    return of_pod(volumes=[{"name": "v", **volume}])


def test_nothing_is_told_of_what_is_right() -> None:
    assert of_container(resources={"limits": {"memory": "1Gi"}}, ports=[{"containerPort": 80}]) == []


def test_a_name_that_is_no_hostname_is_told_of() -> None:
    (told,) = pod_warnings({"metadata": {"name": "a.b"}, "spec": {}})
    assert told.startswith(
        "metadata.name: this is used in the Pod's hostname, which can result in surprising behavior"
    )


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("beta.kubernetes.io/os", 'deprecated since v1.14; use "kubernetes.io/os" instead'),
        ("app.kubernetes.io/created-by", "deprecated since v1.9"),
        ("node-role.kubernetes.io/master", 'use "node-role.kubernetes.io/control-plane" instead'),
    ],
)
def test_labels_of_old_are_told_of_wherever_nodes_are_chosen(key: str, text: str) -> None:
    assert of_pod(nodeSelector={key: "x"}) == [f"spec.nodeSelector[{key}]: {text}"]
    required, preferred = (
        f"{kind}DuringSchedulingIgnoredDuringExecution" for kind in ("required", "preferred")
    )
    term = {"matchExpressions": [{"key": key, "operator": "In", "values": ["a b"]}]}
    at = "spec.affinity.nodeAffinity"
    assert of_pod(affinity={"nodeAffinity": {required: {"nodeSelectorTerms": [term]}}}) == [
        f"{at}.{required}.nodeSelectorTerms[0].matchExpressions[0].key: {key} is {text}"
    ]
    where = f"{at}.{preferred}[0].preference.matchExpressions[0]"
    first, second = of_pod(affinity={"nodeAffinity": {preferred: [{"weight": 1, "preference": term}]}})
    assert first == f"{where}.key: {key} is {text}"
    assert second.startswith(f"{where}.values[0]: a b is invalid, a valid label must be an empty string or")


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("scheduler.alpha.kubernetes.io/critical-pod",
         'non-functional in v1.16+; use the "priorityClassName" field instead'),
        ("security.alpha.kubernetes.io/sysctls", 'non-functional in v1.11+; use the "sysctls" field instead'),
        ("seccomp.security.alpha.kubernetes.io/pod",
         'non-functional in v1.27+; use the "seccompProfile" field instead'),
    ],
)  # fmt: skip
def test_annotations_that_do_nothing_any_more_are_told_of(key: str, text: str) -> None:
    assert of_pod({key: "x"}) == [f"metadata.annotations[{key}]: {text}"]
    template = {"metadata": {"annotations": {key: "x"}}, "spec": {}}
    assert pod_template_warnings(template, Path("spec.template")) == [
        f"spec.template.metadata.annotations[{key}]: {text}"
    ]


def test_a_field_makes_the_annotation_of_seccomp_superfluous() -> None:
    profile = {"seccompProfile": {"type": "RuntimeDefault"}}
    key = "container.seccomp.security.alpha.kubernetes.io/c"
    container = {"name": "c", "image": "i"}
    (told,) = of_pod({key: "x"}, containers=[container])
    assert told.startswith(f"metadata.annotations[{key}]: non-functional")
    assert of_pod({key: "x"}, containers=[{**container, "securityContext": profile}]) == []
    assert of_pod({"seccomp.security.alpha.kubernetes.io/pod": "x"}, securityContext=profile) == []


def test_an_annotation_of_app_armor_is_told_of_in_templates_unless_the_pod_says_the_same() -> None:
    key = "container.apparmor.security.beta.kubernetes.io/c"
    template = {
        "metadata": {"annotations": {key: "runtime/default"}},
        "spec": {"containers": [{"name": "c"}]},
    }
    assert pod_template_warnings(template, Path("template")) == [
        f'template.metadata.annotations[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead'
    ]
    template["spec"]["securityContext"] = {"appArmorProfile": {"type": "RuntimeDefault"}}
    assert pod_template_warnings(template, Path("template")) == []
    template["spec"]["securityContext"] = {"appArmorProfile": {"type": "Unconfined"}}
    assert len(pod_template_warnings(template, Path("template"))) == 1


@pytest.mark.parametrize("amount", ["100m", "1500m", "0.5", "1.1", "9300000000000001"])
def test_parts_of_bytes_are_told_of(amount: str) -> None:
    text = "is invalid, must be an integer"
    (told,) = of_container(resources={"requests": {"memory": amount}})
    assert told.startswith(f"{AT}.resources.requests[memory]: fractional byte value ")
    assert told.endswith(text)
    assert len(of_container(resources={"limits": {"ephemeral-storage": amount}})) == 1
    assert len(list(claim_warnings({"resources": {"limits": {"storage": amount}}}, Path("spec")))) == 1
    assert len(of_pod(overhead={"memory": amount})) == 1


@pytest.mark.parametrize("amount", ["1", "1.5Gi", "1000m", "1.0", "9Ei", "93e14", "1e21"])
def test_whole_bytes_however_written_are_not(amount: str) -> None:
    assert of_container(resources={"requests": {"memory": amount}}) == []


@pytest.mark.parametrize(
    ("later", "hides"),
    [
        ({"value": "2"}, True),
        ({"value": "x$(A)"}, False),
        ({"value": "$(A)"}, True),
        ({"valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}, True),
    ],
)
def test_a_variable_that_is_not_made_of_an_earlier_one_hides_it(later: Object, hides: bool) -> None:
    told = of_container(env=[{"name": "A", "value": "1"}, {"name": "A", **later}])
    text = f'{AT}.env[1]: hides previous definition of "A", which may be dropped when using apply'
    assert told == ([text] if hides else [])


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        ({}, {}, "duplicate port definition with"),
        ({"hostPort": 1}, {}, "overlapping port definition with"),
        ({"hostPort": 1}, {"hostPort": 1, "hostIP": "1.1.1.1"}, "dangerously ambiguous port definition with"),
        ({"hostPort": 1, "hostIP": "1.1.1.2"}, {"hostPort": 1, "hostIP": "1.1.1.1"}, ""),
        ({"hostPort": 1}, {"hostPort": 2}, ""),
        ({"protocol": "TCP"}, {"protocol": "UDP"}, ""),
    ],
)
def test_ports_that_overlap_are_told_of(first: Object, second: Object, text: str) -> None:
    told = of_container(ports=[{"containerPort": 80, **first}, {"containerPort": 80, **second}])
    assert told == ([f"{AT}.ports[1]: {text} {AT}.ports[0]"] if text else [])


def test_an_address_of_the_host_wants_a_port_of_it() -> None:
    assert of_container(
        ports=[{"name": "n", "containerPort": 80, "protocol": "TCP", "hostIP": "1.1.1.1"}]
    ) == [
        f"{AT}.ports[0]: hostIP set without hostPort: {{Name:n HostPort:0 ContainerPort:80 Protocol:TCP HostIP:1.1.1.1}}"
    ]


def items(*paths: str) -> Object:
    return {"items": [{"key": "k", "path": path} for path in paths]}


def test_files_of_a_volume_that_are_in_each_others_way_are_told_of() -> None:
    assert of_volume(configMap={"name": "m", **items("a", "a/b")}) == [
        'volume "v" (ConfigMap "m"): overlapping paths: "a/b" with "a"'
    ]
    assert of_volume(secret={"secretName": "s", **items("a/", "a")}) == [
        'volume "v" (Secret "s"): overlapping paths: "a" with "a"'
    ]
    assert of_volume(downwardAPI=items("x", "x")) == [
        'volume "v" (DownwardAPI): overlapping paths: "x" with "x"'
    ]
    assert of_volume(configMap={"name": "m", **items("a", "ab")}) == []


def test_projected_files_are_told_of_by_their_sources() -> None:
    sources = [
        {"secret": {"name": "s", **items("x")}},
        {"serviceAccountToken": {"path": "x/token"}},
        {"clusterTrustBundle": {"signerName": "n", "path": "x"}},
        {"podCertificate": {"keyPath": "x/key"}},
    ]
    head = 'volume "v" (Projected): overlapping paths:'
    assert of_volume(projected={"sources": sources}) == [
        f'{head} "x/token" (ServiceAccountToken) with "x" (Secret "s")',
        f'{head} "x" (ClusterTrustBundle "n") with "x" (Secret "s")',
        f'{head} "x" (ClusterTrustBundle "n") with "x/token" (ServiceAccountToken)',
        f'{head} "x/key" (PodCertificate key) with "x" (Secret "s")',
        f'{head} "x/key" (PodCertificate key) with "x" (ClusterTrustBundle "n")',
    ]
    assert of_volume(projected={"sources": [{}]}) == ['volume "v" (Projected) has no sources provided']


def test_a_negative_time_to_end_is_told_of() -> None:
    assert of_pod(terminationGracePeriodSeconds=-1) == [
        "spec.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1"
    ]


def test_addresses_of_a_state_are_told_of_where_they_may_be_written_better() -> None:
    status = {"podIPs": [{"ip": "1.1.1.1"}], "hostIPs": [{"ip": "::A"}], "podIP": "1.1.1.1"}
    assert list(status_warnings(status)) == [
        'status.hostIPs[0].ip: IPv6 address "::A" should be in RFC 5952 canonical format ("::a")'
    ]
