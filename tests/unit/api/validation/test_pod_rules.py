"""Rules of pods that no recorded scenario shows, or shows alone."""

import pytest

from dray.api.fields import Path
from dray.api.validation.addresses import one_of_each_family, parse_address
from dray.api.validation.pod.spec import validate_pod_spec
from dray.api.validation.pod.status import validate_pod_status
from dray.api.validation.pod.update import validate_pod_update

CONTAINER = {
    "name": "c",
    "image": "i",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "Always",
}
SPEC = {
    "containers": [CONTAINER],
    "restartPolicy": "Always",
    "dnsPolicy": "ClusterFirst",
    "terminationGracePeriodSeconds": 30,
}


def findings(**changes):
    return [
        str(error).removeprefix("spec.")
        for error in validate_pod_spec({**SPEC, **changes}, Path("spec"), is_pod=True)
    ]


def container_findings(**changes):
    found = findings(containers=[{**CONTAINER, **changes}])
    return [text.removeprefix("containers[0].") for text in found]


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        # Enumerations are told in the order Kubernetes lists them, which is not always the alphabet's.
        (
            {"tolerations": [{"key": "k", "effect": "x"}]},
            [
                'tolerations[0].effect: Unsupported value: "x": supported values: "NoSchedule", "PreferNoSchedule", '
                '"NoExecute"'
            ],
        ),
        (
            {"preemptionPolicy": "x"},
            ['preemptionPolicy: Unsupported value: "x": supported values: "PreemptLowerPriority", "Never"'],
        ),
        ({"preemptionPolicy": ""}, ["preemptionPolicy: Required value"]),
        # DNS
        ({"dnsPolicy": "None"}, ["dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"]),
        (
            {"dnsPolicy": "None", "dnsConfig": {"searches": ["A"]}},
            [
                "dnsConfig.nameservers: Required value: must provide at least one DNS nameserver when `dnsPolicy` is None"
            ],
        ),
        ({"dnsPolicy": "None", "dnsConfig": {"nameservers": ["10.1.1.1"], "searches": ["a.b.", "_x.y"]}}, []),
        (
            {"dnsConfig": {"nameservers": ["010.1.1.1"]}},
            ['dnsConfig.nameservers[0]: Invalid value: "010.1.1.1": must not have leading 0s'],
        ),
        (
            {"dnsConfig": {"nameservers": ["1.1.1.1"] * 4, "options": [{}]}},
            [
                'dnsConfig.nameservers: Invalid value: ["1.1.1.1","1.1.1.1","1.1.1.1","1.1.1.1"]: must not have more '
                "than 3 nameservers",
                "dnsConfig.options[0]: Required value: must not be empty",
            ],
        ),
        (
            {"hostAliases": [{"ip": "x"}]},
            [
                'hostAliases[0].ip: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'
            ],
        ),
        # the host
        (
            {"hostUsers": False, "hostNetwork": True, "hostPID": True},
            [
                "hostNetwork: Forbidden: when `hostUsers` is false",
                "HostPID: Forbidden: when `hostUsers` is false",
            ],
        ),
        (
            {"shareProcessNamespace": True, "hostPID": True},
            [
                "securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot "
                "both be enabled"
            ],
        ),
        # Of two constraints that are alike the first is named.
        (
            {"topologySpreadConstraints": 2 * [{"maxSkew": 1, "topologyKey": "z", "whenUnsatisfiable": "DoNotSchedule"}]},
            [
                "topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: "
                'Duplicate value: "{z, DoNotSchedule}"'
            ],
        ),
        (
            {
                "topologySpreadConstraints": [
                    {
                        "maxSkew": 1,
                        "topologyKey": "z",
                        "whenUnsatisfiable": "ScheduleAnyway",
                        "minDomains": 0,
                        "nodeTaintsPolicy": "x",
                    }
                ]
            },
            [
                "topologySpreadConstraints[0].minDomains: Invalid value: 0: must be greater than zero",
                "topologySpreadConstraints[0].minDomains: Invalid value: 0: can only use minDomains if "
                "whenUnsatisfiable=DoNotSchedule, not ScheduleAnyway",
                'topologySpreadConstraints[0].nodeTaintsPolicy: Unsupported value: "x": supported values: "Honor", '
                '"Ignore"',
            ],
        ),
        # Many at once, in the order of Kubernetes.
        (
            {
                "priorityClassName": "A",
                "hostname": "A",
                "tolerations": [{"operator": "Equal"}],
                "activeDeadlineSeconds": 0,
                "nodeName": "A",
                "readinessGates": [{"conditionType": ""}],
                "restartPolicy": "x",
                "nodeSelector": {"a": "-"},
            },
            [
                "restartPolicy",
                "nodeSelector",
                "readinessGates[0].conditionType",
                "readinessGates[0].conditionType",
                "nodeName",
                "activeDeadlineSeconds",
                "hostname",
                "tolerations[0].operator",
                "priorityClassName",
            ],
        ),
        ({"imagePullSecrets": [{}]}, []),
    ],
)  # fmt: skip
def test_pod(changes, found):
    got = findings(**changes)
    if found and ":" not in found[0]:
        got = [text.split(":")[0] for text in got]
    assert got == found


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        (
            {"terminationMessagePolicy": "x"},
            ['terminationMessagePolicy: Unsupported value: "x": supported values: "File", "FallbackToLogsOnError"'],
        ),
        (
            {"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}},
            [
                "lifecycle.preStop.sleep: Invalid value: 31: must be non-negative and less than "
                "terminationGracePeriodSeconds (30)"
            ],
        ),
        ({"lifecycle": {"preStop": {"sleep": {"seconds": 0}}}}, []),
        (
            {"envFrom": [{}]},
            ['envFrom: Invalid value: "": must specify one of: `configMapRef` or `secretRef`'],
        ),
        ({"envFrom": [{"configMapRef": {"name": "a-"}}]}, []),
        (
            {
                "env": [
                    {
                        "name": "A",
                        "valueFrom": {"resourceFieldRef": {"resource": "limits.cpu", "divisor": "2"}},
                    }
                ]
            },
            [
                'env[0].valueFrom.resourceFieldRef.divisor: Invalid value: "limits.cpu": only divisor\'s values 1m and '
                "1 are supported with the cpu resource"
            ],
        ),
        (
            {"securityContext": {"seccompProfile": {"type": "Unconfined", "localhostProfile": "p"}}},
            [
                'securityContext.seccompProfile.localhostProfile: Invalid value: {"Type":"Unconfined",'
                '"LocalhostProfile":"p"}: can only be set when seccomp type is Localhost'
            ],
        ),
        (
            {"securityContext": {"appArmorProfile": {"type": "Localhost"}, "procMount": "Unmasked"}},
            [
                'securityContext.procMount: Invalid value: "Unmasked": `hostUsers` must be false to use `Unmasked`',
                "securityContext.appArmorProfile.localhostProfile: Required value: must be set when AppArmor type is "
                "Localhost",
            ],
        ),
    ],
)  # fmt: skip
def test_container(changes, found):
    assert container_findings(**changes) == found


