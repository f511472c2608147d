"""What the admission webhook answers: whether the configuration that a claim has for the driver can be used.

Pure: an AdmissionReview in, one out. Claims, templates of claims and device classes of all versions are understood;
of each only the opaque configurations of one driver are looked at, with the decoder that the driver itself uses.
Configurations of device classes, which the Go webhook lets pass, are refused when they are wrong.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from dray.api.meta import Object
from dray.sdk.errors import ConfigError

Decode = Callable[[Any], object]
"""Raises ConfigError."""

_CONFIGS: Final[Mapping[str, tuple[str, ...]]] = {
    "resourceclaims": ("spec", "devices", "config"),
    "resourceclaimtemplates": ("spec", "spec", "devices", "config"),
    "deviceclasses": ("spec", "config"),
}
"""Resource -> where its configurations are, in every version of resource.k8s.io."""

GROUP: Final = "resource.k8s.io"


class NotAReview(ValueError):
    """The body is no AdmissionReview that can be answered."""


def review(body: Any, driver: str, decode: Decode) -> Object:
    """The answer to an AdmissionReview of admission.k8s.io/v1. Raises NotAReview."""
    if not isinstance(body, Mapping) or body.get("kind") != "AdmissionReview":
        raise NotAReview("the body is not an AdmissionReview")
    if body.get("apiVersion") != "admission.k8s.io/v1":
        raise NotAReview(
            f"AdmissionReview of {body.get('apiVersion')}: only admission.k8s.io/v1 is understood"
        )
    request = body.get("request")
    if not isinstance(request, Mapping) or not request.get("uid"):
        raise NotAReview("the AdmissionReview has no request")
    response = {"uid": request["uid"], **_verdict(request, driver, decode)}
    return {"apiVersion": body["apiVersion"], "kind": "AdmissionReview", "response": response}


def _verdict(request: Mapping[str, Any], driver: str, decode: Decode) -> Object:
    resource = request.get("resource") or {}
    where = _CONFIGS.get(resource.get("resource", "")) if resource.get("group") == GROUP else None
    if where is None:
        named = "/".join(str(resource.get(part, "")) for part in ("group", "version", "resource"))
        expected = ", ".join(f"{name}.{GROUP}" for name in _CONFIGS)
        return _refused("BadRequest", f"expected resource to be one of {expected}, got {named}")
    wrong = list(_errors(request.get("object") or {}, where, driver, decode))
    if not wrong:
        return {"allowed": True}
    return _refused("Invalid", f"{len(wrong)} configs failed to validate: {'; '.join(wrong)}")


def _errors(obj: Mapping[str, Any], where: tuple[str, ...], driver: str, decode: Decode) -> Iterator[str]:
    configs: Any = obj
    for part in where:
        configs = configs.get(part) or {}
    for index, config in enumerate(configs or ()):
        opaque = config.get("opaque") or {}
        if opaque.get("driver") != driver:
            continue
        try:
            decode(opaque.get("parameters"))
        except ConfigError as error:
            yield f"object at {'.'.join(where)}[{index}].opaque.parameters is invalid: {error}"


def _refused(reason: str, message: str) -> Object:
    code = 400 if reason == "BadRequest" else 422
    return {
        "allowed": False,
        "status": {"status": "Failure", "reason": reason, "code": code, "message": message},
    }
