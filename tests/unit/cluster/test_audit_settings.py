"""The API server's flags about the audit log: what cannot be used is told in one line before anything is served."""

import json
import pathlib

import aiohttp
import pytest

from dray.cli.apiserver import command
from dray.cli.audit import audit_settings
from dray.cluster.api_server import ApiServerRole, ApiServerSettings
from dray.cluster.layout import ClusterError, Layout


async def refusal(tmp_path: pathlib.Path, settings: ApiServerSettings) -> str:
    with pytest.raises(ClusterError) as caught:
        async with ApiServerRole(Layout(tmp_path / "data"), settings):
            pass
    return str(caught.value)


async def test_a_file_that_is_no_policy_is_refused_with_or_without_a_log(tmp_path: pathlib.Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("apiVersion: audit.k8s.io/v1\nkind: Policy\n")
    why = f"loading audit policy file: loaded illegal policy with 0 rules: from file {policy}"
    assert await refusal(tmp_path, ApiServerSettings(audit_policy=policy)) == why
    log = tmp_path / "audit.log"
    assert await refusal(tmp_path, ApiServerSettings(audit_policy=policy, audit_log=log)) == why
    assert not log.exists()


async def test_a_log_that_cannot_be_written_is_named(tmp_path: pathlib.Path) -> None:
    why = f"cannot write the audit log {tmp_path}: Is a directory"
    assert await refusal(tmp_path, ApiServerSettings(audit_log=tmp_path)) == why


async def test_the_policy_decides_what_a_server_writes(tmp_path: pathlib.Path) -> None:
    policy, log = tmp_path / "policy.json", tmp_path / "logs" / "audit.log"
    rule = {"level": "Metadata", "nonResourceURLs": ["/version"], "omitStages": ["RequestReceived"]}
    document = {"apiVersion": "audit.k8s.io/v1", "kind": "Policy", "rules": [rule]}
    policy.write_text(json.dumps(document))
    settings = ApiServerSettings(audit_policy=policy, audit_log=log)
    async with (
        ApiServerRole(Layout(tmp_path / "data"), settings) as role,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False)) as session,
    ):
        for path in ("/version", "/healthz"):
            async with session.get(f"https://127.0.0.1:{role.port}{path}") as answer:
                await answer.read()
    events = [json.loads(line) for line in log.read_text().splitlines()]
    assert [event["requestURI"] for event in events] == ["/version"]


def test_the_flags_have_the_defaults_of_kube_apiserver() -> None:
    flags = {parameter.name: parameter.default for parameter in command.params}
    settings = audit_settings(
        {name: flags[name] for name in flags if name is not None and name.startswith("audit_")}
    )
    rotation = settings["audit_rotation"]
    assert (rotation.max_megabytes, rotation.max_files, rotation.max_days) == (100, 100, 366)
