"""The stage of the driver tests."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from plugin_stage import Stage

from dray.testing.fake_kubelet import FakeKubelet


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with FakeKubelet(tmp_path) as kubelet:
        yield Stage(kubelet)
