"""What a container finds in its environment and in files made from API objects."""

import base64
from pathlib import Path
from typing import Any

import pytest

from dray.api.meta import Object
from dray.node.envfile import EnvFileError, parse
from dray.node.environment import (
    EnvironmentFailure,
    PodFacts,
    container_environment,
    expand,
    service_variables,
)
from dray.node.fieldrefs import FieldError, field_value, resource_value
from dray.node.volumes.atomic import write_files
from dray.node.volumes.content import File, Sources, VolumeFailure, volume_files
from dray.node.volumes.hostpath import prepare_host_path
from dray.node.volumes.podvolumes import container_mounts, read_below
from tests.unit.node.builders import container, pod

CONFIG: Object = {"data": {"colour": "red", "size": "5"}}
SECRET: Object = {"data": {"key": "open sesame"}}
FILE = """\
# what the first container found
COLOUR='it is "red"'
  LINES = 'one
two'

EMPTY=''
"""
FILES = {("shared", "a.env"): FILE, ("shared", "b.env"): "A='1'\nB=two\n"}
FACTS = PodFacts(
    host_ips=["10.0.0.9"],
    pod_ips=["10.0.0.1"],
    allocatable={"cpu": "4", "memory": "8Gi"},
    service=service_variables("10.0.0.2", 6443),
    config_map=lambda namespace, name: CONFIG if name == "config" else None,
    secret=lambda namespace, name: SECRET if name == "secret" else None,
    file=lambda volume, path: FILES.get((volume, path)),
)


def environment(*env: Object, **more: Any) -> dict[str, str]:
    spec = container(env=list(env), **more)
    return container_environment(pod(spec, metadata={"labels": {"app": "web"}}), spec, FACTS)


def source(name: str, **reference: Any) -> Object:
    return {"name": name, "valueFrom": reference}


def test_variables_may_use_earlier_ones_and_those_of_the_service() -> None:
    found = environment(
        {"name": "HOST", "value": "web"},
        {"name": "URL", "value": "http://$(HOST):$(KUBERNETES_SERVICE_PORT)/$(NO)$$(HOST)"},
    )
    assert found["URL"] == "http://web:6443/$(NO)$(HOST)"


def test_a_pods_own_variable_hides_the_services() -> None:
    assert environment({"name": "KUBERNETES_SERVICE_HOST", "value": "me"})["KUBERNETES_SERVICE_HOST"] == "me"


def test_values_come_from_objects_fields_and_resources() -> None:
    found = environment(
        source("COLOUR", configMapKeyRef={"name": "config", "key": "colour"}),
        source("KEY", secretKeyRef={"name": "secret", "key": "key"}),
        source("IP", fieldRef={"fieldPath": "status.podIP"}),
        source("APP", fieldRef={"fieldPath": "metadata.labels['app']"}),
        source("CPUS", resourceFieldRef={"resource": "limits.cpu"}),
        source("MISSING", configMapKeyRef={"name": "config", "key": "no", "optional": True}),
    )
    assert (found["COLOUR"], found["KEY"], found["IP"], found["APP"], found["CPUS"]) == (
        "red", "open sesame", "10.0.0.1", "web", "4",
    )  # fmt: skip
    assert "MISSING" not in found


def in_file(key: str, path: str = "a.env", **more: Any) -> dict[str, Any]:
    return {"fileKeyRef": {"volumeName": "shared", "path": path, "key": key, **more}}


def test_values_come_from_files_that_other_containers_wrote() -> None:
    keys = ("COLOUR", "LINES", "EMPTY")
    found = environment(*(source(key, **in_file(key)) for key in keys))
    assert [found[key] for key in keys] == ['it is "red"', "one\ntwo", ""]
    assert "NO" not in environment(source("NO", **in_file("NO", optional=True)))
    assert "NO" not in environment(source("NO", **in_file("NO", "none.env", optional=True)))


@pytest.mark.parametrize(
    ("reference", "text"),
    [
        (in_file("NO"), "environment variable key NO not found in file a.env of volume shared"),
        (in_file("A", "none.env"), "environment variable key A not found in file none.env of volume shared"),
        (
            in_file("A", "b.env", optional=True),
            "env file b.env in volume shared cannot be read: line 2 is not",
        ),
    ],
)
def test_what_a_file_does_not_have_or_say_is_told(reference: Object, text: str) -> None:
    with pytest.raises(EnvironmentFailure, match=text):
        environment(source("A", **reference))


@pytest.mark.parametrize(
    "line",
    [
        "A=bare",
        'A="double"',
        "A='one''two'",
        "A='one'$B",
        "A='one' # no comment",
        "A='unended",
        "export A='x'",
        "A",
    ],
)
def test_a_file_says_nothing_that_a_shell_would_have_to_work_out(line: str) -> None:
    with pytest.raises(EnvFileError, match="line 2"):
        parse(f"OK='1'\n{line}\n")


def test_whole_objects_come_with_a_prefix_and_yield_to_named_variables() -> None:
    found = environment(
        {"name": "C_size", "value": "mine"},
        envFrom=[
            {"prefix": "C_", "configMapRef": {"name": "config"}},
            {"configMapRef": {"name": "no", "optional": True}},
        ],
    )
    assert (found["C_colour"], found["C_size"]) == ("red", "mine")


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        (source("A", configMapKeyRef={"name": "no", "key": "x"}), 'configmap "no" not found'),
        (source("A", secretKeyRef={"name": "no", "key": "x"}), 'secret "no" not found'),
        (
            source("A", configMapKeyRef={"name": "config", "key": "x"}),
            "couldn't find key x in ConfigMap default/config",
        ),
    ],
)
def test_what_is_missing_is_named(entry: Object, text: str) -> None:
    with pytest.raises(EnvironmentFailure) as failure:
        environment(entry)
    assert str(failure.value) == text