def test_ports_of_any_init_container_are_told_as_those_of_the_first():
    twice = {**CONTAINER, "ports": 2 * [{"containerPort": 1, "hostPort": 1, "protocol": "TCP"}]}
    inits = [{**CONTAINER, "name": "a"}, {**twice, "name": "b"}]
    assert findings(initContainers=inits) == [
        'initContainers[0].ports[1].hostPort: Duplicate value: "TCP//1"'
    ]


def changed(old, new):
    found = validate_pod_update(
        {"metadata": {}, "spec": {**SPEC, **new}}, {"metadata": {}, "spec": {**SPEC, **old}}
    )
    return [str(error).partition("\n")[0] for error in found]


def required(*terms):
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
        "nodeSelectorTerms": [{"matchExpressions": [{"key": key, "operator": "Exists"} for key in term]} for term in terms]
    }}}}  # fmt: skip


GATED = {"schedulingGates": [{"name": "g"}]}
TERMS = "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms"


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (GATED, {**GATED, "nodeSelector": {"a": "b"}}, []),
        (GATED, {**GATED, **required("a")}, []),
        ({**GATED, **required("a")}, {**GATED, **required("ab")}, []),
        (
            {**GATED, **required("a")},
            {**GATED, **required("b")},
            [f"{TERMS}[0]: Invalid value: "],
        ),
        ({**GATED, **required("a")}, GATED, [f"{TERMS}: Invalid value: null: no additions/deletions"]),
        (
            {**GATED, "nodeSelector": {"a": "b"}},
            {**GATED, "nodeSelector": {"a": "c"}},
            ['spec.nodeSelector: Invalid value: {"a":"c"}: only additions to spec.nodeSelector'],
        ),
        ({}, {"nodeSelector": {"a": "b"}}, ["spec: Forbidden: pod updates may not change"]),
        (
            {"activeDeadlineSeconds": 5},
            {"activeDeadlineSeconds": 6, "nodeSelector": {"a": "b"}},
            ["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to previous"],
        ),
        (
            {},
            {"containers": [{**CONTAINER, "resources": {"requests": {"cpu": "1"}}}]},
            ["spec: Forbidden: pod updates"],
        ),
    ],
)
def test_change_of_a_pod(old, new, found):
    got = changed(old, new)
    assert [text[: len(start)] for text, start in zip(got, found, strict=True)] == found


def status_findings(old, new):
    pod = {"metadata": {}, "spec": {**SPEC, "restartPolicy": "Never"}}
    found = validate_pod_status({**pod, "status": new}, {**pod, "status": old})
    return [str(error).removeprefix("status.") for error in found]


@pytest.mark.parametrize(
    ("old", "new", "found"),
    [
        (
            {},
            {"podIPs": [{"ip": "1.1.1.1"}, {"ip": "1.1.1.1"}]},
            [
                'podIPs: Invalid value: [{"IP":"1.1.1.1"},{"IP":"1.1.1.1"}]: may specify no more than one IP for each '
                "IP family",
            ],
        ),
        ({}, {"podIPs": [{"ip": "1.1.1.1"}, {"ip": "::1"}]}, []),
        ({}, {"podIPs": [{"ip": "01.1.1.1"}]}, ['podIPs[0]: Invalid value: "01.1.1.1": must not have leading 0s']),
        ({"podIPs": [{"ip": "01.1.1.1"}]}, {"podIPs": [{"ip": "01.1.1.1"}]}, []),
        ({}, {"hostIPs": [{"ip": "1.1.1.1"}]}, ['hostIPs[0].ip: Invalid value: "1.1.1.1": must be equal to `hostIP`']),
        (
            {"containerStatuses": [{"name": "a"}, {"name": "b", "state": {"terminated": {"exitCode": 0}}}]},
            {"containerStatuses": [{"name": "b", "state": {"running": {}}}]},
            ["containerStatuses[1].state: Forbidden: may not be transitioned to non-terminated state"],
        ),
    ],
)  # fmt: skip
def test_status(old, new, found):
    assert status_findings(old, new) == found


def test_addresses_are_read_with_leading_zeros_but_not_with_a_zone():
    assert str(parse_address("010.00.0.1")) == "10.0.0.1"
    assert parse_address("fe80::1%eth0") is None
    assert one_of_each_family(["::1", "1.1.1.1"])
    assert not one_of_each_family(["::1", "1.1.1.1", "1.1.1.2"])
