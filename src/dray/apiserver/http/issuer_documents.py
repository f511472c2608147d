"""What others need to verify service account tokens: OpenID's discovery document of the issuer, and its keys.

Source: kubernetes pkg/serviceaccount/openidmetadata.go, 1.36.
"""

from typing import Final

import orjson
from aiohttp import web

from dray.api.meta import Object
from dray.apiserver.authentication.tokens import ALGORITHM, ISSUER, TokenIssuer
from dray.apiserver.http.responses import answer

KEYS: Final = "/openid/v1/jwks"
_CACHED: Final = "public, max-age=3600"


def configuration(address: str) -> web.Response:
    """`address`: host and port of the server."""
    document: Object = {
        "issuer": ISSUER,
        "jwks_uri": f"https://{address}{KEYS}",
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [ALGORITHM],
    }
    return _cached(document, "application/json")


def keys(issuer: TokenIssuer) -> web.Response:
    return _cached({"keys": [issuer.public_key()]}, "application/jwk-set+json")


def _cached(document: Object, content_type: str) -> web.Response:
    response = answer(orjson.dumps(document), content_type=content_type)
    response.headers["Cache-Control"] = _CACHED
    return response
