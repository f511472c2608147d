"""One node of any cluster: the certificate of its server, and whose client certificates that knows."""

import datetime as dt
import pathlib
import ssl
from typing import NamedTuple

from dray.cluster.certificates import Authority, CertificateError
from dray.cluster.layout import ClusterError


class ServingFiles(NamedTuple):
    """The pair that the node's server presents; made by an authority of the node's own where there is none."""

    certificate: pathlib.Path
    key: pathlib.Path


def serving_context(
    name: str,
    address: str,
    *,
    files: ServingFiles | None,
    own: pathlib.Path,
    client_ca: bytes | None,
    now: dt.datetime,
) -> ssl.SSLContext:
    """TLS for the node's server. `client_ca`: PEM of those whose client certificates are known; none are without it.

    Without `files` the pair is kept in `own` and trusted by nobody, as a kubelet's self-signed one: an API server that
    checks kubelets needs a pair that its authority signed. Raises ClusterError.
    """
    try:
        if files is None:
            authority = Authority(own, now)
            authority.server("kubelet", [name, "localhost", address])
            files = ServingFiles(own / "kubelet.crt", own / "kubelet.key")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(files.certificate, files.key)
        if client_ca is not None:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(cadata=client_ca.decode())
    except (CertificateError, OSError, ValueError) as error:
        raise ClusterError(f"cannot serve with the node's certificates: {error}") from error
    return context
