"""The YAML file of the host driver: what is chosen, how it is shaped, and what wrong files are told."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from machines import build

from dray.drivers.host.config import FileError, parse_config
from dray.drivers.host.driver import HostDriver
from dray.drivers.host.shaping import Offer
from dray.drivers.host.sysfs import Sysfs


@pytest.fixture(scope="module")
def workstation(tmp_path_factory: pytest.TempPathFactory) -> Sysfs:
    return build("workstation", tmp_path_factory.mktemp("sys"))


def offered(sysfs: Sysfs, *groups: dict[str, Any]) -> dict[str, Offer]:
    config = parse_config(yaml.safe_dump({"devices": list(groups)}, sort_keys=False))
    return {offer.hardware.name: offer for offer in HostDriver(config, sysfs).offers()}


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ({"kind": "usb"}, ["usb-1-4-2", "usb-1-5"]),
        ({"kind": "usb", "select": {"vendor": "1050"}}, ["usb-1-5"]),
        ({"kind": "usb", "select": {"vendor": ["1050", "0403"]}}, ["usb-1-4-2", "usb-1-5"]),
        ({"kind": "usb", "select": {"model": "Yubi*"}}, ["usb-1-5"]),
        ({"kind": "usb", "exclude": {"manufacturer": "FTDI"}}, ["usb-1-5"]),
        ({"kind": "usb", "select": {"vendor": "1050", "speedMbps": 480}}, []),
        ({"kind": "network", "select": {"speedMbps": 100000}}, ["network-enp179s0f0np0"]),
        ({"kind": "block"}, ["block-nvme0n1"]),
        ({"kind": "block", "select": {"virtual": True}}, ["block-loop0"]),
        ({"kind": "block", "select": {"rotational": False}}, ["block-nvme0n1"]),
        ({"kind": "block", "select": {"rotational": 0}}, []),
        ({"kind": "network", "select": {"id": "enp*f1*"}}, ["network-enp179s0f1np1"]),
        ({"kind": "cpu", "select": {"resource.kubernetes.io/numaNode": 1}}, ["cpu-numa1"]),
    ],
)
def test_groups_choose_by_attributes(workstation: Sysfs, group: dict[str, Any], names: list[str]) -> None:
    assert sorted(offered(workstation, group)) == names


def test_hardware_belongs_to_the_first_group_that_takes_it(workstation: Sysfs) -> None:
    found = offered(workstation, {"kind": "usb", "select": {"vendor": "1050"}, "share": 2}, {"kind": "usb"})
    assert {name: offer.group.share for name, offer in found.items()} == {"usb-1-5": 2, "usb-1-4-2": 1}


def test_shared_devices_are_taken_by_shares_and_others_whole(workstation: Sysfs) -> None:
    disk = offered(workstation, {"kind": "block", "share": 3})["block-nvme0n1"].device.to_api()
    assert disk["allowMultipleAllocations"] is True
    assert disk["capacity"] == {
        "shares": {
            "value": "3",
            "requestPolicy": {"default": "1", "validRange": {"min": "1", "max": "3", "step": "1"}},
        }
    }
    whole = offered(workstation, {"kind": "block"})["block-nvme0n1"].device.to_api()
    assert "allowMultipleAllocations" not in whole
    assert whole["capacity"] == {"size": {"value": "3840755982336"}}


def test_own_attributes_are_published_beside_the_machines(workstation: Sysfs) -> None:
    device = offered(workstation, {"kind": "usb", "attributes": {"room": "lab", "floor": 2}})[
        "usb-1-5"
    ].device
    assert (device.attributes["room"], device.attributes["floor"], device.attributes["kind"]) == (
        "lab",
        2,
        "usb",
    )


def test_containers_get_the_devices_own_nodes_and_are_told_of_the_first(workstation: Sysfs) -> None:
    assert offered(workstation, {"kind": "serial", "select": {"usb": True}})["serial-ttyusb0"].edits() == {
        "env": ["HOST_DEVICE_SERIAL_TTYUSB0=/dev/ttyUSB0"],
        "deviceNodes": [{"path": "/dev/ttyUSB0", "permissions": "rw"}],
    }


def test_injections_name_what_the_hardware_is(workstation: Sysfs) -> None:
    inject = {
        "env": {
            "PORT": "{path}",
            "WHO": "{manufacturer} {serial} {{as is}}",
            "ROOT": "{resource.kubernetes.io/pcieRoot}",
        },
        "deviceNodes": [{"path": "/dev/modem", "hostPath": "{path}", "permissions": "rwm"}],
        "mounts": [{"hostPath": "/srv/{id}", "containerPath": "/data"}],
    }
    group = {"kind": "serial", "select": {"usb": True}, "inject": inject}
    edits = offered(workstation, group)["serial-ttyusb0"].edits()
    assert edits["env"][1:] == ["PORT=/dev/ttyUSB0", "WHO=FTDI A50285BI {as is}", "ROOT=pci0000:00"]
    assert edits["deviceNodes"] == [{"path": "/dev/modem", "hostPath": "/dev/ttyUSB0", "permissions": "rwm"}]
    assert edits["mounts"] == [
        {"hostPath": "/srv/ttyUSB0", "containerPath": "/data", "options": ["ro", "bind"]}
    ]


def test_no_nodes_can_be_asked_for(workstation: Sysfs) -> None:
    group = {"kind": "serial", "select": {"usb": True}, "inject": {"deviceNodes": []}}
    assert "deviceNodes" not in offered(workstation, group)["serial-ttyusb0"].edits()


@pytest.mark.parametrize("template", ["{colour}", "{", "{0}"])
def test_placeholders_without_a_value_are_refused_with_those_there_are(
    workstation: Sysfs, template: str
) -> None:
    group = {"kind": "usb", "inject": {"env": {"A": template}}}
    with pytest.raises(FileError, match=r"it has .*vendor|write \{\{"):
        offered(workstation, group)["usb-1-5"].edits()


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("devices: [{kind: usbb}]", "f: devices[0]: there is no kind 'usbb'; did you mean 'usb'?"),
        ("devices: [{kind: usb, selct: {}}]", "f.devices[0]: unknown field 'selct'; did you mean 'select'?"),
        ("devices: [{kind: usb, share: two}]", "f.devices[0].share: expected an integer, got 'two'"),
        ("devices: [{kind: usb, share: 0}]", "f.devices[0]: share 0: at least 1 claim"),
        (
            "devices: [{kind: usb, select: {vendor: {a: 1}}}]",
            "select.vendor: {'a': 1} is no string, number or boolean",
        ),
        (
            "devices: [{kind: usb, attributes: {room: [1]}}]",
            "attributes.room: [1] is no string, number or boolean",
        ),
        ("devices: [{select: {}}]", "f.devices[0]: missing member 'kind'"),
        ("{}", "f: missing member 'devices'"),
        ("devices: []", "f: devices: name at least one group"),
        ("devices: {kind: usb}", "f.devices: expected a list, got"),
        ("driver: Not_A_Name\ndevices: [{kind: usb}]", "f: driver 'Not_A_Name' is no DNS name"),
        ("[]", "f: expected an object with `devices`"),
        ("a: [", "f: no YAML"),
        (
            "devices: [{kind: usb, inject: {deviceNodes: [{path: /dev/x, permissions: x}]}}]",
            "f.devices[0].inject.deviceNodes[0]: permissions 'x': use letters of rwm",
        ),
    ],
)
def test_wrong_files_are_told_where_and_what(content: str, text: str) -> None:
    with pytest.raises(FileError) as caught:
        parse_config(content, "f")
    assert text.replace("f: devices[0]", "f.devices[0]") in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    from dray.drivers.host.config import read_config

    with pytest.raises(FileError, match=r"none\.yaml: No such file"):
        read_config(tmp_path / "none.yaml")
