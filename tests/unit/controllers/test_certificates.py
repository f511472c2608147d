"""Certificate requests: who is approved by itself, what is signed and how, and when requests go."""

import base64
import datetime as dt
import gzip
import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from dray.api.certificates import der
from dray.api.certificates.der import Reader
from dray.api.certificates.request import parse_request
from dray.api.meta import Object, format_time
from dray.api.resources import CERTIFICATE_SIGNING_REQUESTS as REQUESTS
from dray.api.resources import Resource
from dray.controllers.base import Context
from dray.controllers.certificate_approval import CertificateApproval
from dray.controllers.certificate_authority import (
    AuthorityError,
    AuthorityFiles,
    SigningAuthority,
    read_authority,
)
from dray.controllers.certificate_cleaning import CertificateCleaning
from dray.controllers.certificate_issuing import IssueError, issue, validity
from dray.controllers.certificate_signers import CLIENT, FAULTS, KUBELET_CLIENT, KUBELET_SERVING, LEGACY
from dray.controllers.certificate_signing import LONGEST, CertificateSigning, Signing
from dray.testing import virtual
from dray.testing.memory_client import MemoryClient
from tests.unit.certificate_requests import own_certificate, request_pem, signing_request
from tests.unit.controllers.harness import controllers, settle

CORPUS = pathlib.Path(__file__).parents[2] / "corpus" / "controllers" / "certificates.jsonl.gz"
RECORDED = [json.loads(line) for line in gzip.decompress(CORPUS.read_bytes()).splitlines()]
"""What kube-controller-manager 1.36.2 made of each request, once it was approved."""
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
KUBELET = ("digital signature", "key encipherment", "client auth")
SUBJECT, VALIDITY, ALGORITHM = 5, 4, 2


def authority_pem(key: Any = None, *, days: int = 3650, has_identifier: bool = True) -> tuple[bytes, bytes]:
    key = key or ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "kubernetes")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(START - dt.timedelta(days=5000))
    builder = builder.not_valid_after(START + dt.timedelta(days=days))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    if has_identifier:
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    made = builder.sign(key, None if isinstance(key, ed25519.Ed25519PrivateKey) else hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


AUTHORITY_PEM = authority_pem()
AUTHORITY = read_authority(*AUTHORITY_PEM)


def signing(authority: Callable[[], SigningAuthority] = lambda: AUTHORITY) -> Callable[[Context], Any]:
    return lambda context: CertificateSigning(context, Signing(dict.fromkeys(FAULTS, authority)))


def parts_of(certificate: str) -> list[der.Element]:
    """Of what is signed."""
    read = x509.load_pem_x509_certificate(base64.b64decode(certificate))
    return Reader(read.tbs_certificate_bytes).sequence().members(None)


def extensions_of(certificate: str) -> list[list[Any]]:
    found: list[list[Any]] = []
    for extension in Reader(parts_of(certificate)[-1].content).sequence().members(der.SEQUENCE):
        inside = Reader(extension.content)
        oid, is_critical = inside.identifier(), inside.optional(der.BOOLEAN) is not None
        content = inside.expect(der.OCTET_STRING)
        is_identifier = oid == "2.5.29.35" and AUTHORITY.key_identifier in content
        found.append([oid, is_critical, "<authority>" if is_identifier else content.hex()])
    return found


def decided(case: Object, name: str) -> Object:
    """As an object, with the decision of whoever approves or denies it."""
    spec = {key: case[key] for key in ("signerName", "usages", "request", "expirationSeconds") if key in case}
    condition = {"type": case.get("condition", "Approved"), "status": "True", "reason": "test"}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {**spec, "signerName": case["signer"]},
        "status": {"conditions": [condition]},
    }


