from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from node_story import NodeStory

from dray.testing.fake_api import FakeApi


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[NodeStory]:
    async with FakeApi() as api, NodeStory(tmp_path / "kubelet", api) as story:
        yield story
