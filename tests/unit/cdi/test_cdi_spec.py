"""CDI names, versions, validity and text."""

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dray.cdi.errors import CdiError
from dray.cdi.names import parse_kind, parse_qualified, spec_file_name
from dray.cdi.spec import lint, minimum_version, new_spec, validate
from dray.cdi.text import to_yaml

UID = "30e0a092-cd03-4bae-ae4e-dca0962e6563"


def device(name: str = "d", **edits: Any) -> dict[str, Any]:
    return {"name": name, "containerEdits": edits or {"env": ["A=b"]}}


def spec(*devices: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"cdiVersion": "1.1.0", "kind": "vendor.com/class", "devices": list(devices or [device()]), **more}


def problems(document: Any) -> str:
    with pytest.raises(CdiError) as caught:
        validate(document)
    return str(caught.value)


def test_qualified_name_has_vendor_class_and_device() -> None:
    name = parse_qualified(f"k8s.gpu.example.com/gpu={UID}-gpu-0")
    assert (name.vendor, name.class_, name.device) == ("k8s.gpu.example.com", "gpu", f"{UID}-gpu-0")
    assert str(name) == f"k8s.gpu.example.com/gpu={UID}-gpu-0"


@pytest.mark.parametrize(
    "name", ["", "/dev/null", "v/c", "v=d", "1v/c=d", "v-/c=d", "v/c=-d", "v/c=d_", "v/c=", "v/=d", "v/c/x=d"]
)
def test_malformed_device_names_are_refused(name: str) -> None:
    with pytest.raises(CdiError):
        parse_qualified(name)


@pytest.mark.parametrize("name", ["v/c=d", "v/c=0", "v.x-y_z/c.d=a:b.c_d-e", "V1/C=9"])
def test_well_formed_device_names_are_accepted(name: str) -> None:
    assert str(parse_qualified(name)) == name


def test_one_character_vendor_and_class_are_fine() -> None:
    assert parse_kind("v/c") == ("v", "c")


def test_file_name_says_vendor_class_and_owner() -> None:
    assert spec_file_name("v.com/gpu") == "v.com-gpu.yaml"
    assert spec_file_name("v.com/gpu", UID) == f"v.com-gpu_{UID}.yaml"
    assert spec_file_name("v.com/gpu", "a/b", ".json") == "v.com-gpu_a_b.json"


@pytest.mark.parametrize(
    ("edits", "version"),
    [
        ({"env": ["A=b"]}, "0.3.0"),
        ({"deviceNodes": [{"path": "/dev/x"}]}, "0.3.0"),
        ({"mounts": [{"hostPath": "/a", "containerPath": "/b"}]}, "0.3.0"),
        ({"mounts": [{"hostPath": "/a", "containerPath": "/b", "type": "bind"}]}, "0.4.0"),
        ({"deviceNodes": [{"path": "/dev/x", "hostPath": "/dev/y"}]}, "0.5.0"),
        ({"additionalGids": [44]}, "0.7.0"),
        ({"intelRdt": {"closID": "a"}}, "0.7.0"),
        ({"intelRdt": {"schemata": ["x"]}}, "1.1.0"),
        ({"intelRdt": {"enableMonitoring": True}}, "1.1.0"),
        ({"netDevices": [{"hostInterfaceName": "eth1", "name": "net0"}]}, "1.1.0"),
    ],
)
def test_minimum_version_follows_from_the_edits(edits: dict[str, Any], version: str) -> None:
    assert minimum_version(spec(device(**edits))) == version
    assert minimum_version(spec(device(), containerEdits=edits)) == version


@pytest.mark.parametrize(
    ("document", "version"),
    [
        (spec(device(UID)), "0.5.0"),
        (spec(device() | {"annotations": {"a": "b"}}), "0.6.0"),
        (spec(annotations={"a": "b"}), "0.6.0"),
        (spec() | {"kind": "vendor.com/class.sub"}, "0.6.0"),
    ],
)
def test_minimum_version_follows_from_names_and_annotations(document: dict[str, Any], version: str) -> None:
    assert minimum_version(document) == version


def test_new_spec_declares_the_lowest_version() -> None:
    assert new_spec("v.com/c", [device()])["cdiVersion"] == "0.3.0"


def test_version_lower_than_the_content_is_refused() -> None:
    assert "0.4.0 is declared, but the content needs 0.5.0" in problems(
        spec(device(UID)) | {"cdiVersion": "0.4.0"}
    )