def test_requests_are_signed_or_fail_as_kube_controller_manager_has_it() -> None:
    async def story() -> dict[str, Object]:
        client = MemoryClient(*(decided(case, f"r{number}") for number, case in enumerate(RECORDED)))
        async with controllers(client, signing()):
            await settle()
        return {each["metadata"]["name"]: each["status"] for each in client.all(REQUESTS)}

    found = virtual.run(story())
    assert len(RECORDED) == 139
    for number, case in enumerate(RECORDED):
        status = found[f"r{number}"]
        failed = [
            [each["status"], each["reason"], each["message"]]
            for each in status["conditions"]
            if each["type"] == "Failed"
        ]
        assert failed == ([case["failed"]] if "failed" in case else []), case["name"]
        assert ("certificate" in status) == ("subject" in case), case["name"]
        if "subject" in case:
            assert_as_recorded(case, status["certificate"])


def assert_as_recorded(case: Object, certificate: str) -> None:
    read = x509.load_pem_x509_certificate(base64.b64decode(certificate))
    assert parts_of(certificate)[SUBJECT].whole.hex() == case["subject"], case["name"]
    assert extensions_of(certificate) == case["extensions"], case["name"]
    life = read.not_valid_after_utc - read.not_valid_before_utc
    assert life.total_seconds() == case["seconds"], case["name"]
    read.verify_directly_issued_by(x509.load_pem_x509_certificate(AUTHORITY_PEM[0]))
    assert read.version is x509.Version.v3
    assert 0 < read.serial_number < 2**128


def approved(name: str = "r", signer: str = CLIENT, **spec: Any) -> Object:
    usages = spec.pop("usages", ["client auth"])
    asked = signing_request(name, request_pem("jane"), signer, usages, **spec)
    return {**asked, "status": {"conditions": [{"type": "Approved", "status": "True"}]}}


def test_a_certificate_begins_five_minutes_ago_and_is_for_a_year() -> None:
    valid = validity(START, None, LONGEST, AUTHORITY)
    assert valid.not_before == START - dt.timedelta(minutes=5)
    assert valid.not_after == START + dt.timedelta(days=365) - dt.timedelta(minutes=5)


@pytest.mark.parametrize(
    ("asked", "longest", "seconds"),
    [
        (600, 365 * 86400, 600),
        (28799, 365 * 86400, 28799),
        (28800, 365 * 86400, 28500),
        (2**31 - 1, 365 * 86400, 365 * 86400 - 300),
        (None, 7200, 7200),
        (3600, 7200, 3600),
        (86400, 7200, 7200),
        (600, 300, 300),
    ],
)
def test_how_long_it_is_valid_from_now(asked: int | None, longest: int, seconds: int) -> None:
    """Recorded with --cluster-signing-duration of a year, 2h and 5m."""
    valid = validity(START, asked, dt.timedelta(seconds=longest), AUTHORITY)
    assert (valid.not_after - START).total_seconds() == seconds


def test_it_never_outlives_its_authority_and_an_expired_one_signs_nothing() -> None:
    short = read_authority(*authority_pem(days=1))
    assert validity(START, None, LONGEST, short).not_after == short.not_after
    with pytest.raises(IssueError, match="has expired"):
        validity(short.not_after, 600, LONGEST, short)


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (rsa.generate_private_key(65537, 2048), "1.2.840.113549.1.1.11"),
        (ec.generate_private_key(ec.SECP256R1()), "1.2.840.10045.4.3.2"),
        (ec.generate_private_key(ec.SECP384R1()), "1.2.840.10045.4.3.3"),
        (ec.generate_private_key(ec.SECP521R1()), "1.2.840.10045.4.3.4"),
        (ed25519.Ed25519PrivateKey.generate(), "1.3.101.112"),
    ],
)
def test_the_key_of_the_authority_decides_how_it_signs(key: Any, algorithm: str) -> None:
    pair = authority_pem(key)
    authority = read_authority(*pair)
    request = parse_request(request_pem("jane"))
    made = issue(request, ["any"], authority, validity(START, 600, LONGEST, authority), 7)
    read = x509.load_pem_x509_certificate(made)
    assert read.signature_algorithm_oid.dotted_string == algorithm
    read.verify_directly_issued_by(x509.load_pem_x509_certificate(pair[0]))
    assert read.serial_number == 7


def test_an_authority_without_an_identifier_gives_none() -> None:
    authority = read_authority(*authority_pem(has_identifier=False))
    made = issue(
        parse_request(request_pem("jane")), ["any"], authority, validity(START, 600, LONGEST, authority), 7
    )
    assert "2.5.29.35" not in [each[0] for each in extensions_of(base64.b64encode(made).decode())]


