"""docs/allocation.md: its code runs, and what it claims in words is what the code shows."""

import pytest
from blocks import run_python


def test_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    run_python("docs/allocation.md")
    assert "wants 2 devices of class gpu, 1 can be had" in capsys.readouterr().out