def test_version_may_begin_with_v_but_must_be_known() -> None:
    validate(spec() | {"cdiVersion": "v0.3.0"})
    assert "'0.9.0' is not a known version" in problems(spec() | {"cdiVersion": "0.9.0"})


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (None, "the document: expected an object"),
        ([], "the document: expected an object"),
        (spec(extra=1), "extra: unknown field"),
        (spec(device(enV=["A=b"])), "devices[0].containerEdits.enV: unknown field"),
        (spec(device(env="A=b")), "devices[0].containerEdits.env: expected a list"),
        (spec(device(env=[1])), "devices[0].containerEdits.env[0]: expected a string"),
        (spec(device(additionalGids=[True])), "additionalGids[0]: expected an integer"),
        (spec(annotations={"a": 1}), "annotations: expected a map of strings"),
        (spec() | {"kind": "novendor"}, "expected vendor/class"),
        (spec() | {"devices": []}, "at least one device"),
        (spec(device(), device()), "'d' is defined twice"),
        (spec(device("-")), "'-' is not a CDI device name"),
        (spec({"name": "d", "containerEdits": {}}), "needs at least one edit"),
        (spec({"name": "d", "containerEdits": {"env": []}}), "needs at least one edit"),
        (spec(device(env=["=b"])), "'=b' is not KEY=VALUE"),
        (spec(device(env=["A"])), "'A' is not KEY=VALUE"),
        (spec(device(deviceNodes=[{"hostPath": "/dev/x"}])), "deviceNodes[0].path: a path is needed"),
        (spec(device(deviceNodes=[{"path": "/dev/x", "type": "x"}])), "not one of b, c, u, p"),
        (spec(device(deviceNodes=[{"path": "/dev/x", "permissions": "rx"}])), "'rx' is neither"),
        (spec(device(netDevices=[{"name": "a"}])), "hostInterfaceName: a name is needed"),
        (
            spec(device(netDevices=[{"hostInterfaceName": h, "name": "a"} for h in ("x", "y")])),
            "'a' is used twice",
        ),
        (spec(device(hooks=[{"hookName": "late", "path": "/x"}])), "'late' is not one of"),
        (spec(device(hooks=[{"hookName": "prestart"}])), "hooks[0].path: a path is needed"),
        (spec(device(mounts=[{"hostPath": "/a"}])), "containerPath: a path is needed"),
        (spec(device(intelRdt={"closID": ".."})), "'..' is not a class of service name"),
        (spec(device(additionalGids=[-1])), "-1 is not a group ID"),
    ],
)
def test_invalid_specs_say_where_and_why(document: Any, why: str) -> None:
    assert why in problems(document)


def test_permissions_none_and_clos_id_root_are_valid() -> None:
    validate(spec(device(deviceNodes=[{"path": "/dev/x", "permissions": "none"}], intelRdt={"closID": "/"})))


def test_lint_warns_of_needlessly_high_versions_and_overridden_variables() -> None:
    remarks = lint(spec(device(env=["A=1", "A=2"])))
    assert remarks == [
        "cdiVersion 1.1.0 is declared but 0.3.0 suffices: older runtimes will refuse the file",
        "device d sets A more than once: only the last value counts",
    ]


def test_yaml_has_the_bytes_of_the_recorded_driver() -> None:
    env = [f"GPU_DEVICE_GPU_0_RESOURCE_CLAIM={UID}", "DRA_ADMIN_ACCESS=false", "GPU_DEVICE_0=gpu-0"]
    assert to_yaml(new_spec("k8s.gpu.example.com/gpu", [device(f"{UID}-gpu-0", env=env)])) == (
        "---\n"
        "cdiVersion: 0.5.0\n"
        "kind: k8s.gpu.example.com/gpu\n"
        "devices:\n"
        f"    - name: {UID}-gpu-0\n"
        "      containerEdits:\n"
        "        env:\n"
        f"            - GPU_DEVICE_GPU_0_RESOURCE_CLAIM={UID}\n"
        "            - DRA_ADMIN_ACCESS=false\n"
        "            - GPU_DEVICE_0=gpu-0\n"
    )


SCALARS = st.one_of(st.text(max_size=20), st.integers(), st.booleans())
DOCUMENTS = st.dictionaries(
    st.text(min_size=1, max_size=10),
    st.recursive(
        SCALARS,
        lambda inner: st.one_of(
            st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
        ),
        max_leaves=12,
    ),
    max_size=5,
)


@given(DOCUMENTS)
def test_yaml_text_reads_back_as_the_same_document(document: dict[str, Any]) -> None:
    assert yaml.safe_load(to_yaml(document)) == (document or None)