def test_what_cannot_sign_is_refused_by_name(tmp_path: pathlib.Path) -> None:
    certificate, key = tmp_path / "ca.crt", tmp_path / "ca.key"
    with pytest.raises(AuthorityError, match=r"cannot read .*ca\.crt: No such file"):
        AuthorityFiles(certificate, key)
    good, other = AUTHORITY_PEM, authority_pem()
    bad = {
        "the key is not the certificate's": (good[0], other[1]),
        "expected 1 certificate, found 2": (good[0] * 2, good[1]),
        "expected 1 certificate, found 0": (good[1], good[1]),
        "no private key": (good[0], b"junk"),
    }
    for text, pair in bad.items():
        certificate.write_bytes(pair[0])
        key.write_bytes(pair[1])
        with pytest.raises(AuthorityError, match=rf"cannot sign with .*ca\.crt and .*ca\.key: {text}"):
            AuthorityFiles(certificate, key)


def test_an_authority_that_was_replaced_is_read_again(tmp_path: pathlib.Path) -> None:
    certificate, key = tmp_path / "ca.crt", tmp_path / "ca.key"
    certificate.write_bytes(AUTHORITY_PEM[0])
    key.write_bytes(AUTHORITY_PEM[1])
    files = AuthorityFiles(certificate, key)
    assert files() is files()
    for path, content in zip((certificate, key), authority_pem(), strict=True):
        path.write_bytes(content)
    assert files().key_identifier != AUTHORITY.key_identifier


def test_a_request_waits_for_an_authority_that_cannot_sign_yet() -> None:
    broken = [True]

    def authority() -> SigningAuthority:
        if broken:
            raise AuthorityError("not there")
        return AUTHORITY

    async def story() -> None:
        client = MemoryClient(approved())
        async with controllers(client, signing(authority)):
            await settle()
            assert client.writes == []
            broken.clear()
            await settle(5)
        [request] = client.all(REQUESTS)
        assert request["status"]["certificate"]
        assert [condition["type"] for condition in request["status"]["conditions"]] == ["Approved"]

    virtual.run(story())


def test_other_signers_and_undecided_requests_are_left_alone() -> None:
    undecided = signing_request("undecided", request_pem("jane"), CLIENT, ["client auth"])

    async def story() -> None:
        client = MemoryClient(approved("other", "example.com/mine"), undecided)
        async with controllers(client, signing()):
            await settle()
        assert client.writes == []

    virtual.run(story())


# --- approval


class Reviewing(MemoryClient):
    """Grants each user what is listed."""

    def __init__(self, *objects: Object) -> None:
        super().__init__(*objects)
        self.granted: dict[str, set[str]] = {}
        self.asked: list[Object] = []

    async def create(
        self, resource: Resource, obj: Object, namespace: str = "", *, name: str = "", subresource: str = ""
    ) -> Object:
        spec = obj["spec"]
        self.asked.append(spec)
        right = spec["resourceAttributes"]["subresource"]
        return {**obj, "status": {"allowed": right in self.granted.get(spec["user"], ())}}


def asked_by(user: str, node: str = "n1", signer: str = KUBELET_CLIENT, usages: Any = KUBELET) -> Object:
    pem = request_pem(f"system:node:{node}", "system:nodes")
    return signing_request("r", pem, signer, usages, username=user, groups=["g"], extra={"a": ["b"]})


def conditions_after(request: Object, **granted: set[str]) -> list[tuple[str, str, str]]:
    async def story() -> list[tuple[str, str, str]]:
        client = Reviewing(request)
        client.granted = {"boot": granted.get("boot", set()), "system:node:n1": granted.get("node", set())}
        async with controllers(client, CertificateApproval):
            await settle(5)
        conditions = client.all(REQUESTS)[0].get("status", {}).get("conditions", ())
        return [(each["type"], each["reason"], each["message"]) for each in conditions]

    return virtual.run(story())


def message(what: str = "") -> tuple[str, str, str]:
    text = f"Auto approving {what}kubelet client certificate after SubjectAccessReview."
    return ("Approved", "AutoApproved", text)


