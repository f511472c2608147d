"""The tutorial goes on after its cluster was killed in the middle of a step; `tutorial_kills.py` does it in every step."""

import pathlib
import random

import pytest
from replay import has_kubectl
from tutorial_kills import Tutorial

pytestmark = [
    pytest.mark.kubectl,
    pytest.mark.skipif(not has_kubectl(), reason="needs the real kubectl on PATH"),
]
SAMPLE = ("create namespace", "daemonset.yaml", "pod.yaml", "delete namespace")


async def test_killed_with_and_without_its_pods_the_tutorial_goes_on(tmp_path: pathlib.Path) -> None:
    tutorial = Tutorial(tmp_path, chance=random.Random(4))
    deaths = await tutorial.run(
        lambda step: any(part in step.command for part in SAMPLE), tell=lambda death: None
    )
    assert len(deaths) == len(SAMPLE)
    assert all(death.outcome.is_right for death in deaths)
    assert {death.with_pods for death in deaths} == {True, False}
