"""Security contexts of containers and pods."""

from dray.api.fields import FieldError, Path, invalid, not_supported, required
from dray.api.meta import Object
from dray.api.validation.lists import items_of
from dray.api.validation.pod.internal import FORMS

_ID_RANGE = "must be between 0 and 2147483647, inclusive"
_PROFILE_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
_CHANGE_POLICIES = ("Always", "OnRootMismatch")
_MAX_ID = 2**31 - 1


def validate_container_security(context: Object | None, path: Path) -> list[FieldError]:
    if context is None:
        return []
    errors = _validate_ids(context, ("runAsUser", "runAsGroup"), path)
    proc_mount = context.get("procMount")
    if proc_mount is not None and proc_mount not in ("Default", "Unmasked"):
        errors.append(not_supported(path.child("procMount"), proc_mount, ("Default", "Unmasked")))
    if context.get("allowPrivilegeEscalation") is False:
        text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        if context.get("privileged"):
            errors.append(invalid(path, FORMS.show("SecurityContext", context), text))
        added = (context.get("capabilities") or {}).get("add") or ()
        if "CAP_SYS_ADMIN" in added:
            text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.append(invalid(path, FORMS.show("SecurityContext", context), text))
    return errors + _validate_profiles(context, path)


def validate_pod_security(context: Object | None, path: Path) -> list[FieldError]:
    if context is None:
        return []
    errors = _validate_ids(context, ("fsGroup", "runAsUser", "runAsGroup"), path)
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        errors += _validate_id(group, path.child("supplementalGroups").index(index))
    policy = context.get("fsGroupChangePolicy")
    if policy is not None and policy not in _CHANGE_POLICIES:
        errors.append(not_supported(path.child("fsGroupChangePolicy"), policy, _CHANGE_POLICIES))
    for index, sysctl in enumerate(items_of(context.get("sysctls"))):
        if not sysctl.get("name"):
            errors.append(required(path.child("sysctls").index(index).child("name")))
    return errors + _validate_profiles(context, path)


def _validate_ids(context: Object, fields: tuple[str, ...], path: Path) -> list[FieldError]:
    return [
        error
        for field in fields
        if context.get(field) is not None
        for error in _validate_id(context[field], path.child(field))
    ]


def _validate_id(value: int, path: Path) -> list[FieldError]:
    return [] if 0 <= value <= _MAX_ID else [invalid(path, value, _ID_RANGE)]


def _validate_profiles(context: Object, path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for field in ("seccompProfile", "appArmorProfile"):
        profile = context.get(field)
        if profile is None:
            continue
        kind, at = profile.get("type") or "", path.child(field)
        if not kind:
            errors.append(required(at.child("type"), "type is required when seccompProfile is set"))
        elif kind not in _PROFILE_TYPES:
            errors.append(not_supported(at.child("type"), kind, _PROFILE_TYPES))
        elif kind == "Localhost" and not profile.get("localhostProfile"):
            text = "must be set when seccomp type is Localhost"
            errors.append(required(at.child("localhostProfile"), text))
    return errors
