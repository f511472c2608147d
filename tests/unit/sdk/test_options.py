"""How a driver program is configured: flags before variables before defaults, and errors that name both."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dray.sdk.options import COMMON_FLAGS, Flag, OptionError, Options, options_from, parse

NODE = {"NODE_NAME": "node-1"}
PROGRAM = """
from dray.sdk import Device, Driver, Flag, OptionError, run

class Lamps(Driver):
    name = "lamps.example.com"
    def __init__(self, watts):
        if watts > 100:
            raise OptionError("--watts: no lamp has so many")
        self.watts = watts
    def discover(self):
        raise OSError(f"no lamps of {self.watts} W here")

run(lambda values: Lamps(values["watts"]), [Flag("watts", "WATTS", 5, "power of each lamp", int)])
"""


def options(*arguments: str, **environment: str) -> Options:
    return options_from(parse(COMMON_FLAGS, arguments, {**NODE, **environment}, "driver"))


def test_defaults_are_those_of_a_kubelet() -> None:
    assert options() == Options(
        "node-1",
        registrar_directory=Path("/var/lib/kubelet/plugins_registry"),
        plugins_directory=Path("/var/lib/kubelet/plugins"),
        cdi_root=Path("/etc/cdi"),
    )


def test_a_flag_wins_over_its_variable() -> None:
    assert options(CDI_ROOT="/run/a").cdi_root == Path("/run/a")
    assert options("--cdi-root", "/run/b", CDI_ROOT="/run/a").cdi_root == Path("/run/b")
    assert options("--metrics-port=8080", METRICS_PORT="1").metrics_port == 8080


def test_a_variable_that_is_empty_counts_as_not_set() -> None:
    assert options(POD_UID="", HEALTHCHECK_PORT="").healthcheck_port == -1


@pytest.mark.parametrize(
    ("arguments", "value"),
    [(["--single-socket"], True), (["--single-socket=false"], False), (["--single-socket", "true"], True)],
)
def test_switches_need_no_value(arguments: list[str], value: bool) -> None:
    assert options(*arguments, SINGLE_SOCKET="false").single_socket is value


@pytest.mark.parametrize(
    ("arguments", "environment", "complaint"),
    [
        ([], {"NODE_NAME": ""}, "the node's name is needed: set --node-name or $NODE_NAME"),
        (["--metrics-port", "http"], {}, "--metrics-port: 'http' is not a number"),
        ([], {"METRICS_PORT": "http"}, "$METRICS_PORT: 'http' is not a number"),
        ([], {"SINGLE_SOCKET": "maybe"}, "$SINGLE_SOCKET: 'maybe' is not true or false"),
        (["--logging-format", "xml"], {}, "--logging-format: 'xml' is neither text nor json"),
        (["serve"], {}, "arguments not supported: ['serve']"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(
    arguments: list[str], environment: dict[str, str], complaint: str
) -> None:
    with pytest.raises(OptionError, match=re.escape(complaint)):
        options(*arguments, **environment)


def test_a_flag_that_does_not_exist_ends_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        options("--nodename", "x")
    said = capsys.readouterr().err
    assert said.endswith("error: unknown flag: --nodename (did you mean --node-name?); --help lists them\n")
    assert said.count("\n") == 1


def test_own_flags_have_help_with_variable_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse([*COMMON_FLAGS, Flag("watts", "WATTS", 5, "power of each lamp", int)], ["--help"], {}, "driver")
    assert "power of each lamp [$WATTS, default 5]" in " ".join(capsys.readouterr().out.split())


KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "c",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
}


def environment(root: Path) -> dict[str, str]:
    return {
        **os.environ,
        **NODE,
        "KUBECONFIG": str(root / "kubeconfig"),
        "KUBELET_REGISTRAR_DIRECTORY_PATH": str(root / "registry"),
        "KUBELET_PLUGINS_DIRECTORY_PATH": str(root / "plugins"),
        "CDI_ROOT": str(root / "cdi"),
    }


def program(tmp_path: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    for name in ("registry", "plugins", "cdi"):
        (tmp_path / name).mkdir()
    (tmp_path / "kubeconfig").write_text(json.dumps(KUBECONFIG))
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        env={**environment(tmp_path), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_start_that_fails_is_one_klog_line_and_exit_code_1(tmp_path: Path) -> None:
    result = program(tmp_path, "--watts=7")
    assert result.returncode == 1
    assert re.fullmatch(
        r"F\d{4} [\d:.]+ +\d+ program.py:\d+\] The driver cannot start: no lamps of 7 W here\n", result.stderr
    )


def test_logs_can_be_json(tmp_path: Path) -> None:
    result = program(tmp_path, LOGGING_FORMAT="json")
    (line,) = result.stderr.splitlines()
    assert json.loads(line)["msg"] == "The driver cannot start: no lamps of 5 W here"


def test_a_driver_that_refuses_its_flags_is_a_usage_error(tmp_path: Path) -> None:
    result = program(tmp_path, WATTS="500")
    assert (result.returncode, result.stderr) == (1, "Error: --watts: no lamp has so many\n")


HANGING = """
import threading
from dray.sdk import Driver, run

class Stuck(Driver):
    name = "lamps.example.com"
    def discover(self):
        threading.Event().wait()

run(Stuck())
"""


def test_a_driver_whose_hardware_hangs_still_ends_on_sigterm(tmp_path: Path) -> None:
    for name in ("registry", "plugins", "cdi"):
        (tmp_path / name).mkdir()
    (tmp_path / "kubeconfig").write_text(json.dumps(KUBECONFIG))
    process = subprocess.Popen([sys.executable, "-c", HANGING], env=environment(tmp_path))
    socket = tmp_path / "registry" / "lamps.example.com-reg.sock"
    try:
        while not socket.exists() and process.poll() is None:
            time.sleep(0.01)
        process.terminate()
        assert process.wait(20) == 0
        assert not socket.exists()
    finally:
        process.kill()
        process.wait()
