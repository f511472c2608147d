"""The page about Kubernetes' own components: its tokens are theirs, and the files it names are there."""

import pathlib
import re
import ssl

import aiohttp
import pytest
import yaml
from blocks import ROOT, blocks_of

from dray.api.meta import Object
from dray.api.resources import CLUSTER_ROLE_BINDINGS, SECRETS, Resource
from dray.client.config import ClientConfig
from dray.client.http import HttpClient
from dray.cluster.api_server import ApiServerRole, ApiServerSettings
from dray.cluster.layout import Layout

PAGE = "docs/components.md"
TOKENS = blocks_of(PAGE, "csv")[0].code
ACCESS = Resource("authorization.k8s.io", "v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", False)
REVIEW = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}


async def test_tokens_and_files_of_the_page_are_those_of_a_server(tmp_path: pathlib.Path) -> None:
    tokens = tmp_path / "tokens.csv"
    tokens.write_text(TOKENS)
    data = tmp_path / "data"
    async with ApiServerRole(Layout(data), ApiServerSettings(token_file=tokens)) as role:
        trusted = ssl.create_default_context(cadata=role.authority.pem.decode())
        url = f"https://{role.server.address}/apis/authentication.k8s.io/v1/selfsubjectreviews"
        seen = []
        async with aiohttp.ClientSession() as session:
            for line in TOKENS.splitlines():
                headers = {"Authorization": f"Bearer {line.split(',')[0]}"}
                async with session.post(url, json=REVIEW, headers=headers, ssl=trusted) as answer:
                    seen.append((await answer.json())["status"]["userInfo"]["username"])
        named = set(re.findall(r"data/(pki/\S+)", "".join(block.code for block in blocks_of(PAGE, "text"))))
        assert {name for name in named if not (data / name).exists()} == set()
    assert seen == [line.split(",")[1] for line in TOKENS.splitlines()]
    assert {"system:kube-scheduler", "system:kube-controller-manager"} < set(seen)


async def test_who_has_the_bootstrap_token_of_the_page_may_ask_for_a_certificate_and_gets_it(
    tmp_path: pathlib.Path,
) -> None:
    [joining] = [block.code for block in blocks_of(PAGE, "yaml") if "bootstrap-token" in block.code]
    secret, *bindings = yaml.safe_load_all(joining)
    data = secret["stringData"]
    async with ApiServerRole(Layout(tmp_path), ApiServerSettings(bootstrap_tokens=True)) as role:
        server, trusted = f"https://{role.server.address}", role.authority.pem
        pair = role.authority.client("administrator", "admin", ["system:masters"])
        administrator = ClientConfig(server, trusted, certificate=pair.certificate, key=pair.key)
        async with HttpClient(administrator) as client:
            await client.create(SECRETS, secret, "kube-system")
            for binding in bindings:
                await client.create(CLUSTER_ROLE_BINDINGS, binding)
        token = f"{data['token-id']}.{data['token-secret']}"
        async with HttpClient(ClientConfig(server, trusted, token=token)) as kubelet:
            may = {each: await allowed(kubelet, each) for each in ("", "nodeclient", "selfnodeclient")}
    assert may == {"": True, "nodeclient": True, "selfnodeclient": False}


async def allowed(client: HttpClient, subresource: str) -> bool:
    """Whether whoever asks may create requests for certificates, or that part of them."""
    asked: Object = {"group": "certificates.k8s.io", "resource": "certificatesigningrequests"}
    attributes = {**asked, "subresource": subresource, "verb": "create"}
    review = await client.create(ACCESS, {"spec": {"resourceAttributes": attributes}})
    return bool(review["status"]["allowed"])


@pytest.mark.parametrize("role", ["apiserver", "controller-manager"])
def test_every_flag_of_a_role_on_the_page_exists(role: str) -> None:
    from dray.cli.apiserver import command as apiserver
    from dray.cli.controller_manager import command as controller_manager

    command = {"apiserver": apiserver, "controller-manager": controller_manager}[role]
    flags = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
    page = (ROOT / PAGE).read_text().replace("\\\n", " ")
    [line] = [line for line in page.splitlines() if line.startswith(f"dray {role}")]
    assert set(re.findall(r"--[\w-]+", line)) <= flags
