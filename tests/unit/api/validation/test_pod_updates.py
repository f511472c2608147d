"""What a write to a stored pod may say, in the words of kube-apiserver 1.36.2."""

import pytest

from dray.api.fields import Path
from dray.api.meta import Object
from dray.api.validation.pod.annotations import validate_annotation_changes, validate_pod_annotations
from dray.api.validation.pod.spec import validate_pod_spec
from dray.api.validation.pod.status import validate_pod_status
from dray.api.validation.pod.update import spec_difference, validate_pod_update

CONTAINER = {"name": "c", "image": "i", "terminationMessagePolicy": "File", "imagePullPolicy": "Always"}
SPEC = {"containers": [CONTAINER], "restartPolicy": "Always", "dnsPolicy": "ClusterFirst"}
MIRROR = "kubernetes.io/config.mirror"
CONFINED = "container.apparmor.security.beta.kubernetes.io/"


def pod(annotations: dict[str, str] | None = None, **spec: object) -> Object:
    meta = {"name": "p", "resourceVersion": "1", "annotations": annotations or {}}
    return {"metadata": meta, "spec": {**SPEC, "serviceAccountName": "default", **spec}}


def told(errors) -> list[str]:
    return [str(error) for error in errors]


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        (
            "controller.kubernetes.io/pod-deletion-cost",
            "+5",
            '[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+5": must be a 32bit integer',
        ),
        (
            "controller.kubernetes.io/pod-deletion-cost",
            "2147483648",
            '[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "2147483648": must be a 32bit integer',
        ),
        (
            "seccomp.security.alpha.kubernetes.io/pod",
            "x",
            '.seccomp.security.alpha.kubernetes.io/pod: Invalid value: "x": must be a valid seccomp profile',
        ),
        (
            "container.seccomp.security.alpha.kubernetes.io/c",
            "localhost/../x",
            ".container.seccomp.security.alpha.kubernetes.io/c: Invalid value: \"../x\": must not contain '..'",
        ),
        (f"{CONFINED}z", "unconfined", f'[{CONFINED}z]: Invalid value: "z": container not found'),
        (f"{CONFINED}c", "z", f'[{CONFINED}c]: Invalid value: "z": invalid AppArmor profile name: "z"'),
        (
            "scheduler.alpha.kubernetes.io/tolerations",
            "x",
            ': Invalid value: "scheduler.alpha.kubernetes.io/tolerations": '
            "invalid character 'x' looking for beginning of value",
        ),
        (
            MIRROR,
            "x",
            f'[{MIRROR}]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set',
        ),
    ],
)
def test_annotations_that_are_read_must_make_sense(key: str, value: str, text: str) -> None:
    assert told(validate_pod_annotations(pod({key: value}))) == [f"metadata.annotations{text}"]


@pytest.mark.parametrize("cost", ["0", "-5", "2147483647", "-2147483648"])
def test_the_cost_of_deletion_is_a_whole_number(cost: str) -> None:
    assert validate_pod_annotations(pod({"controller.kubernetes.io/pod-deletion-cost": cost})) == []


def test_a_cost_that_was_stored_may_stay() -> None:
    stored = pod({"controller.kubernetes.io/pod-deletion-cost": "x"})
    assert validate_pod_update(stored, stored) == []


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ({}, {MIRROR: "x"}, f"[{MIRROR}]: Forbidden: may not add mirror pod annotation"),
        ({MIRROR: "x"}, {}, f"[{MIRROR}]: Forbidden: may not remove or update mirror pod annotation"),
        (
            {MIRROR: "x"},
            {MIRROR: "y"},
            f"[{MIRROR}]: Forbidden: may not remove or update mirror pod annotation",
        ),
        (
            {},
            {f"{CONFINED}c": "unconfined"},
            f"[{CONFINED}c]: Forbidden: may not add AppArmor annotations",
        ),
        (
            {f"{CONFINED}c": "unconfined"},
            {},
            f"[{CONFINED}c]: Forbidden: may not remove or update AppArmor annotations",
        ),
    ],
)
def test_mirrors_and_confinement_are_settled_at_creation(before, after, text: str) -> None:
    old, new = pod(before, nodeName="n"), pod(after, nodeName="n")
    assert told(validate_annotation_changes(new, old)) == [f"metadata.annotations{text}"]


@pytest.mark.parametrize("part", ["affinity", "dnsConfig", "resources"])
def test_a_part_that_says_nothing_is_not_as_none(part: str) -> None:
    (found,) = validate_pod_update(pod(**{part: {}}), pod())
    assert found.field == "spec"
    assert validate_pod_update(pod(nodeSelector={}), pod()) == []


def test_a_difference_shows_every_field_of_a_volume() -> None:
    volumes = [{"name": "v", "fc": {"fsType": "x"}}]
    shown = spec_difference(pod()["spec"], pod(volumes=volumes)["spec"])
    assert '"TargetWWNs": null' in shown
    assert '"WWIDs": null' in shown


def test_who_is_nobody_gets_no_token() -> None:
    volumes = [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]
    new = pod(volumes=volumes, serviceAccountName="")
    texts = told(validate_pod_update(new, new))
    at = "spec.volumes[0].projected.sources[0].serviceAccountToken"
    assert f"{at}: Forbidden: must not be specified when serviceAccountName is not set" in texts


def test_a_pod_for_windows_asks_for_nothing_that_only_linux_has() -> None:
    container = {**CONTAINER, "securityContext": {"seccompProfile": {"type": "Unconfined"}, "runAsUser": 1}}
    spec = {**SPEC, "containers": [container], "os": {"name": "windows"}, "hostPID": True}
    assert told(validate_pod_spec(spec, Path("spec"), is_pod=True)) == [
        "spec.hostPID: Forbidden: cannot be set for a windows pod",
        "spec.containers[0].securityContext.seccompProfile: Forbidden: cannot be set for a windows pod",
        "spec.containers[0].securityContext.runAsUser: Forbidden: cannot be set for a windows pod",
    ]


def test_a_pod_for_linux_asks_for_nothing_that_only_windows_has() -> None:
    spec = {**SPEC, "os": {"name": "linux"}, "securityContext": {"windowsOptions": {}}}
    text = "spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"
    assert told(validate_pod_spec(spec, Path("spec"), is_pod=True)) == [text]


def test_a_pod_that_has_a_node_is_nominated_for_none() -> None:
    old = pod(nodeName="n")
    text = "status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node"
    assert told(validate_pod_status({**old, "status": {"nominatedNodeName": "m"}}, old)) == [text]
