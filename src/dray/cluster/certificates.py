"""The cluster's own certificate authority, and what it signs: the server, each role, each node, the administrator.

Keys are ECDSA P-256 (made in under a millisecond, understood by every client). Files are written once with mode 0600
and reused, so that kubeconfigs stay valid over restarts; a server certificate is made anew when it lacks a name that
is asked for now or has less than 30 days left.
"""

import dataclasses
import datetime as dt
import ipaddress
import os
import pathlib
import ssl
from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CA_DAYS = 3650
LEAF_DAYS = 365
RENEW_BEFORE = dt.timedelta(days=30)


class CertificateError(Exception):
    """A certificate file that cannot be used; names the file."""


@dataclasses.dataclass(frozen=True, slots=True)
class KeyPair:
    certificate: bytes
    """PEM."""
    key: bytes
    """PEM, unencrypted PKCS #8."""


class Authority:
    """Signs with the CA kept in `directory` (ca.crt, ca.key, or under another name); makes the CA when there is none."""

    def __init__(
        self, directory: pathlib.Path, now: dt.datetime, file: str = "ca", subject: str = "dray-ca"
    ) -> None:
        self.directory = directory
        self._now = now
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check_whole(directory, file)
        pair = _read_pair(directory, file)
        if pair is None:
            pair = self._make_ca(subject)
            _write_pair(directory, file, pair)
        self.pem = pair.certificate
        certificate, key = directory / f"{file}.crt", directory / f"{file}.key"
        self._certificate = _load_certificate(pair.certificate, certificate)
        self._key = _load_key(pair.key, key)
        if self._certificate.public_key() != self._key.public_key():
            raise CertificateError(
                f"{key} is not the key of {certificate}; put it back, or delete the directory to start anew"
            )

    def _make_ca(self, subject: str) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name(subject, ())
        builder = (
            self._builder(name, key, CA_DAYS)
            .issuer_name(name)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(_key_usage(ca=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )
        return _pair(builder.sign(key, hashes.SHA256()), key)

    def _builder(
        self, name: x509.Name, key: ec.EllipticCurvePrivateKey, days: int
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            # A minute back: clocks of clients in the same cluster may lag a little.
            .not_valid_before(self._now - dt.timedelta(minutes=1))
            .not_valid_after(self._now + dt.timedelta(days=days))
        )

    def client(self, name: str, user: str, groups: Sequence[str] = ()) -> KeyPair:
        """A certificate that makes its holder `user` in `groups`; kept under `name`."""
        pair = _read_pair(self.directory, name)
        if pair is not None and self._is_fresh(pair):
            return pair
        return self._sign(name, _name(user, groups), [ExtendedKeyUsageOID.CLIENT_AUTH], ())

    def server(self, name: str, addresses: Sequence[str]) -> KeyPair:
        """A certificate for a server reached under `addresses` (names and IPs); kept under `name`."""
        pair = _read_pair(self.directory, name)
        if pair is not None and self._is_fresh(pair) and _covers(pair, addresses):
            return pair
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        return self._sign(name, _name(name, ()), usages, addresses)

    def _sign(
        self, file: str, name: x509.Name, usages: list[x509.ObjectIdentifier], addresses: Sequence[str]
    ) -> KeyPair:
        key = ec.generate_private_key(ec.SECP256R1())
        builder = (
            self._builder(name, key, LEAF_DAYS)
            .issuer_name(self._certificate.subject)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(ca=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_authority_id(self._certificate), critical=False)
        )
        if addresses:
            builder = builder.add_extension(
                x509.SubjectAlternativeName(_general_names(addresses)), critical=False
            )
        pair = _pair(builder.sign(self._key, hashes.SHA256()), key)
        _write_pair(self.directory, file, pair)
        return pair

    def _is_fresh(self, pair: KeyPair) -> bool:
        """Whether the pair can be used as it is: what is damaged or of another authority is made anew."""
        try:
            certificate = x509.load_pem_x509_certificate(pair.certificate)
            key = serialization.load_pem_private_key(pair.key, password=None)
            certificate.verify_directly_issued_by(self._certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        is_whole = certificate.public_key() == key.public_key()
        return is_whole and certificate.not_valid_after_utc - self._now > RENEW_BEFORE

    def server_context(self, name: str, further: bytes = b"") -> ssl.SSLContext:
        """TLS for the server whose pair is kept under `name`; client certificates are checked, but not demanded.

        `further`: PEM of other authorities whose certificates clients may show. Raises CertificateError.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load_chain(context, name)
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.pem.decode())
        if further:
            try:
                context.load_verify_locations(cadata=further.decode("ascii"))
            except (ssl.SSLError, ValueError) as error:
                raise CertificateError(f"no PEM certificates: {error}") from error
        return context

    def client_context(self, name: str) -> ssl.SSLContext:
        """TLS for a client that presents the pair kept under `name` and trusts this authority alone."""
        context = ssl.create_default_context(cadata=self.pem.decode())
        self._load_chain(context, name)
        return context

    def _load_chain(self, context: ssl.SSLContext, name: str) -> None:
        context.load_cert_chain(self.directory / f"{name}.crt", self.directory / f"{name}.key")


def service_account_key(directory: pathlib.Path) -> bytes:
    """The PEM key that signs service account tokens; made at first use. Raises CertificateError."""
    path = directory / "sa.key"
    if not path.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        _write(path, _key_pem(key))
    pem = path.read_bytes()
    _load_key(pem, path)
    return pem


def _authority_id(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    subject = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject)


def _name(common_name: str, organizations: Sequence[str]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, each) for each in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_encipherment=not ca,
        key_cert_sign=ca,
        crl_sign=ca,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_names(addresses: Sequence[str]) -> list[x509.GeneralName]:
    names: list[x509.GeneralName] = []
    for address in addresses:
        try:
            names.append(x509.IPAddress(ipaddress.ip_address(address)))
        except ValueError:
            names.append(x509.DNSName(address))
    return names


def _covers(pair: KeyPair, addresses: Sequence[str]) -> bool:
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    try:
        present = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return not addresses
    return all(name in list(present) for name in _general_names(addresses))


def _pair(certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> KeyPair:
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _load_certificate(pem: bytes, path: pathlib.Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError as error:
        raise CertificateError(
            f"{path} is not a PEM certificate: {error}; delete the directory to start anew"
        ) from error


def _load_key(pem: bytes, path: pathlib.Path) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise CertificateError(
            f"{path} is not a PEM key: {error}; delete the directory to start anew"
        ) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise CertificateError(f"{path} is not an elliptic-curve key")
    return key


def _check_whole(directory: pathlib.Path, name: str) -> None:
    """Raises CertificateError where the key of an authority is lost: another one would know none of its certificates.

    A key alone is what is left when the first start is killed, and nothing has been signed with it.
    """
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    if certificate.exists() and not key.exists():
        raise CertificateError(
            f"{key} is missing, while {certificate} is there; put it back, or delete the directory to start anew"
        )


def _read_pair(directory: pathlib.Path, name: str) -> KeyPair | None:
    certificate, key = directory / f"{name}.crt", directory / f"{name}.key"
    if not certificate.exists() or not key.exists():
        return None
    return KeyPair(certificate.read_bytes(), key.read_bytes())


def _write_pair(directory: pathlib.Path, name: str, pair: KeyPair) -> None:
    _write(directory / f"{name}.key", pair.key)
    _write(directory / f"{name}.crt", pair.certificate)


def _write(path: pathlib.Path, data: bytes) -> None:
    """Atomically, readable by the owner only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.rename(path)
