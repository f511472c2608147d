"""The pytest plugin: fixtures `kubelet` and `cluster` for tests of DRA drivers and of what uses devices.

`kubelet` (dray.testing.driver_bench) is one node without a cluster, new for each test: it runs a driver of the Python
SDK in the test's process. `cluster` (dray.testing.whole_cluster) is a whole cluster with one node, shared by the tests
of a session, since it takes about a second. Both are for plain functions and need no other plugin.

Nothing of dray is loaded for tests that use neither.
"""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from dray.testing.driver_bench import DriverBench
    from dray.testing.whole_cluster import WholeCluster


@pytest.fixture
def kubelet() -> "Iterator[DriverBench]":
    """One node: a kubelet with real sockets and an API server, for a driver in this process."""
    from dray.testing.background import Background
    from dray.testing.driver_bench import DriverBench

    with short_directory() as root, Background() as background:
        bench = DriverBench(background, root)
        try:
            yield bench
        finally:
            bench.stop()


@pytest.fixture(scope="session")
def cluster() -> "Iterator[WholeCluster]":
    """A whole cluster: API server, scheduler, controllers and one node."""
    from dray.testing.background import Background
    from dray.testing.whole_cluster import WholeCluster

    with short_directory() as root, Background() as background:
        whole = WholeCluster(background, root)
        try:
            yield whole
        finally:
            whole.close()


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """pytest's own temporary directories have paths that are too long for sockets."""
    path = tempfile.mkdtemp(prefix="dray-")
    try:
        yield Path(path)
    finally:
        shutil.rmtree(path, ignore_errors=True)
