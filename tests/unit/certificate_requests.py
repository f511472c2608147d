"""Requests for certificates, as openssl and kubelets make them."""

import base64
import datetime as dt
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from dray.api.certificates import pem
from dray.api.meta import Object


def request_pem(common_name: str, *organizations: str, names: Sequence[x509.GeneralName] = ()) -> bytes:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    return signed_request([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)], names)


def signed_request(
    subject: Sequence[x509.NameAttribute], names: Sequence[x509.GeneralName] = (), key: Any = None
) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name(subject))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    request = builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    return request.public_bytes(serialization.Encoding.PEM)


def own_certificate(end: dt.datetime = dt.datetime(2027, 1, 1)) -> bytes:
    """PEM of some certificate, valid until then."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(1)
    builder = builder.public_key(key.public_key()).not_valid_before(dt.datetime(2025, 1, 1))
    signed = builder.not_valid_after(end).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.PEM)


def wrongly_signed(request: bytes) -> bytes:
    """Well-formed, but signed by another key."""
    other = _der(request_pem("other"))
    der = _der(request)
    # The last part of a request is its signature; a few bytes of it are those of the other.
    return pem.encode(pem.CERTIFICATE_REQUEST, der[:-8] + other[-8:])


def _der(request: bytes) -> bytes:
    block = pem.first_block(request)
    assert block is not None
    return block.content


def signing_request(name: str, request: bytes, signer: str, usages: Sequence[str], **spec: Any) -> Object:
    """The object that asks for it."""
    said = {"request": base64.b64encode(request).decode(), "signerName": signer, "usages": list(usages)}
    return {
        "apiVersion": "certificates.k8s.io/v1",
        "kind": "CertificateSigningRequest",
        "metadata": {"name": name},
        "spec": {**said, **spec},
    }
