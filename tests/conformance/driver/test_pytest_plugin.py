"""Tests of other projects get `kubelet` and `cluster` from the plugin, as plain functions."""

import importlib
import os
import subprocess
import sys
import tomllib
from pathlib import Path

DRIVER = """
import asyncio
from dray.sdk import ClaimError, Device, DeviceStatus, Driver, PreparedDevice, env, run

class Lamps(Driver):
    name = "lamps.example.com"
    def discover(self):
        return [Device(f"lamp-{index}", {"watts": 5}) for index in range(3)]
    def prepare(self, claim):
        for config in claim.configs:
            if config.parameters["dim"] > 100:
                raise ClaimError("a lamp cannot be dimmed to more than 100 %")
        return [PreparedDevice(device, env(LAMP=device.device)) for device in claim.devices]
    def unprepare(self, claim, devices):
        pass
    def device_status(self, claim, prepared):
        return [DeviceStatus(one.device, {"on": True}) for one in prepared]

if __name__ == "__main__":
    run(Lamps())
"""
BENCH_TESTS = """
import time
import pytest
from dray.testing.fake_kubelet import PrepareError
from lamps import Lamps

def test_devices_are_published(kubelet):
    kubelet.start(Lamps())
    assert kubelet.devices()["lamp-2"]["attributes"] == {"watts": {"int": 5}}

def test_containers_get_their_lamp(kubelet):
    kubelet.start(Lamps())
    claim = kubelet.claim("lamp-0")
    assert kubelet.environment(kubelet.prepare(claim)) == {"LAMP": "lamp-0"}
    kubelet.unprepare(claim)
    assert list(kubelet.cdi_root.iterdir()) == []

def test_a_refusal_has_the_drivers_words(kubelet):
    kubelet.start(Lamps())
    with pytest.raises(PrepareError, match="dimmed to more than 100 %"):
        kubelet.prepare(kubelet.claim("lamp-0", parameters={"dim": 101}))

def test_claims_survive_a_reboot(kubelet):
    kubelet.start(Lamps())
    claim = kubelet.claim("lamp-0")
    kubelet.prepare(claim)
    kubelet.reboot(Lamps())
    assert kubelet.environment(kubelet.prepare(claim)) == {"LAMP": "lamp-0"}

def test_the_status_reaches_the_claim(kubelet):
    kubelet.start(Lamps())
    claim = kubelet.claim("lamp-1")
    kubelet.prepare(claim)
    deadline = time.monotonic() + 10
    while not kubelet.status(claim) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert kubelet.status(claim)[0]["data"] == {"on": True}

def test_a_driver_that_fails_to_start_says_why(kubelet):
    class Dark(Lamps):
        def discover(self):
            raise OSError("no lamps here")
    with pytest.raises(OSError, match="no lamps here"):
        kubelet.start(Dark())

def test_without_a_driver_there_is_advice(kubelet):
    with pytest.raises(RuntimeError, match="call start"):
        kubelet.claim("lamp-0")
"""
CLUSTER_TESTS = '''
import sys
import pytest
from dray.api.errors import NotFound

MANIFESTS = """
apiVersion: resource.k8s.io/v1
kind: DeviceClass
metadata: {name: lamps.example.com}
spec:
  selectors:
  - cel: {expression: device.driver == "lamps.example.com"}
---
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata: {name: lamp}
spec:
  devices:
    requests:
    - name: lamp
      exactly: {deviceClassName: lamps.example.com}
---
apiVersion: v1
kind: Pod
metadata: {name: reader}
spec:
  restartPolicy: Never
  containers:
  - name: read
    image: any
    command: [sh, -c, "echo the lamp is $LAMP"]
    resources: {claims: [{name: lamp}]}
  resourceClaims: [{name: lamp, resourceClaimName: lamp}]
"""

def test_a_pod_gets_a_lamp(cluster):
    driver = cluster.start_driver(sys.executable, "lamps.py")
    cluster.apply(MANIFESTS)
    cluster.wait("Pod", "reader", lambda pod: pod["status"]["phase"] == "Succeeded")
    assert cluster.logs("reader").startswith("the lamp is lamp-")
    cluster.delete("Pod", "reader")
    assert "allocation" not in cluster.wait("ResourceClaim", "lamp", lambda c: not c.get("status", {}).get("allocation"))
    assert cluster.stop_driver(driver) == 0

def test_the_session_shares_the_cluster(cluster):
    assert [one["metadata"]["name"] for one in cluster.list("DeviceClass")] == ["lamps.example.com"]
    with pytest.raises(NotFound):
        cluster.get("Pod", "reader")
    with pytest.raises(ValueError, match="no kind 'Lamp'"):
        cluster.list("Lamp")
    with pytest.raises(TimeoutError, match="is not as expected"):
        cluster.wait("DeviceClass", "lamps.example.com", lambda one: False, seconds=0.1)
'''


def outcome(directory: Path, tests: str) -> str:
    (directory / "lamps.py").write_text(DRIVER)
    (directory / "test_lamps.py").write_text(tests)
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "dray.testing.pytest_plugin", "-W", "error"],
        cwd=directory,
        # The plugin may or may not be installed as one already: this way it is loaded once.
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return result.stdout + result.stderr


def test_a_driver_can_be_tested_on_a_bench_in_the_tests_process(tmp_path: Path) -> None:
    text = outcome(tmp_path, BENCH_TESTS)
    assert "7 passed" in text, text


def test_a_driver_process_can_be_tested_in_a_whole_cluster(tmp_path: Path) -> None:
    text = outcome(tmp_path, CLUSTER_TESTS)
    assert "2 passed" in text, text


def test_the_plugin_is_announced_to_pytest_and_loads_nothing_by_itself() -> None:
    pyproject = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    (module,) = pyproject["project"]["entry-points"]["pytest11"].values()
    assert importlib.import_module(module).kubelet
    probe = (
        f"import sys, {module}; print([name for name in sys.modules if name.startswith(('grpc', 'aiohttp'))])"
    )
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"
