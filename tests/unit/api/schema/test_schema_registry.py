"""The schema of every kind is found, navigable, and resolved only where it is used."""

import subprocess
import sys

import pytest

from dray.api.schema import schema_for
from dray.api.schema.model import Schema, zero_struct
from dray.api.schema.registry import PACKAGES, type_schema, types_of

KINDS = [
    ("v1", "Pod"),
    ("v1", "Node"),
    ("v1", "Secret"),
    ("v1", "Event"),
    ("v1", "Binding"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ControllerRevision"),
    ("batch/v1", "CronJob"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
    ("coordination.k8s.io/v1", "Lease"),
    ("events.k8s.io/v1", "Event"),
    ("authentication.k8s.io/v1", "TokenReview"),
    ("authentication.k8s.io/v1", "TokenRequest"),
    ("authorization.k8s.io/v1", "SelfSubjectAccessReview"),
    ("policy/v1", "Eviction"),
    ("policy/v1", "PodDisruptionBudget"),
    ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"),
    ("discovery.k8s.io/v1", "EndpointSlice"),
    ("storage.k8s.io/v1", "CSINode"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("autoscaling/v1", "Scale"),
    ("resource.k8s.io/v1", "ResourceClaim"),
    ("resource.k8s.io/v1beta2", "DeviceTaintRule"),
    ("resource.k8s.io/v1beta1", "ResourceSlice"),
    ("resource.k8s.io/v1alpha3", "ResourcePoolStatusRequest"),
    ("v1", "DeleteOptions"),
    ("apps/v1", "DeleteOptions"),
]


@pytest.mark.parametrize(("api_version", "kind"), KINDS)
def test_every_kind_that_dray_serves_has_a_schema(api_version: str, kind: str) -> None:
    schema = schema_for(api_version, kind)

    assert schema is not None
    assert schema.shape == "struct"
    assert {"kind", "apiVersion"} <= set(schema.fields)


@pytest.mark.parametrize(
    ("api_version", "kind"), [("v1", "Container"), ("v1", "Nonsense"), ("nonsense/v1", "Pod"), ("", "")]
)
def test_parts_and_strangers_are_no_kinds(api_version: str, kind: str) -> None:
    assert schema_for(api_version, kind) is None


def _at(schema: Schema | None, *path: str) -> Schema:
    for step in path:
        assert schema is not None
        schema = schema.items if step == "[]" else schema.child(step)
    assert schema is not None
    return schema


def test_lists_say_how_they_merge() -> None:
    pod = schema_for("v1", "Pod")
    claim = schema_for("resource.k8s.io/v1", "ResourceClaim")

    ports = _at(pod, "spec", "containers", "[]", "ports")
    assert (ports.list_type, ports.list_keys) == ("map", ("containerPort", "protocol"))
    assert _at(pod, "metadata", "finalizers").list_type == "set"
    assert _at(claim, "spec", "devices", "requests").is_atomic
    assert _at(claim, "status", "devices").list_keys == ("driver", "device", "pool", "shareID")


def test_maps_say_whether_they_are_owned_whole() -> None:
    pod = schema_for("v1", "Pod")

    assert _at(pod, "spec", "nodeSelector").is_atomic
    assert not _at(pod, "metadata", "labels").is_atomic
    assert _at(schema_for("resource.k8s.io/v1", "ResourceSlice"), "spec", "nodeSelector").is_atomic


def test_fields_carry_merge_keys_strategies_and_defaults() -> None:
    spec = type_schema("core/v1", "PodSpec").fields

    assert spec["volumes"].merge_key == "name"
    assert spec["volumes"].strategies == {"merge", "retainKeys"}
    assert type_schema("core/v1", "ContainerPort").fields["protocol"].default == "TCP"


@pytest.mark.parametrize("package", sorted(set(PACKAGES.values())))
def test_every_reference_in_the_data_leads_somewhere(package: str) -> None:
    for name in types_of(package):
        for field in type_schema(package, name).fields.values():
            schema = field.schema
            while schema.items or schema.values:
                schema = schema.items or schema.values  # type: ignore[assignment]
            assert schema.shape in ("scalar", "any") or schema.fields is not None


def test_an_empty_object_is_written_with_the_fields_go_cannot_leave_out() -> None:
    node = schema_for("v1", "Node")
    claim = schema_for("resource.k8s.io/v1", "ResourceClaim")
    assert node is not None
    assert claim is not None

    assert zero_struct(claim) == {"metadata": {}, "spec": {"devices": {"requests": None}}, "status": {}}
    assert zero_struct(node)["status"]["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 0}}


def test_zero_values_are_never_shared() -> None:
    claim = schema_for("resource.k8s.io/v1", "ResourceClaim")
    assert claim is not None

    zero_struct(claim)["spec"]["devices"]["requests"] = ["changed"]

    assert zero_struct(claim)["spec"]["devices"] == {"requests": None}


def test_importing_the_room_reads_no_data() -> None:
    code = (
        "import sys, dray.api.schema, dray.api.schema.registry as r;"
        "assert not r.types_of.cache_info().currsize; assert 'yaml' not in sys.modules; assert 'gzip' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], check=True)
