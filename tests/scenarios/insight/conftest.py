"""The questions, asked of objects through a snapshot file as people ask them."""

import pathlib
from typing import Any

import pytest
from click.testing import CliRunner
from insight_story import GPU_CLASS, NOW, node

from dray.cli.insight.gather import write_file
from dray.cli.main import cli
from dray.insight.redaction import redact
from dray.insight.snapshot import Snapshot


@pytest.fixture
def ask(tmp_path: pathlib.Path) -> Any:
    """Run a command on objects; the exit code and the output with line breaks as spaces."""

    def run(
        *words: str,
        unknown: dict[str, str] | None = None,
        server: dict[str, Any] | None = None,
        **objects: Any,
    ) -> str:
        given = {"nodes": [node("n1")], "deviceclasses": [GPU_CLASS], "resourceslices": [], **objects}
        kinds = ("pods", "resourceclaims", "resourceclaimtemplates", "events", "daemonsets")
        snapshot = Snapshot(
            NOW,
            {**{key: [] for key in kinds}, **given},
            unknown,
            server={"resource": ["v1"], **(server or {})},
        )
        path = tmp_path / "snapshot.json.gz"
        write_file(path, redact(snapshot))
        result = CliRunner().invoke(cli, [*words, "--snapshot", str(path)])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        assert all(len(line) <= 100 for line in result.output.splitlines())
        return " ".join(result.output.split())

    return run
