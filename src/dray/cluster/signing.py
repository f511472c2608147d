"""With which certificates and keys the controllers sign certificate requests: files of the cluster's, or of somebody's."""

import datetime as dt
import pathlib
from collections.abc import Mapping
from typing import Final

from dray.cluster.layout import ClusterError
from dray.controllers.certificate_authority import AuthorityError, AuthorityFiles
from dray.controllers.certificate_signers import CLIENT, FAULTS, KUBELET_CLIENT, KUBELET_SERVING, LEGACY
from dray.controllers.certificate_signing import LONGEST, Signing

SIGNERS: Final[Mapping[str, str]] = {
    "kubelet-serving": KUBELET_SERVING,
    "kubelet-client": KUBELET_CLIENT,
    "kube-apiserver-client": CLIENT,
    "legacy-unknown": LEGACY,
}
"""As flags name them."""


def own_signing(pki: pathlib.Path) -> Signing:
    """With the authority that the API server keeps in its directory. Raises ClusterError."""
    return signing_of(dict.fromkeys(FAULTS, (pki / "ca.crt", pki / "ca.key")))


def signing_of(
    files: Mapping[str, tuple[pathlib.Path, pathlib.Path]], longest: dt.timedelta = LONGEST
) -> Signing:
    """`files`: certificate and key by signer. Raises ClusterError where one cannot sign."""
    try:
        read = {pair: AuthorityFiles(*pair) for pair in set(files.values())}
    except AuthorityError as error:
        raise ClusterError(str(error)) from None
    return Signing({signer: read[pair] for signer, pair in files.items()}, longest)
