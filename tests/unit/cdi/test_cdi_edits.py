"""What edits do to an OCI spec."""

import stat
from typing import Any

import pytest

from dray.cdi.edits import DeviceStat, apply_edits, apply_env, merge
from dray.cdi.errors import CdiError


def nothing_there(path: str) -> DeviceStat:
    raise FileNotFoundError(2, "No such file or directory", path)


def char_device(path: str) -> DeviceStat:
    return DeviceStat("c", 195, 7, stat.S_IFCHR | 0o666)


def applied(oci: dict[str, Any], stat_device: Any = nothing_there, **edits: Any) -> dict[str, Any]:
    return apply_edits(oci, edits, stat_device)


def test_variables_replace_in_place_or_append() -> None:
    assert apply_env(["PATH=/bin", "A=1"], ["A=2", "B=3", "PATH=/usr/bin"]) == ["PATH=/usr/bin", "A=2", "B=3"]


def test_the_original_spec_is_not_changed() -> None:
    oci = {"process": {"env": ["A=1"]}, "mounts": [{"destination": "/x", "source": "/y"}]}
    applied(oci, env=["A=2"], mounts=[{"hostPath": "/h", "containerPath": "/x"}], additionalGids=[3])
    assert oci == {"process": {"env": ["A=1"]}, "mounts": [{"destination": "/x", "source": "/y"}]}


def test_device_node_takes_what_it_leaves_open_from_the_host() -> None:
    spec = applied({}, char_device, deviceNodes=[{"path": "/dev/gpu"}])
    assert spec["linux"]["devices"] == [
        {"path": "/dev/gpu", "type": "c", "major": 195, "minor": 7, "fileMode": 0o666}
    ]
    assert spec["linux"]["resources"]["devices"] == [
        {"allow": True, "type": "c", "major": 195, "minor": 7, "access": "rwm"}
    ]


def test_device_node_is_looked_up_at_its_host_path() -> None:
    asked = []

    def record(path: str) -> DeviceStat:
        asked.append(path)
        return char_device(path)

    applied({}, record, deviceNodes=[{"path": "/dev/a", "hostPath": "/dev/b"}])
    assert asked == ["/dev/b"]


def test_fully_described_device_needs_no_host() -> None:
    node = {"path": "/dev/x", "type": "b", "major": 8, "minor": 1}
    assert applied({}, deviceNodes=[node])["linux"]["devices"] == [node]
    assert applied({}, deviceNodes=[{"path": "/p", "type": "p"}])["linux"]["devices"][0]["type"] == "p"


def test_unknown_device_is_an_error() -> None:
    with pytest.raises(CdiError, match="cannot tell what device /dev/x is"):
        applied({}, deviceNodes=[{"path": "/dev/x"}])


def test_a_file_that_is_no_device_is_an_error() -> None:
    with pytest.raises(CdiError, match="not a device node"):
        applied({}, lambda path: DeviceStat("", 0, 0, 0), deviceNodes=[{"path": "/etc/passwd"}])


def test_a_device_of_another_type_is_an_error() -> None:
    with pytest.raises(CdiError, match="type 'c', not 'b'"):
        applied({}, char_device, deviceNodes=[{"path": "/dev/x", "type": "b"}])


@pytest.mark.parametrize(("permissions", "access"), [("rw", "rw"), ("none", ""), ("", "rwm")])
def test_cgroup_rule_follows_the_permissions(permissions: str, access: str) -> None:
    spec = applied({}, char_device, deviceNodes=[{"path": "/dev/x", "permissions": permissions}])
    assert spec["linux"]["resources"]["devices"][0]["access"] == access


def test_device_belongs_to_the_containers_user_unless_told_otherwise() -> None:
    oci = {"process": {"user": {"uid": 1000, "gid": 0}}}
    devices = applied(oci, char_device, deviceNodes=[{"path": "/a"}, {"path": "/b", "uid": 0, "gid": 44}])[
        "linux"
    ]["devices"]
    assert [(d.get("uid"), d.get("gid")) for d in devices] == [(1000, None), (0, 44)]


def test_device_at_the_same_path_is_replaced() -> None:
    oci = {"linux": {"devices": [{"path": "/dev/x", "type": "c", "major": 1, "minor": 1}]}}
    devices = applied(oci, char_device, deviceNodes=[{"path": "/dev/x"}])["linux"]["devices"]
    assert [d["major"] for d in devices] == [195]


def test_mounts_replace_the_same_destination_and_parents_come_first() -> None:
    oci = {
        "mounts": [
            {"destination": "/a/b/c", "source": "1"},
            {"destination": "/proc", "source": "proc", "type": "proc"},
            {"destination": "/a/b", "source": "old"},
        ]
    }
    mounts = applied(
        oci,
        mounts=[
            {"hostPath": "/h", "containerPath": "/a/b", "options": ["ro", "bind"]},
            {"hostPath": "/r", "containerPath": "/a"},
        ],
    )["mounts"]
    assert [(m["destination"], m["source"]) for m in mounts] == [
        ("/proc", "proc"),
        ("/a", "/r"),
        ("/a/b", "/h"),
        ("/a/b/c", "1"),
    ]


@pytest.mark.parametrize(("option", "added"), [("bind", "idmap"), ("rbind", "ridmap")])
def test_bind_mounts_are_id_mapped_inside_a_user_namespace(option: str, added: str) -> None:
    oci = {"linux": {"namespaces": [{"type": "user"}]}}
    mounts = applied(oci, mounts=[{"hostPath": "/h", "containerPath": "/c", "options": [option]}])["mounts"]
    assert mounts[0]["options"] == [option, added]


def test_hooks_are_appended_to_their_list() -> None:
    oci = {"hooks": {"createRuntime": [{"path": "/first"}]}}
    hooks = applied(
        oci, hooks=[{"hookName": "createRuntime", "path": "/second", "args": ["a"], "timeout": 3}]
    )["hooks"]
    assert hooks == {"createRuntime": [{"path": "/first"}, {"path": "/second", "args": ["a"], "timeout": 3}]}


def test_groups_are_unique_and_never_root() -> None:
    oci = {"process": {"user": {"additionalGids": [5]}}}
    assert applied(oci, additionalGids=[0, 5, 7, 7])["process"]["user"]["additionalGids"] == [5, 7]


def test_net_devices_are_named_by_host_interface() -> None:
    spec = applied({}, netDevices=[{"hostInterfaceName": "eth1", "name": "net0"}])
    assert spec["linux"]["netDevices"] == {"eth1": {"name": "net0"}}


def test_merging_keeps_order_and_the_last_intel_rdt() -> None:
    merged = merge(
        [{"env": ["A=1"], "intelRdt": {"closID": "a"}}, {"env": ["B=2"]}, {"intelRdt": {"closID": "b"}}]
    )
    assert merged == {"env": ["A=1", "B=2"], "intelRdt": {"closID": "b"}}
