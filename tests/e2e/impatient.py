"""`dray`, with the kubelets' patience for lost drivers cut short: tests that lose one have less time than users."""

from unittest import mock

from dray.cli.main import main
from dray.node.plugins import slices

PATIENCE_SECONDS = 8.0
"""The transcript looks three seconds after the loss, when slices are still there, and once they are gone."""

if __name__ == "__main__":
    with mock.patch.object(slices, "WIPE_DELAY_SECONDS", PATIENCE_SECONDS):
        main()
