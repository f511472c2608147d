"""Public keys of requests, and the signatures made with them: which ones Go's crypto/x509 takes, and what it says of others."""

import dataclasses
import functools
import itertools
from typing import TYPE_CHECKING, Any, Final

from dray.api.certificates import der
from dray.api.certificates.der import DerError, Reader

if TYPE_CHECKING:
    from cryptography.hazmat.primitives import hashes

_RSA: Final = "1.2.840.113549.1.1.1"
_ECDSA: Final = "1.2.840.10045.2.1"
_ED25519: Final = "1.3.101.112"
_RSA_PSS: Final = "1.2.840.113549.1.1.10"
_MASK: Final = "1.2.840.113549.1.1.8"
_HASHES: Final = {
    "2.16.840.1.101.3.4.2.1": ("SHA256", 32),
    "2.16.840.1.101.3.4.2.2": ("SHA384", 48),
    "2.16.840.1.101.3.4.2.3": ("SHA512", 64),
}
_CURVES: Final = {
    "1.3.132.0.33": ("P224", 28),
    "1.2.840.10045.3.1.7": ("P256", 32),
    "1.3.132.0.34": ("P384", 48),
    "1.3.132.0.35": ("P521", 66),
}
_SIGNATURES: Final = {
    "1.2.840.113549.1.1.5": ("RSA", "SHA1"),
    "1.2.840.113549.1.1.11": ("RSA", "SHA256"),
    "1.2.840.113549.1.1.12": ("RSA", "SHA384"),
    "1.2.840.113549.1.1.13": ("RSA", "SHA512"),
    "1.3.14.3.2.29": ("RSA", "SHA1"),
    "1.2.840.10045.4.1": ("ECDSA", "SHA1"),
    "1.2.840.10045.4.3.2": ("ECDSA", "SHA256"),
    "1.2.840.10045.4.3.3": ("ECDSA", "SHA384"),
    "1.2.840.10045.4.3.4": ("ECDSA", "SHA512"),
    _ED25519: ("Ed25519", ""),
}
_MD5_RSA: Final = "1.2.840.113549.1.1.4"
_NULL: Final = b"\x05\x00"
_UNIMPLEMENTED: Final = "x509: cannot verify signature: algorithm unimplemented"
_GO_TYPES: Final = {"RSA": "*rsa.PublicKey", "ECDSA": "*ecdsa.PublicKey", "Ed25519": "ed25519.PublicKey"}
_FAILURES: Final = {
    "RSA": "crypto/rsa: verification error",
    "ECDSA": "x509: ECDSA verification failure",
    "Ed25519": "x509: Ed25519 verification failure",
}
_RSA_MIN_BITS: Final = 1024
_MINIMUM_SITE: Final = "https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size"
_ED25519_BYTES: Final = 32


@dataclasses.dataclass(frozen=True, slots=True)
class Algorithm:
    identifier: str
    parameters: bytes = b""
    """One value, as DER; empty where there is none."""


@dataclasses.dataclass(frozen=True, slots=True)
class PublicKey:
    kind: str
    """RSA, ECDSA or Ed25519; "" for what is not known here."""
    info: bytes
    """SubjectPublicKeyInfo, as DER."""
    bits: int = 0
    """Of an RSA modulus."""

    def fault(self, algorithm: Algorithm, signed: bytes, signature: bytes) -> str:
        """Why `signature` is not one of `signed` with this key; "" where it is."""
        if algorithm.identifier == _MD5_RSA:
            return "x509: cannot verify signature: insecure algorithm MD5-RSA"
        kind, hash_name = _signature_of(algorithm)
        if not kind or not self.kind:
            return _UNIMPLEMENTED
        if kind != self.kind:
            return (
                f"x509: signature algorithm specifies an {kind} public key, "
                f"but have public key of type {_GO_TYPES[self.kind]}"
            )
        if kind == "RSA" and self.bits < _RSA_MIN_BITS:
            return f"crypto/rsa: {self.bits}-bit keys are insecure (see {_MINIMUM_SITE})"
        is_pss = algorithm.identifier == _RSA_PSS
        return "" if _verifies(self.info, hash_name, is_pss, signed, signature) else _FAILURES[kind]


def read_algorithm(reader: Reader) -> Algorithm:
    """Raises DerError."""
    inside = reader.sequence("AlgorithmIdentifier")
    return Algorithm(inside.identifier(), inside.any().whole if inside else b"")


