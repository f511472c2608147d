"""With which authority the controllers sign is said by flags; what cannot be meant is refused in one line."""

import datetime as dt
import pathlib

import pytest
from click.testing import CliRunner

from dray.cli.controller_manager import command
from dray.cluster.certificates import Authority
from dray.cluster.layout import ClusterError


@pytest.fixture
def pki(tmp_path: pathlib.Path) -> pathlib.Path:
    for name in ("ca", "other"):
        Authority(tmp_path, dt.datetime(2026, 1, 1, tzinfo=dt.UTC), file=name)
    return tmp_path


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--cluster-signing-cert-file", "ca.crt"],
            "the key of {pki}/ca.crt is missing: --cluster-signing-...-key-file",
        ),
        (
            ["--cluster-signing-kubelet-client-key-file", "ca.key"],
            "the certificate of the key {pki}/ca.key is missing: --cluster-signing-...-cert-file",
        ),
        (
            ["--cluster-signing-cert-file", "ca.crt", "--cluster-signing-key-file", "other.key"],
            "cannot sign with {pki}/ca.crt and {pki}/other.key: the key is not the certificate's",
        ),
        (
            [
                *("--cluster-signing-cert-file", "ca.crt", "--cluster-signing-key-file", "ca.key"),
                *("--cluster-signing-legacy-unknown-cert-file", "other.crt"),
            ],
            "--cluster-signing-cert-file is for all signers: leave it out where single signers have a CA of their own",
        ),
        (
            ["--cluster-signing-duration", "a year"],
            "--cluster-signing-duration a year: use a duration such as 8760h or 90m",
        ),
        (
            ["--cluster-signing-duration", "-1h"],
            "--cluster-signing-duration -1h: use a duration such as 8760h or 90m",
        ),
    ],
)
def test_an_authority_that_cannot_be_meant_is_refused(
    flags: list[str], message: str, pki: pathlib.Path
) -> None:
    given = [str(pki / flag) if flag.endswith((".crt", ".key")) else flag for flag in flags]
    with pytest.raises(ClusterError) as refused:
        CliRunner().invoke(command, given, catch_exceptions=False)
    assert str(refused.value) == message.format(pki=pki)
