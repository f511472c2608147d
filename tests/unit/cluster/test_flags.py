"""Gates and API versions of a cluster: refused in one line, remembered for the next start."""

import pytest
from click.testing import CliRunner

from dray.cli.apiserver import command as apiserver
from dray.cli.controller_manager import command as controller_manager
from dray.cli.scheduler import command as scheduler
from dray.cli.up import command as up
from dray.cluster.embedded import EmbeddedCluster
from dray.cluster.flags import feature_gates
from dray.cluster.layout import ClusterError, ClusterSpec, Layout


@pytest.mark.parametrize("command", [up, apiserver, scheduler, controller_manager])
@pytest.mark.parametrize(
    ("gates", "message"),
    [
        ("Nope=true", "unrecognized feature gate: Nope"),
        (
            "DRAAdminAccess=false",
            "cannot set feature gate DRAAdminAccess to false, feature is locked to true",
        ),
        (
            "DRADeviceTaintRules=true,DRADeviceTaints=false",
            "DRADeviceTaintRules is enabled, but depends on features that are disabled: [DRADeviceTaints]",
        ),
        (
            "DRADeviceTaints=maybe",
            'invalid value of DRADeviceTaints=maybe, err: strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        ("DRADeviceTaints", "missing bool value for DRADeviceTaints"),
    ],
)
def test_every_role_refuses_gates_that_make_no_sense(command, gates, message, tmp_path):
    place = ["--data-dir", str(tmp_path)] if command in (up, apiserver) else []
    with pytest.raises(ClusterError) as refused:
        CliRunner().invoke(command, [*place, "--feature-gates", gates], catch_exceptions=False)
    assert str(refused.value) == f"--feature-gates: {message}"


def test_gates_and_versions_are_remembered(tmp_path):
    layout = Layout(tmp_path)
    spec = ClusterSpec("c", 1, 0, "DRADeviceTaintRules=true", "api/beta=false")
    layout.write_spec(spec)
    assert layout.read_spec() == spec
    cluster = EmbeddedCluster(spec, layout)
    assert cluster.features.enabled("DRADeviceTaintRules")
    assert feature_gates("") == EmbeddedCluster(ClusterSpec("c"), layout).features


def test_cluster_from_before_there_were_such_settings_has_the_defaults(tmp_path):
    layout = Layout(tmp_path)
    layout.spec_file.write_text('{"name": "c", "nodes": 2, "port": 6443}')
    assert layout.read_spec() == ClusterSpec("c", 2, 6443)


@pytest.mark.parametrize(
    ("gates", "config", "needed"),
    [
        ("", "resource.k8s.io/v1=false", "resource.k8s.io/v1/deviceclasses"),
        ("DRADeviceTaintRules=true", "api/beta=false", "resource.k8s.io/v1beta2/devicetaintrules"),
    ],
)
async def test_cluster_does_not_wait_for_an_api_that_is_turned_off(gates, config, needed, tmp_path):
    layout = Layout(tmp_path)
    layout.create()
    with pytest.raises(ClusterError, match=f"a cluster with these feature gates needs {needed}"):
        async with EmbeddedCluster(ClusterSpec("c", 0, 0, gates, config), layout):
            pass
