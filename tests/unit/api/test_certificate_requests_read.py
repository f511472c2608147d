"""What is read of a request for a certificate, and what is said of one that cannot be read.

The texts are kube-apiserver's: 1.36.2 was sent such requests.
"""

import base64
import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.unit.certificate_requests import request_pem, signed_request, wrongly_signed

from dray.api.certificates import der, pem
from dray.api.certificates.request import RequestError, parse_request
from dray.api.certificates.subject import Subject, read_subject

NAMES = (
    x509.IPAddress(ipaddress.ip_address("192.0.2.1")),
    x509.DNSName("n1.example.com"),
    x509.RFC822Name("n1@example.com"),
    x509.UniformResourceIdentifier("spiffe://example.com/n1"),
    x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
)


def part(oid: x509.ObjectIdentifier, value: str) -> x509.NameAttribute:
    return x509.NameAttribute(oid, value)


def complaint(request: bytes) -> str:
    try:
        parse_request(request).check_signature()
    except RequestError as error:
        return str(error)
    return ""


def content_of(request: bytes) -> bytes:
    block = pem.first_block(request)
    assert block is not None
    return block.content


def as_request(content: bytes) -> bytes:
    return pem.encode(pem.CERTIFICATE_REQUEST, content)


def test_subject_and_alternative_names_are_read() -> None:
    request = parse_request(request_pem("system:node:n1", "system:nodes", names=NAMES))
    request.check_signature()
    assert request.subject == Subject("system:node:n1", organizations=("system:nodes",))
    assert request.names.dns == ("n1.example.com",)
    assert request.names.emails == ("n1@example.com",)
    assert request.names.uris == ("spiffe://example.com/n1",)
    assert request.names.addresses == (bytes([192, 0, 2, 1]),)


def test_the_last_of_several_common_names_counts() -> None:
    names = [part(NameOID.COMMON_NAME, each) for each in ("system:node:n2", "system:node:n1")]
    assert parse_request(signed_request(names)).subject.common_name == "system:node:n1"


def test_a_subject_is_written_in_a_fixed_order_without_what_is_not_known() -> None:
    subject = [
        part(NameOID.COMMON_NAME, "jane"),
        part(NameOID.EMAIL_ADDRESS, "jane@example.com"),
        part(NameOID.ORGANIZATION_NAME, "zoos"),
        part(NameOID.ORGANIZATION_NAME, "ants"),
        part(NameOID.COUNTRY_NAME, "DE"),
    ]
    read = parse_request(signed_request(subject)).subject
    written = read.encoded()
    assert read_subject(written) == Subject("jane", countries=("DE",), organizations=("ants", "zoos"))
    # Both organizations are one part, a set, and sets are in the order of their bytes.
    parts = [each.content for each in der.Reader(written).sequence().members(der.SET)]
    assert [len(der.Reader(each).members(der.SEQUENCE)) for each in parts] == [1, 2, 1]


@pytest.mark.parametrize(
    ("request_text", "text"),
    [
        (b"", "PEM block type must be CERTIFICATE REQUEST"),
        (b"-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n", "PEM block type must be CERTIFICATE REQUEST"),
        (as_request(b""), "asn1: syntax error: sequence truncated"),
        (as_request(b"\x30"), "asn1: syntax error: truncated tag or length"),
        (as_request(b"\x30\x00"), "asn1: syntax error: sequence truncated"),
        (as_request(b"\x30\x80"), "asn1: syntax error: indefinite length found (not DER)"),
        (as_request(b"\x30\x81\x01\x00"), "asn1: structure error: non-minimal length"),
        (
            as_request(b"junk"),
            "asn1: structure error: tags don't match (16 vs {class:1 tag:10 length:117 isCompound:true}) {optional:false "
            "explicit:false application:false private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false "
            "omitEmpty:false} certificateRequest @2",
        ),
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused_in_these_words(request_text: bytes, text: str) -> None:
    assert complaint(request_text) == text


def test_a_request_is_read_to_its_end_and_no_further() -> None:
    content = content_of(request_pem("jane"))
    assert complaint(as_request(content + b"\0")) == "asn1: syntax error: trailing data"
    assert complaint(as_request(content[:-1])) == "asn1: syntax error: data truncated"


def test_who_asks_must_hold_the_key() -> None:
    request = request_pem("jane")
    assert complaint(request) == ""
    assert complaint(wrongly_signed(request)) == "x509: ECDSA verification failure"
    renamed = content_of(request).replace(b"jane", b"john")
    assert complaint(as_request(renamed)) == "x509: ECDSA verification failure"


def test_a_key_on_a_curve_that_is_not_known_is_refused() -> None:
    request = signed_request([part(NameOID.COMMON_NAME, "x")], key=ec.generate_private_key(ec.SECP256K1()))
    assert complaint(request) == "x509: unsupported elliptic curve"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("https://a b/", 'x509: cannot parse URI "https://a b/": parse "https://a b/": invalid character " " in host name'),
        ("https://a..b/", 'x509: cannot parse URI "https://a..b/": invalid domain'),
        ("https://[::1]/", ""),
        ("x", ""),
    ],
)  # fmt: skip
def test_a_uri_names_a_host_that_can_be(name: str, text: str) -> None:
    assert complaint(request_pem("x", names=[x509.UniformResourceIdentifier(name)])) == text


def test_blocks_are_found_in_text_and_what_is_none_is_passed_over() -> None:
    whole = as_request(b"one")
    assert [block.content for block in pem.blocks(b"words\n" + whole + b"more\n" + as_request(b"two"))] == [
        b"one",
        b"two",
    ]
    assert not list(pem.blocks(b"  " + whole))
    assert not list(pem.blocks(whole.replace(b"END CERTIFICATE REQUEST", b"END CERTIFICATE")))
    assert not list(pem.blocks(whole.partition(b"-----END")[0]))
    assert list(pem.blocks(whole.replace(b"\n", b" \r\n"))) == [pem.Block(pem.CERTIFICATE_REQUEST, b"one")]
    headed = whole.replace(
        b"-----\n" + base64.b64encode(b"one"), b"-----\nA: b\n\n" + base64.b64encode(b"one")
    )
    assert list(pem.blocks(headed)) == [pem.Block(pem.CERTIFICATE_REQUEST, b"one", has_headers=True)]