def test_a_node_renews_its_own_certificate_by_one_right_and_others_get_any_by_another() -> None:
    assert conditions_after(asked_by("system:node:n1"), node={"selfnodeclient"}) == [message("self ")]
    assert conditions_after(asked_by("system:node:n1"), node={"nodeclient"}) == [message()]
    assert conditions_after(asked_by("boot"), boot={"nodeclient"}) == [message()]
    assert conditions_after(asked_by("boot"), boot={"selfnodeclient"}) == []


@pytest.mark.parametrize(
    "request_",
    [
        asked_by("boot", signer=KUBELET_SERVING),
        asked_by("boot", signer=CLIENT),
        asked_by("boot", usages=["client auth"]),
        signing_request("r", request_pem("system:node:n1"), KUBELET_CLIENT, KUBELET, username="boot"),
    ],
)
def test_nothing_else_is_approved_by_itself(request_: Object) -> None:
    assert conditions_after(request_, boot={"nodeclient", "selfnodeclient"}) == []


def test_a_right_that_comes_later_is_found() -> None:
    async def story() -> None:
        client = Reviewing(asked_by("boot"))
        async with controllers(client, CertificateApproval):
            await settle(30)
            assert len(client.asked) < 15
            assert client.asked[0]["groups"] == ["g"]
            assert client.asked[0]["extra"] == {"a": ["b"]}
            assert client.asked[0]["resourceAttributes"] == {
                "group": "certificates.k8s.io",
                "version": "*",
                "resource": "certificatesigningrequests",
                "subresource": "nodeclient",
                "verb": "create",
            }
            client.granted = {"boot": {"nodeclient"}}
            await settle(60)
        assert client.all(REQUESTS)[0]["status"]["conditions"]

    virtual.run(story())


# --- cleaning


def aged(name: str, created_hours_ago: float, certificate: bytes = b"", **decisions: float) -> Object:
    """With conditions that were written so many hours ago."""

    def ago(hours: float) -> str:
        return format_time(START - dt.timedelta(hours=hours))

    conditions = [
        {"type": kind, "status": "True", "lastUpdateTime": ago(hours)} for kind, hours in decisions.items()
    ]
    status: Object = {"conditions": conditions}
    if certificate:
        status["certificate"] = base64.b64encode(certificate).decode()
    asked = signing_request(name, b"", LEGACY, [])
    return {
        **asked,
        "metadata": {"name": name, "creationTimestamp": ago(created_hours_ago)},
        "status": status,
    }


def kept(*requests: Object, hours: float = 0) -> set[str]:
    async def story() -> set[str]:
        client = MemoryClient(*requests)
        async with controllers(client, CertificateCleaning):
            await settle(1 + hours * 3600)
        return {each["metadata"]["name"] for each in client.all(REQUESTS)}

    return virtual.run(story())


def test_requests_go_an_hour_after_they_were_decided_and_a_day_after_they_were_made() -> None:
    certificate = own_certificate()
    old = [
        aged("issued", 2, certificate, Approved=1.01),
        aged("denied", 2, Denied=1.01),
        aged("failed", 2, Approved=2, Failed=1.01),
        aged("pending", 24.1),
    ]
    young = [
        aged("issued-young", 2, certificate, Approved=0.9),
        aged("denied-young", 2, Denied=0.9),
        aged("failed-young", 2, Approved=2, Failed=0.9),
        aged("pending-young", 23.9),
    ]
    others = [
        aged("approved-unsigned", 50, Approved=49),
        aged("other-condition", 50, certificate, Ready=49),
    ]
    stay = {each["metadata"]["name"] for each in others}
    assert kept(*old, *young, *others) == stay | {each["metadata"]["name"] for each in young}
    assert kept(*old, *young, *others, hours=0.2) == stay


def test_a_request_goes_when_its_certificate_has_expired() -> None:
    short = aged("r", 0, own_certificate(START + dt.timedelta(minutes=30)), Approved=0)
    assert kept(short, hours=0.4) == {"r"}
    assert kept(short, hours=0.6) == set()