def test_expansion_leaves_unknown_names_alone() -> None:
    assert expand("$(A) $(B) $$(A) $A", {"A": "1"}) == "1 $(B) $(A) $A"


# --- the downward API ---


def test_resources_are_rounded_up_to_the_divisor() -> None:
    asking = pod(
        container(resources={"limits": {"cpu": "250m", "memory": "100Mi"}, "requests": {"cpu": "10m"}})
    )

    def value(resource: str, divisor: str = "0") -> str:
        return resource_value(asking, {"resource": resource, "divisor": divisor, "containerName": "main"}, {})

    assert value("limits.cpu") == "1"
    assert value("limits.cpu", "1m") == "250"
    assert value("requests.cpu", "1m") == "10"
    assert value("limits.memory", "1Mi") == "100"


def test_a_field_that_is_not_offered_is_refused() -> None:
    with pytest.raises(FieldError, match=r"unsupported fieldPath: spec\.hostname"):
        field_value(pod(), "spec.hostname", [], [])


# --- files ---


def sources(**objects: Object) -> Sources:
    return Sources(
        pod=pod(metadata={"labels": {"app": "web"}}),
        config_map=lambda name: CONFIG if name == "config" else None,
        secret=lambda name: (
            {"data": {"key": base64.b64encode(b"sesame").decode()}} if name == "secret" else None
        ),
        token=lambda audience, lifetime: f"token for {audience or 'the API'}",
        host_ips=("10.0.0.9",),
        pod_ips=("10.0.0.1",),
        allocatable={},
    )


def test_a_projected_volume_holds_everything_a_service_account_needs() -> None:
    volume = {
        "name": "v",
        "projected": {
            "defaultMode": 0o600,
            "sources": [
                {"serviceAccountToken": {"path": "token"}},
                {"configMap": {"name": "config", "items": [{"key": "colour", "path": "a/b", "mode": 0}]}},
                {"secret": {"name": "secret"}},
                {
                    "downwardAPI": {
                        "items": [{"path": "labels", "fieldRef": {"fieldPath": "metadata.labels"}}]
                    }
                },
            ],
        },
    }
    assert volume_files(volume, sources()) == {
        "token": File(b"token for the API", 0o600),
        "a/b": File(b"red", 0),
        "key": File(b"sesame", 0o600),
        "labels": File(b'app="web"', 0o600),
    }


def test_a_missing_object_or_key_is_named_unless_it_is_optional() -> None:
    with pytest.raises(VolumeFailure, match='configmap "no" not found'):
        volume_files({"configMap": {"name": "no"}}, sources())
    assert volume_files({"configMap": {"name": "no", "optional": True}}, sources()) == {}
    with pytest.raises(VolumeFailure, match="configmap references non-existent config key: no"):
        volume_files({"configMap": {"name": "config", "items": [{"key": "no", "path": "x"}]}}, sources())


def test_no_path_leads_out_of_its_volume() -> None:
    with pytest.raises(VolumeFailure, match="invalid path"):
        volume_files({"configMap": {"name": "config", "items": [{"key": "size", "path": "../x"}]}}, sources())


def test_files_change_all_at_once_and_only_when_they_differ(tmp_path: Path) -> None:
    assert write_files(tmp_path, {"a": File(b"1"), "b/c": File(b"2", 0o400)})
    assert not write_files(tmp_path, {"a": File(b"1"), "b/c": File(b"2", 0o400)})
    assert (tmp_path / "b" / "c").read_bytes() == b"2"
    first = (tmp_path / "..data").readlink()
    assert write_files(tmp_path, {"a": File(b"3")})
    assert (tmp_path / "a").read_bytes() == b"3"
    assert not (tmp_path / "b").exists()
    assert (tmp_path / "..data").readlink() != first
    assert len(list(tmp_path.iterdir())) == 3, "the link, the new files, and one name"


def test_a_host_path_is_made_or_checked_as_its_type_says(tmp_path: Path) -> None:
    assert prepare_host_path(tmp_path / "made", "DirectoryOrCreate", "/made").is_dir()
    assert prepare_host_path(tmp_path / "file", "FileOrCreate", "/file").is_file()
    with pytest.raises(VolumeFailure, match="hostPath type check failed: /made is not a file"):
        prepare_host_path(tmp_path / "made", "File", "/made")
    with pytest.raises(VolumeFailure, match="hostPath type check failed: /no is not a directory"):
        prepare_host_path(tmp_path / "no", "Directory", "/no")


def test_a_sub_path_never_leads_out_of_the_volume(tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    (tmp_path / "volume" / "escape").symlink_to(tmp_path)
    volumes = {"v": tmp_path / "volume"}

    def mount(**more: str) -> Path:
        entry = {"name": "v", "mountPath": "/data", **more}
        (found,) = container_mounts(container(volumeMounts=[entry]), volumes, {"WHO": "me"})
        return found.source

    assert mount(subPath="a/b") == tmp_path / "volume" / "a" / "b"
    assert mount(subPathExpr="of-$(WHO)") == tmp_path / "volume" / "of-me"
    with pytest.raises(VolumeFailure, match="missing value for WHAT"):
        mount(subPathExpr="$$(WHO)/$(WHAT)")
    (tmp_path / "outside").write_text("A='secret'")
    with pytest.raises(VolumeFailure, match="leads out of the volume"):
        read_below(tmp_path / "volume", "escape/outside")
    assert read_below(tmp_path / "volume", "none") is None
    with pytest.raises(VolumeFailure, match="leads out of the volume"):
        mount(subPath="escape")
    with pytest.raises(VolumeFailure, match="must be below the volume"):
        mount(subPath="../x")
