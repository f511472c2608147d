"""The one error tree of the API: raised by the server, carried as a `Status` object, raised again by clients.

    StatusError                      any failure the API reports; `status` is the metav1.Status object
      BadRequest            400      the request cannot be understood
      Unauthorized          401      nobody is asking
      Forbidden             403      somebody is, but may not
      NotFound              404
      MethodNotAllowed      405
      NotAcceptable         406
      AlreadyExists         409
      Conflict              409      the object changed meanwhile, or server-side apply found another owner
      Expired (and Gone)    410      the resource version is no longer held
      RequestEntityTooLarge 413
      UnsupportedMediaType  415
      Invalid               422      the object was understood and refused; `details.causes` lists the fields
      TooManyRequests       429
      InternalError         500
      ServiceUnavailable    503
      ServerTimeout         504 / Timeout 504

Texts are Kubernetes' own, since clients show and sometimes match them.
"""

from collections.abc import Sequence
from typing import Any, ClassVar, Final

from dray.api.fields import FieldError, quote
from dray.api.meta import Object


class StatusError(Exception):
    code: ClassVar[int] = 500
    reason: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        details: Object | None = None,
        code: int | None = None,
        reason: str | None = None,
        retry_after_seconds: int = 0,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details = details
        self.status_code = self.code if code is None else code
        self.status_reason = self.reason if reason is None else reason
        self.retry_after_seconds = retry_after_seconds

    @property
    def status(self) -> Object:
        """The metav1.Status object that says this error on the wire."""
        body: Object = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.status_reason:
            body["reason"] = self.status_reason
        details = dict(self.details or {})
        if self.retry_after_seconds:
            details["retryAfterSeconds"] = self.retry_after_seconds
        if details or self.details is not None:  # an empty `details` is written too where upstream does
            body["details"] = details
        body["code"] = self.status_code
        return body


class BadRequest(StatusError):
    code, reason = 400, "BadRequest"


class Unauthorized(StatusError):
    code, reason = 401, "Unauthorized"


class Forbidden(StatusError):
    code, reason = 403, "Forbidden"


class NotFound(StatusError):
    code, reason = 404, "NotFound"


class MethodNotAllowed(StatusError):
    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(StatusError):
    code, reason = 406, "NotAcceptable"


class AlreadyExists(StatusError):
    code, reason = 409, "AlreadyExists"


class Conflict(StatusError):
    code, reason = 409, "Conflict"


class Expired(StatusError):
    code, reason = 410, "Expired"


class Gone(Expired):
    reason = "Gone"


class RequestEntityTooLarge(StatusError):
    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(StatusError):
    code, reason = 415, "UnsupportedMediaType"


class Invalid(StatusError):
    code, reason = 422, "Invalid"


class TooManyRequests(StatusError):
    code, reason = 429, "TooManyRequests"


class InternalError(StatusError):
    code, reason = 500, "InternalError"


class ServiceUnavailable(StatusError):
    code, reason = 503, "ServiceUnavailable"


class Timeout(StatusError):
    code, reason = 504, "Timeout"


class ServerTimeout(StatusError):
    code, reason = 500, "ServerTimeout"


_CLASSES: tuple[type[StatusError], ...] = (
    BadRequest, Unauthorized, Forbidden, NotFound, MethodNotAllowed, NotAcceptable, AlreadyExists, Conflict,
    Expired, Gone, RequestEntityTooLarge, UnsupportedMediaType, Invalid, TooManyRequests, InternalError,
    ServiceUnavailable, Timeout, ServerTimeout,
)  # fmt: skip
_BY_REASON = {cls.reason: cls for cls in _CLASSES}
_BY_CODE = {cls.code: cls for cls in reversed(_CLASSES) if cls not in (Conflict, Gone, ServerTimeout)}


def error_from_status(status: Object, http_code: int = 0) -> StatusError:
    """The error that a `Status` body stands for; unknown reasons fall back to the class of the code."""
    code = status.get("code") or http_code or 500
    reason = status.get("reason") or ""
    cls = _BY_REASON.get(reason) or _BY_CODE.get(code) or StatusError
    details = status.get("details") or {}
    return cls(
        status.get("message") or reason or f"the server answered {code}",
        details=details or None,
        code=code,
        reason=reason,
        retry_after_seconds=int(details.get("retryAfterSeconds") or 0),
    )


def _details(group: str, kind: str, name: str = "", **more: Any) -> Object:
    named = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in {**named, **more}.items() if value}


def _qualified(group: str, plural: str) -> str:
    return f"{plural}.{group}" if group else plural


def not_found(group: str, plural: str, name: str) -> NotFound:
    return NotFound(
        f"{_qualified(group, plural)} {quote(name)} not found", details=_details(group, plural, name)
    )


def already_exists(group: str, plural: str, name: str) -> AlreadyExists:
    return AlreadyExists(
        f"{_qualified(group, plural)} {quote(name)} already exists", details=_details(group, plural, name)
    )


def conflict(group: str, plural: str, name: str, why: str) -> Conflict:
    message = f"Operation cannot be fulfilled on {_qualified(group, plural)} {quote(name)}: {why}"
    return Conflict(message, details=_details(group, plural, name))


def forbidden(group: str, plural: str, name: str, why: str) -> Forbidden:
    if not plural:
        return Forbidden(f"forbidden: {why}", details=_details(group, plural, name))
    subject = f"{_qualified(group, plural)} {quote(name)}" if name else _qualified(group, plural)
    return Forbidden(f"{subject} is forbidden: {why}", details=_details(group, plural, name))


LONGEST_FINDINGS: Final = 1024 * 1024
"""Characters of all that is told to be wrong with one object."""


def invalid(group: str, kind: str, name: str, errors: Sequence[FieldError]) -> Invalid:
    """422 for an object that was understood but is not acceptable; repeated texts show once in the message.

    Findings beyond `LONGEST_FINDINGS` characters are left out: some show the list that they were found in, each time.
    """
    told, written = [], 0
    for error in errors:
        body = error.body
        told.append((error, body))
        written += len(body) + len(error.field)
        if written > LONGEST_FINDINGS:
            break
    texts = list(dict.fromkeys(f"{error.field}: {body}" for error, body in told))
    what = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    qualified_kind = f"{kind}.{group}" if group else kind
    causes = [{"reason": error.type.reason, "message": body, "field": error.field} for error, body in told]
    return Invalid(
        f"{qualified_kind} {quote(name)} is invalid: {what}",
        details=_details(group, kind, name, causes=causes),
    )
