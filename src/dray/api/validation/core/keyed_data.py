"""ConfigMaps and Secrets: keys, size, what a Secret's type demands, and that frozen data stays."""

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, required, too_long
from dray.api.meta import Object
from dray.api.validation.meta import immutable
from dray.api.validation.sameness import same

MAX_BYTES = 1024 * 1024
SERVICE_ACCOUNT_TOKEN = "kubernetes.io/service-account-token"
SERVICE_ACCOUNT_NAME = "kubernetes.io/service-account.name"

_FROZEN = "field is immutable when `immutable` is set"
_REQUIRED_KEYS = {
    "kubernetes.io/dockercfg": (".dockercfg",),
    "kubernetes.io/dockerconfigjson": (".dockerconfigjson",),
    "kubernetes.io/ssh-auth": ("ssh-privatekey",),
    "kubernetes.io/tls": ("tls.crt", "tls.key"),
}


def validate_config_map(obj: Object) -> list[FieldError]:
    data, binary = obj.get("data") or {}, obj.get("binaryData") or {}
    errors: list[FieldError] = []
    for key in data:
        errors += _check_key(key, Path("data"))
        if key in binary:
            errors.append(invalid(Path("data").key(key), key, "duplicate of key present in binaryData"))
    for key in binary:
        errors += _check_key(key, Path("binaryData"))
    size = sum(names.byte_length(value) for value in data.values())
    size += sum(_decoded_length(value) for value in binary.values())
    if size > MAX_BYTES:
        errors.append(too_long(Path("[]"), MAX_BYTES))  # Kubernetes names no field here
    return errors


def validate_config_map_update(new: Object, old: Object) -> list[FieldError]:
    return _frozen(new, old, ("data", "binaryData")) + validate_config_map(new)


def validate_secret(obj: Object) -> list[FieldError]:
    data = obj.get("data") or {}
    errors = [error for key in data for error in _check_key(key, Path("data"))]
    if sum(_decoded_length(value) for value in data.values()) > MAX_BYTES:
        errors.append(too_long(Path("data"), MAX_BYTES))
    kind = obj.get("type") or ""
    if kind == SERVICE_ACCOUNT_TOKEN:
        annotations = obj["metadata"].get("annotations") or {}
        if not annotations.get(SERVICE_ACCOUNT_NAME):
            errors.append(required(Path("metadata.annotations").key(SERVICE_ACCOUNT_NAME)))
    elif kind == "kubernetes.io/basic-auth" and "username" not in data and "password" not in data:
        errors += [required(Path("data").key("username")), required(Path("data").key("password"))]
    for key in _REQUIRED_KEYS.get(kind, ()):
        if key not in data:
            errors.append(required(Path("data").key(key)))
    return errors


def validate_secret_update(new: Object, old: Object) -> list[FieldError]:
    errors = immutable(new.get("type") or "", old.get("type") or "", Path("type"))
    return errors + _frozen(new, old, ("data",)) + validate_secret(new)


def _frozen(new: Object, old: Object, fields: tuple[str, ...]) -> list[FieldError]:
    if not old.get("immutable"):
        return []
    errors = [] if new.get("immutable") else [forbidden(Path("immutable"), _FROZEN)]
    errors += [
        forbidden(Path(field), _FROZEN) for field in fields if not same(new.get(field), old.get(field))
    ]
    return errors


def _check_key(key: str, path: Path) -> list[FieldError]:
    return [invalid(path.key(key), key, text) for text in names.config_key(key)]


def _decoded_length(encoded: str) -> int:
    """Bytes that base64 text stands for."""
    return len(encoded) * 3 // 4 - encoded[-2:].count("=")
