"""The manifests and the chart of the example driver agree with the programs they start and with each other."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from dray.drivers.example import controller, main, webhook
from dray.drivers.host.config import parse_config

DEPLOY = Path(__file__).parents[3] / "deploy"
CHART = DEPLOY / "example-driver" / "chart"
PLAIN = sorted((DEPLOY / "example-driver" / "plain").glob("*.yaml"))
PROGRAMS = {program.PROGRAM: program for program in (main, controller, webhook)}
NOT_FLAGS = {"NAMESPACE"}
"""Set because the Go driver's manifests set it."""


def objects(path: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(path.read_text()))


def containers(path: Path) -> list[dict[str, Any]]:
    specs = [obj["spec"]["template"]["spec"] for obj in objects(path) if "template" in obj.get("spec", {})]
    return [container for spec in specs for container in spec["containers"]]


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.name)
def test_containers_set_only_what_their_program_knows(path: Path) -> None:
    (container,) = containers(path)
    flags = PROGRAMS[container["command"][0]].FLAGS
    assert {entry["name"] for entry in container.get("env", [])} <= {
        flag.variable for flag in flags
    } | NOT_FLAGS
    given = {argument.partition("=")[0].removeprefix("--") for argument in container.get("args", [])}
    assert given <= {flag.name for flag in flags}


def test_the_charts_container_sets_only_what_the_driver_knows() -> None:
    text = (CHART / "templates" / "kubeletplugin.yaml").read_text()
    names = set(re.findall(r"- name: ([A-Z_]+)\n", text))
    assert {"NUM_DEVICES", "DEVICE_PROFILE", "GPU_PARTITIONS", "POD_UID"} <= names
    assert names <= {flag.variable for flag in main.FLAGS} | NOT_FLAGS


def test_every_value_that_a_template_uses_has_a_default() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    used = {
        name
        for path in (CHART / "templates").iterdir()
        for name in re.findall(r"\.Values\.([A-Za-z.]+)", path.read_text())
    }
    # The chart refuses this one, with advice.
    missing = {name for name in used - {"namespace"} if not _has(values, name.split("."))}
    assert missing == set()
    assert len(used) > 30


def _has(values: Any, path: list[str]) -> bool:
    for part in path:
        if not isinstance(values, dict) or part not in values:
            return False
        values = values[part]
    return True


def test_the_host_drivers_config_map_is_a_configuration_it_takes() -> None:
    path = DEPLOY / "host-driver" / "plain" / "driver.yaml"
    (config,) = [obj for obj in objects(path) if obj["kind"] == "ConfigMap"]
    assert parse_config(config["data"]["devices.yaml"]).driver == "host.example.com"
