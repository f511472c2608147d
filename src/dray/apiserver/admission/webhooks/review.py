"""AdmissionReview of admission.k8s.io: the question to a webhook, and what its answer must be.

Source: kubernetes apiserver/pkg/admission/plugin/webhook/request/admissionreview.go, 1.36.
"""

import base64
import binascii
import dataclasses
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dray.api.fields import quote
from dray.api.meta import Object
from dray.apiserver.admission.view import Form, View
from dray.apiserver.admission.webhooks.failures import CallFailed
from dray.kits import go_json

GROUP: Final = "admission.k8s.io"
KIND: Final = "AdmissionReview"


@dataclasses.dataclass(frozen=True, slots=True)
class Question:
    uid: str
    version: str
    body: bytes

    @classmethod
    def about(cls, view: View, form: Form, version: str) -> "Question":
        uid = str(uuid.uuid4())
        fields = view.admission_request(form)
        options = fields.pop("options")
        request = {"uid": uid, **fields, "object": view.object(form), "oldObject": view.old(form)}
        request["options"] = options
        review: Object = {"kind": KIND, "apiVersion": f"{GROUP}/{version}", "request": request}
        return cls(uid, version, go_json.encode(review))


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    allowed: bool
    status: Mapping[str, Any]
    """Why not."""
    patch: bytes
    """JSON patch, or nothing."""
    warnings: Sequence[str]
    annotations: Mapping[str, str]
    """For the audit log."""


def read_answer(question: Question, body: Any, *, may_patch: bool) -> Answer:
    """Raises CallFailed for an answer that breaks the protocol."""
    review = body if isinstance(body, Mapping) else {}
    response = review.get("response")
    if not isinstance(response, Mapping):
        raise _invalid("webhook response was absent")
    if question.version == "v1":
        _check_identity(question, review, response)
    patch, patch_type = response.get("patch") or "", response.get("patchType")
    if may_patch:
        _check_patch(patch, patch_type, is_typed=question.version == "v1")
    elif patch or patch_type is not None:
        field = "patch" if patch else "patchType"
        raise _invalid(f"validating webhook may not return response.{field}")
    return Answer(
        allowed=response.get("allowed") is True,
        status=_mapping(response.get("status")),
        patch=_decoded(patch),
        warnings=[text for text in response.get("warnings") or () if isinstance(text, str)],
        annotations={
            str(key): str(value) for key, value in _mapping(response.get("auditAnnotations")).items()
        },
    )


def _check_identity(question: Question, review: Mapping[str, Any], response: Mapping[str, Any]) -> None:
    if response.get("uid") != question.uid:
        got = quote(str(response.get("uid") or ""))
        raise _invalid(f"expected response.uid={quote(question.uid)}, got {got}")
    api_version, kind = review.get("apiVersion") or "", review.get("kind") or ""
    if (api_version, kind) != (f"{GROUP}/v1", KIND):
        raise _invalid(
            f"expected webhook response of {GROUP}/v1, Kind={KIND}, got {api_version}, Kind={kind}"
        )


def _check_patch(patch: str, patch_type: Any, *, is_typed: bool) -> None:
    if not is_typed:
        return
    if patch and patch_type is None:
        raise _invalid("webhook returned response.patch but not response.patchType")
    if not patch and patch_type is not None:
        raise _invalid("webhook returned response.patchType but not response.patch")
    if patch_type == "":
        raise _invalid('webhook returned invalid response.patchType of ""')
    if patch and patch_type != "JSONPatch":
        raise CallFailed(f"unsupported patch type {quote(str(patch_type))}")


def _decoded(patch: Any) -> bytes:
    try:
        return base64.b64decode(patch, validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise CallFailed(f"failed to call webhook: illegal base64 data in response.patch: {error}") from None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _invalid(why: str) -> CallFailed:
    return CallFailed(f"received invalid webhook response: {why}")
