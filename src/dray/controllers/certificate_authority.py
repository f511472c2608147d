"""The authority that signs: a certificate and its key, read from PEM, and read again when their files change."""

import dataclasses
import datetime as dt
import pathlib
from typing import TYPE_CHECKING, Any, Final

from dray.api.certificates import der, pem
from dray.api.certificates.der import Reader

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hashes

_SUBJECT_KEY: Final = "2.5.29.14"
_SUBJECT_PLACE: Final = 5
_EXTENSIONS: Final = 3
_RSA_SIGNATURE: Final = ("1.2.840.113549.1.1.11", b"\x05\x00")
_CURVE_SIGNATURES: Final = {
    "secp224r1": "1.2.840.10045.4.3.2",
    "secp256r1": "1.2.840.10045.4.3.2",
    "secp384r1": "1.2.840.10045.4.3.3",
    "secp521r1": "1.2.840.10045.4.3.4",
}
_ED25519_SIGNATURE: Final = "1.3.101.112"


class AuthorityError(Exception):
    """A certificate or key that cannot sign; one line."""


@dataclasses.dataclass(frozen=True, slots=True)
class SigningAuthority:
    subject: bytes
    """Its name, as DER."""
    key_identifier: bytes
    """Empty where its certificate has none."""
    not_after: dt.datetime
    key: Any
    """A private key of `cryptography`: RSA, ECDSA or Ed25519."""

    @property
    def algorithm(self) -> bytes:
        """How it signs, as DER: with the hash that fits the key."""
        from cryptography.hazmat.primitives.asymmetric import ec, rsa

        if isinstance(self.key, rsa.RSAPrivateKey):
            identifier, parameters = _RSA_SIGNATURE
            return der.sequence(der.identifier(identifier), parameters)
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return der.sequence(der.identifier(_CURVE_SIGNATURES[self.key.curve.name]))
        return der.sequence(der.identifier(_ED25519_SIGNATURE))

    def sign(self, data: bytes) -> bytes:
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(data, ec.ECDSA(_hash_of(self.key.curve)))
        signature: bytes = self.key.sign(data)
        return signature


def read_authority(certificate: bytes, key: bytes) -> SigningAuthority:
    """Both are PEM. Raises AuthorityError."""
    from cryptography import x509

    found = [block for block in pem.blocks(certificate) if block.type == pem.CERTIFICATE]
    if len(found) != 1:
        raise AuthorityError(f"expected 1 certificate, found {len(found)}")
    try:
        read = x509.load_der_x509_certificate(found[0].content)
        public_key = read.public_key()
    except ValueError as error:
        raise AuthorityError(f"no certificate: {error}") from None
    private_key = _read_key(key)
    if private_key.public_key() != public_key:
        raise AuthorityError("the key is not the certificate's")
    parts = Reader(read.tbs_certificate_bytes).sequence().members(None)
    return SigningAuthority(
        parts[_SUBJECT_PLACE].whole, _key_identifier(parts), read.not_valid_after_utc, private_key
    )


class AuthorityFiles:
    """Call it for the authority as the files have it now; both are read each time, which is seldom."""

    def __init__(self, certificate: pathlib.Path, key: pathlib.Path) -> None:
        """Raises AuthorityError, which names the files."""
        self._paths = (certificate, key)
        self._read: tuple[bytes, bytes] = (b"", b"")
        self._authority: SigningAuthority | None = None
        self()

    def __call__(self) -> SigningAuthority:
        """Raises AuthorityError."""
        try:
            content = self._paths[0].read_bytes(), self._paths[1].read_bytes()
        except OSError as error:
            raise AuthorityError(f"cannot read {error.filename}: {error.strerror}") from None
        if self._authority is None or content != self._read:
            try:
                self._authority = read_authority(*content)
            except AuthorityError as error:
                names = " and ".join(map(str, self._paths))
                raise AuthorityError(f"cannot sign with {names}: {error}") from None
            self._read = content
        return self._authority


def _read_key(data: bytes) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    try:
        key = serialization.load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise AuthorityError(f"no private key: {error}") from None
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name not in _CURVE_SIGNATURES:
        raise AuthorityError(f"a key on the curve {key.curve.name} does not sign certificates")
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        raise AuthorityError("the key is not RSA, ECDSA or Ed25519")
    return key


def _key_identifier(parts: "list[der.Element]") -> bytes:
    """What the certificate calls its own key."""
    for part in parts:
        if part.header.tag_class != der.CONTEXT or part.header.number != _EXTENSIONS:
            continue
        for extension in Reader(part.content).sequence().members(der.SEQUENCE):
            inside = Reader(extension.content)
            if inside.identifier() == _SUBJECT_KEY:
                inside.optional(der.BOOLEAN)
                return Reader(inside.expect(der.OCTET_STRING)).expect(der.OCTET_STRING)
    return b""


def _hash_of(curve: Any) -> "hashes.HashAlgorithm":
    from cryptography.hazmat.primitives import hashes

    if curve.name == "secp521r1":
        return hashes.SHA512()
    return hashes.SHA384() if curve.name == "secp384r1" else hashes.SHA256()
