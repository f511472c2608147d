"""The life of a whole cluster: how soon `dray up` can be used, what it holds in memory, how long the tutorial takes.

    python bench/cluster.py [--runs 3]

Each line is the best of the runs beside its goal. A start is measured from the command to the first answer of `kubectl get
nodes` (the built-in one where there is no other) that shows every node Ready. Memory is the resident memory of the
process of a fresh two-node cluster that idles: it is all there is of it, since nodes without pods have no processes.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

DRAY = [sys.executable, "-m", "dray.cli.main"]
KUBECTL = ["kubectl"] if shutil.which("kubectl") else [*DRAY, "kubectl"]
GOALS = {"start": 1.5, "memory": 150.0, "tutorial": 8.0}
POLL_SECONDS = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    starts = [measure_start() for _ in range(runs)]
    tutorials = [measure_tutorial() for _ in range(runs)]
    print(f"{'':46}{'best':>8}{'worst':>8}{'goal':>8}")
    show("dray up until nodes are Ready and shown, s", [start for start, _ in starts], GOALS["start"])
    show("resident memory of two nodes, MB", [memory for _, memory in starts], GOALS["memory"])
    show("dray tutorial, start and cleanup included, s", tutorials, GOALS["tutorial"])


def show(what: str, figures: list[float], goal: float) -> None:
    print(f"{what:46}{min(figures):8.2f}{max(figures):8.2f}{goal:8.1f}")


def measure_start() -> tuple[float, float]:
    """Seconds, and megabytes."""
    with tempfile.TemporaryDirectory() as directory:
        home = pathlib.Path(directory)
        environment = user(home)
        begin = time.perf_counter()
        command = [*DRAY, "up", "--data-dir", str(home / "cluster")]
        cluster = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        try:
            while not nodes_ready(home / "cluster" / "kubeconfig", environment):
                time.sleep(POLL_SECONDS)
            seconds = time.perf_counter() - begin
            time.sleep(2.0)  # what a start leaves behind is given back
            return seconds, resident_bytes(cluster.pid) / 1e6
        finally:
            cluster.terminate()
            cluster.wait()


def nodes_ready(kubeconfig: pathlib.Path, environment: dict[str, str]) -> bool:
    if not kubeconfig.exists():
        return False
    command = [*KUBECTL, "--kubeconfig", str(kubeconfig), "get", "nodes"]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True).stdout
    return shown.count(" Ready ") == 2


def measure_tutorial() -> float:
    with tempfile.TemporaryDirectory() as directory:
        begin = time.perf_counter()
        subprocess.run(
            [*DRAY, "tutorial"], env=user(pathlib.Path(directory)), check=True, stdout=subprocess.DEVNULL
        )
        return time.perf_counter() - begin


def resident_bytes(pid: int) -> int:
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def user(home: pathlib.Path) -> dict[str, str]:
    """Of somebody who has nothing but this home."""
    return {"PATH": os.environ["PATH"], "HOME": str(home), "TMPDIR": str(home)}


if __name__ == "__main__":
    main()
