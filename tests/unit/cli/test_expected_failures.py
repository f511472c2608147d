"""What a user may meet in ordinary life ends a command with one line, whatever command it was."""

import click
import pytest

from dray.cli import main as entry
from dray.client.leader import LeadershipLost


def test_a_scheduler_that_loses_its_lease_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def lose() -> None:
        raise LeadershipLost("lease kube-system/kube-scheduler was lost by a")

    monkeypatch.setattr(entry, "cli", lose)
    monkeypatch.setattr("sys.argv", ["dray"])
    with pytest.raises(SystemExit) as end:
        entry.main()
    assert end.value.code == 1
    assert capsys.readouterr().err == "dray: lease kube-system/kube-scheduler was lost by a\n"
