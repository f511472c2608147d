"""How long objects are given to end, and which flags and words of `kubectl delete` do not go together, as in kubectl 1.36."""

from typing import Any

import pytest

from dray.cli.kubectl.delete import Options, _check
from dray.cli.kubectl.session import Failure
from dray.cli.kubectl.targets import Selecting


@pytest.mark.parametrize(
    ("flags", "seconds"),
    [
        ({}, -1),
        ({"grace_period": 5}, 5),
        ({"grace_period": -1}, -1),
        ({"grace_period": 0}, 1),
        ({"grace_period": 0, "force": True}, 0),
        ({"force": True}, 0),
        ({"now": True}, 1),
    ],
)
def test_nothing_is_given_by_force_alone(flags: dict[str, Any], seconds: int) -> None:
    assert Options(**flags).seconds == seconds


@pytest.mark.parametrize(
    ("words", "files", "options", "told"),
    [
        (
            ["cm", "a"],
            [],
            Options(force=True, grace_period=5),
            "--force and --grace-period greater than 0 cannot be specified together",
        ),
        (
            ["cm", "a"],
            [],
            Options(now=True, grace_period=5),
            "--now and --grace-period cannot be specified together",
        ),
        (
            ["cm", "a"],
            [],
            Options(Selecting(every=True)),
            "name cannot be provided when a selector is specified",
        ),
        (
            ["cm"],
            [],
            Options(Selecting("a=b", every=True)),
            "cannot set --all and --selector at the same time",
        ),
        ([], [], Options(Selecting(every=True)), "at least one resource must be specified to use a selector"),
        (
            ["cm"],
            ["x.yaml"],
            Options(),
            "when paths, URLs, or stdin is provided as input, you may not specify resource arguments as well",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(
    words: list[str], files: list[str], options: Options, told: str
) -> None:
    with pytest.raises(Failure) as raised:
        _check(words, files, options)
    assert str(raised.value) == f"error: {told}"
