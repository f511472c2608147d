"""What a server finds of its certificates: what can be made anew is, and what is lost is named."""

import datetime as dt
import pathlib

import pytest

from dray.cluster.certificates import Authority, CertificateError, service_account_key

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def test_an_authority_whose_key_is_lost_is_not_replaced(tmp_path: pathlib.Path) -> None:
    certificate = Authority(tmp_path, NOW).pem
    (tmp_path / "ca.key").unlink()
    with pytest.raises(CertificateError, match=r"ca\.key is missing, while .*ca\.crt is there; put it back"):
        Authority(tmp_path, NOW)
    assert (tmp_path / "ca.crt").read_bytes() == certificate


def test_a_key_of_another_authority_is_refused(tmp_path: pathlib.Path) -> None:
    Authority(tmp_path / "a", NOW)
    Authority(tmp_path / "b", NOW)
    (tmp_path / "b" / "ca.key").rename(tmp_path / "a" / "ca.key")
    with pytest.raises(CertificateError, match=r"ca\.key is not the key of .*ca\.crt"):
        Authority(tmp_path / "a", NOW)


def test_an_authority_killed_while_it_is_made_is_made_again(tmp_path: pathlib.Path) -> None:
    Authority(tmp_path, NOW)
    (tmp_path / "ca.crt").unlink()
    assert b"BEGIN CERTIFICATE" in Authority(tmp_path, NOW).pem


@pytest.mark.parametrize("damaged", ["admin.crt", "admin.key"])
def test_a_damaged_certificate_of_a_client_is_signed_again(tmp_path: pathlib.Path, damaged: str) -> None:
    authority = Authority(tmp_path, NOW)
    before = authority.client("admin", "kubernetes-admin", [])
    assert authority.client("admin", "kubernetes-admin", []) == before
    (tmp_path / damaged).write_bytes(b"")
    assert b"BEGIN CERTIFICATE" in authority.client("admin", "kubernetes-admin", []).certificate


def test_a_certificate_of_an_authority_before_is_signed_again(tmp_path: pathlib.Path) -> None:
    before = Authority(tmp_path, NOW).client("admin", "kubernetes-admin", [])
    for name in ("ca.crt", "ca.key"):
        (tmp_path / name).unlink()
    assert Authority(tmp_path, NOW).client("admin", "kubernetes-admin", []) != before


def test_a_key_for_tokens_that_is_none_is_named(tmp_path: pathlib.Path) -> None:
    (tmp_path / "sa.key").write_bytes(b"")
    with pytest.raises(CertificateError, match=r"sa\.key is not a PEM key"):
        service_account_key(tmp_path)