def read_public_key(algorithm: Algorithm, key: bytes, info: bytes) -> PublicKey:
    """Raises DerError."""
    if algorithm.identifier == _RSA:
        return PublicKey("RSA", info, _rsa_bits(algorithm, key))
    if algorithm.identifier == _ECDSA:
        _check_point(algorithm, key)
        return PublicKey("ECDSA", info)
    if algorithm.identifier == _ED25519:
        if algorithm.parameters:
            raise DerError("x509: Ed25519 key encoded with illegal parameters")
        if len(key) != _ED25519_BYTES:
            raise DerError("x509: wrong Ed25519 public key size")
        return PublicKey("Ed25519", info)
    return PublicKey("", info)


def _rsa_bits(algorithm: Algorithm, key: bytes) -> int:
    if algorithm.parameters != _NULL:
        raise DerError("x509: RSA key missing NULL parameters")
    try:
        inside = Reader(key).sequence()
    except DerError:
        raise DerError("x509: invalid RSA public key") from None
    modulus = _big(inside, "modulus")
    exponent = _big(inside, "public exponent")
    for value, name in ((modulus, "modulus"), (exponent, "public exponent")):
        if value <= 0:
            raise DerError(f"x509: RSA {name} is not a positive number")
    return modulus.bit_length()


def _big(inside: Reader, name: str) -> int:
    try:
        content = inside.expect(der.INTEGER)
        der.integer_value(content[:8])
    except DerError:
        raise DerError(f"x509: invalid RSA {name}") from None
    return int.from_bytes(content, "big", signed=True)


def _check_point(algorithm: Algorithm, key: bytes) -> None:
    try:
        curve_oid = Reader(algorithm.parameters).identifier()
    except DerError:
        raise DerError("x509: invalid ECDSA parameters") from None
    curve, size = _CURVES.get(curve_oid, ("", 0))
    if not curve:
        raise DerError("x509: unsupported elliptic curve")
    if not key or key[0] != 4:
        raise DerError("ecdsa: invalid uncompressed public key")
    if len(key) != 1 + 2 * size:
        raise DerError(f"invalid {curve} point encoding")
    if not _is_on_curve(curve, key):
        raise DerError(f"{curve} point not on curve")


def _is_on_curve(curve: str, key: bytes) -> bool:
    from cryptography.hazmat.primitives.asymmetric import ec  # here: most processes read no request

    curves: dict[str, ec.EllipticCurve] = {
        "P224": ec.SECP224R1(),
        "P256": ec.SECP256R1(),
        "P384": ec.SECP384R1(),
        "P521": ec.SECP521R1(),
    }
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(curves[curve], key)
    except ValueError:
        return False
    return True


def _signature_of(algorithm: Algorithm) -> tuple[str, str]:
    """The kind of key, and the name of the hash; two empty texts for what is not known."""
    if algorithm.identifier == _RSA_PSS:
        hash_name = _pss_hash(algorithm.parameters)
        return ("RSA", hash_name) if hash_name else ("", "")
    if algorithm.identifier == _ED25519 and algorithm.parameters:
        return "", ""
    return _SIGNATURES.get(algorithm.identifier, ("", ""))


@functools.cache
def _pss_parameters() -> dict[bytes, str]:
    """The only parameters that are taken: one hash throughout, a salt as long as it, each with the NULL or without."""
    known: dict[bytes, str] = {}
    for oid, (name, size) in _HASHES.items():
        forms = [der.sequence(der.identifier(oid), null) for null in (_NULL, b"")]
        for hashed, masked in itertools.product(forms, forms):
            mask = der.sequence(der.identifier(_MASK), masked)
            parts = enumerate((hashed, mask, der.integer(size)))
            tagged = (der.encode(at, part, tag_class=der.CONTEXT, is_compound=True) for at, part in parts)
            known[der.sequence(*tagged)] = name
    return known


def _pss_hash(parameters: bytes) -> str:
    return _pss_parameters().get(parameters, "")


def _verifies(info: bytes, hash_name: str, is_pss: bool, signed: bytes, signature: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    known: dict[str, hashes.HashAlgorithm] = {
        "SHA1": hashes.SHA1(),
        "SHA256": hashes.SHA256(),
        "SHA384": hashes.SHA384(),
        "SHA512": hashes.SHA512(),
    }
    try:
        key: Any = serialization.load_der_public_key(info)
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, signed)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, signed, ec.ECDSA(known[hash_name]))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, signed, _rsa_padding(known[hash_name], is_pss), known[hash_name])
        else:
            return False
    except (ValueError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _rsa_padding(hashed: "hashes.HashAlgorithm", is_pss: bool) -> Any:
    from cryptography.hazmat.primitives.asymmetric import padding

    if is_pss:
        return padding.PSS(padding.MGF1(hashed), hashed.digest_size)
    return padding.PKCS1v15()
