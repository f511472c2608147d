"""The page about Kubernetes' own components: its tokens are theirs, and the files it names are there."""

import pathlib
import re
import ssl

import aiohttp
from blocks import ROOT, blocks_of

from dray.cluster.api_server import ApiServerRole, ApiServerSettings
from dray.cluster.layout import Layout

PAGE = "docs/components.md"
TOKENS = blocks_of(PAGE, "csv")[0].code
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


def test_every_flag_of_the_server_on_the_page_exists() -> None:
    from dray.cli.apiserver import command

    flags = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
    [line] = [line for line in (ROOT / PAGE).read_text().splitlines() if line.startswith("dray apiserver")]
    assert set(re.findall(r"--[\w-]+", line)) <= flags
