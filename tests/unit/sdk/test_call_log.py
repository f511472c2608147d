"""What a driver's log says of its start and its gRPC calls, and what no verbosity makes it say."""

import json
import logging
from typing import Any

import grpc.aio
import pytest
from plugin_stage import NAME, Lamps, Stage

from dray.kits.klog import JsonFormatter, KlogFormatter, level_of
from dray.sdk.calls import CallLog

SECRET = "hunter2"
EVERYTHING = level_of(10)


def fields(records: list[logging.LogRecord], text: str) -> list[dict[str, Any]]:
    return [record.kv for record in records if record.getMessage() == text]  # type: ignore[attr-defined]


async def test_the_start_is_told_at_any_verbosity(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(level_of(0))
    async with stage.plugin(Lamps()) as plugin:
        await stage.kubelet.plugin(plugin.driver.name)
    (registered,) = fields(caplog.records, "Registered with the kubelet")
    assert registered["socket"].endswith("lamps.example.com-reg.sock")
    assert fields(caplog.records, "Publishing devices") == [
        {"logger": "dra", "poolName": "node", "devices": 2}
    ]
    assert fields(caplog.records, "gRPC request") == []


async def test_requests_and_responses_are_shown_from_verbosity_6_on(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(level_of(6))
    claim = stage.claim("a")
    async with stage.plugin(Lamps()) as plugin:
        kubelet = await stage.kubelet.plugin(plugin.driver.name)
        await kubelet.prepare(claim)
    method = "/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/NodePrepareResources"
    (request,) = [one for one in fields(caplog.records, "gRPC request") if one["method"] == method]
    (response,) = [one for one in fields(caplog.records, "gRPC response") if one["method"] == method]
    assert request["request"] == {"claims": [{"namespace": "default", "uid": "uid-a", "name": "a"}]}
    assert response["response"]["claims"]["uid-a"]["devices"][0]["device_name"] == "lamp-0"
    assert request["requestID"] == response["requestID"]


async def test_a_negative_verbosity_shows_none(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(EVERYTHING)
    async with stage.plugin(Lamps(), grpc_verbosity=-1) as plugin:
        await stage.kubelet.plugin(plugin.driver.name)
    assert fields(caplog.records, "gRPC request") == []
    assert fields(caplog.records, "Registered with the kubelet") != []


async def test_no_verbosity_shows_configuration_or_what_containers_get(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(EVERYTHING)

    class Keyed(Lamps):
        async def prepare(self, claim: Any) -> Any:
            (prepared,) = await super().prepare(claim)
            prepared.edits["env"].append(f"TOKEN={claim.configs[0].parameters['token']}")
            return [prepared]

    claim = stage.claim("a")
    opaque = {"driver": NAME, "parameters": {"token": SECRET}}
    claim["status"]["allocation"]["devices"]["config"] = [{"source": "FromClaim", "opaque": opaque}]
    stage.client.put(claim)
    async with stage.plugin(Keyed()) as plugin:
        kubelet = await stage.kubelet.plugin(plugin.driver.name)
        await kubelet.prepare(claim)
        await kubelet.unprepare(claim)
    written = [path.read_text() for path in stage.kubelet.cdi_root.parent.rglob("checkpoint.jsonl")]
    assert SECRET in "".join(written)  # it was there to be said
    assert len(fields(caplog.records, "gRPC response")) >= 4
    assert SECRET not in "".join(KlogFormatter().format(record) for record in caplog.records)


async def test_a_call_that_fails_is_logged_with_its_number(
    stage: Stage, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: CallLog, *args: Any) -> None:
        raise RuntimeError("a defect")

    monkeypatch.setattr(CallLog, "prepare_called", broken)
    async with stage.plugin(Lamps()) as plugin:
        kubelet = await stage.kubelet.plugin(plugin.driver.name)
        with pytest.raises(grpc.aio.AioRpcError):
            await kubelet.prepare(stage.claim("a"))
    (failed,) = fields(caplog.records, "gRPC call failed")
    assert str(failed["err"]) == "a defect"
    assert failed["requestID"] > 0


@pytest.mark.parametrize(
    ("verbosity", "level", "shown"), [(0, 20, 0), (3, 20, 0), (4, 10, 4), (5, 9, 5), (6, 8, 6), (99, 1, 13)]
)
def test_verbosities_are_levels_and_levels_verbosities(verbosity: int, level: int, shown: int) -> None:
    assert level_of(verbosity) == level
    record = logging.LogRecord("x", level, "file.py", 1, "text", (), None)
    assert json.loads(JsonFormatter().format(record))["v"] == shown


def test_a_message_that_nobody_sees_is_not_rendered(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(level_of(5))

    class Unrenderable:
        """Would raise if anybody asked for its descriptor."""

    CallLog().begin("/x/y", Unrenderable())
    assert caplog.records == []
