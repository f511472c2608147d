"""Where the cluster does not answer, a question ends with one line that says so."""

import json
import pathlib
import socket
import subprocess
import sys

import pytest


@pytest.mark.parametrize("question", [("devices",), ("why", "pod/p"), ("doctor",)])
def test_question_to_a_cluster_that_does_not_answer_ends_with_one_line(
    question: tuple[str, ...], tmp_path: pathlib.Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    kubeconfig = tmp_path / "kubeconfig"
    config = {
        "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c"}}],
        "current-context": "x",
    }
    kubeconfig.write_text(json.dumps(config))
    command = [sys.executable, "-m", "dray.cli.main", *question, "--kubeconfig", str(kubeconfig)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("dray: the API server does not answer: ")
    assert done.stderr.count("\n") == 1
