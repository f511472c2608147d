"""Security contexts of containers and pods."""

from dray.api import names
from dray.api.fields import FieldError, Path, invalid, not_supported, required, too_long
from dray.api.meta import Object
from dray.api.validation.pod.internal import FORMS
from dray.api.validation.pod.mounts import validate_local_path
from dray.api.validation.pod.sysctls import validate_sysctls
from dray.api.validation.pod.windows import validate_windows_options

_ID_RANGE = "must be between 0 and 2147483647, inclusive"
_PROFILE_TYPES = ("Localhost", "RuntimeDefault", "Unconfined")
_CHANGE_POLICIES = ("Always", "OnRootMismatch")
_SELINUX_POLICIES = ("Recursive",)
_GROUPS_POLICIES = ("Merge", "Strict")
_MAX_ID = 2**31 - 1
_PROFILE_PATH_MAX = 4095


def validate_container_security(
    context: Object | None, path: Path, *, host_users: bool = True
) -> list[FieldError]:
    """`host_users`: the pod has no user namespace of its own."""
    if context is None:
        return []
    errors = _validate_ids(context, ("runAsUser", "runAsGroup"), path)
    errors += _validate_proc_mount(context.get("procMount"), path.child("procMount"), host_users)
    errors += _validate_seccomp(context.get("seccompProfile"), path.child("seccompProfile"))
    if context.get("allowPrivilegeEscalation") is False:
        text = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true"
        if context.get("privileged"):
            errors.append(invalid(path, FORMS.show("SecurityContext", context), text))
        added = (context.get("capabilities") or {}).get("add") or ()
        if "CAP_SYS_ADMIN" in added:
            text = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN"
            errors.append(invalid(path, FORMS.show("SecurityContext", context), text))
    errors += validate_windows_options(context.get("windowsOptions"), path.child("windowsOptions"))
    return errors + _validate_app_armor(context.get("appArmorProfile"), path.child("appArmorProfile"))


def validate_pod_security(spec: Object, path: Path) -> list[FieldError]:
    """`path` is that of spec.securityContext, which for Kubernetes includes what the spec says of the host."""
    context = spec.get("securityContext") or {}
    errors = _validate_ids(context, ("fsGroup", "runAsUser", "runAsGroup"), path)
    for index, group in enumerate(context.get("supplementalGroups") or ()):
        errors += _validate_id(group, path.child("supplementalGroups").index(index))
    if spec.get("shareProcessNamespace") and spec.get("hostPID"):
        text = "ShareProcessNamespace and HostPID cannot both be enabled"
        errors.append(invalid(path.child("shareProcessNamespace"), True, text))
    errors += validate_sysctls(spec, path.child("sysctls"))
    errors += _choice(context, "fsGroupChangePolicy", _CHANGE_POLICIES, path)
    errors += _validate_seccomp(context.get("seccompProfile"), path.child("seccompProfile"))
    errors += validate_windows_options(context.get("windowsOptions"), path.child("windowsOptions"))
    errors += _validate_app_armor(context.get("appArmorProfile"), path.child("appArmorProfile"))
    errors += _choice(context, "supplementalGroupsPolicy", _GROUPS_POLICIES, path)
    return errors + _choice(context, "seLinuxChangePolicy", _SELINUX_POLICIES, path)


def _choice(context: Object, field: str, choices: tuple[str, ...], path: Path) -> list[FieldError]:
    value = context.get(field)
    return [] if value is None or value in choices else [not_supported(path.child(field), value, choices)]


def _validate_ids(context: Object, fields: tuple[str, ...], path: Path) -> list[FieldError]:
    return [
        error
        for field in fields
        if context.get(field) is not None
        for error in _validate_id(context[field], path.child(field))
    ]


def _validate_id(value: int, path: Path) -> list[FieldError]:
    return [] if 0 <= value <= _MAX_ID else [invalid(path, value, _ID_RANGE)]


def _validate_proc_mount(kind: str | None, path: Path, host_users: bool) -> list[FieldError]:
    if kind is None or kind == "Default":
        return []
    if kind != "Unmasked":
        return [not_supported(path, kind, ("Default", "Unmasked"))]
    return [invalid(path, kind, "`hostUsers` must be false to use `Unmasked`")] if host_users else []


def _validate_seccomp(profile: Object | None, path: Path) -> list[FieldError]:
    if profile is None:
        return []
    kind, at = profile.get("type") or "", path.child("type")
    errors: list[FieldError] = []
    if not kind:
        errors.append(required(at, "type is required when seccompProfile is set"))
    elif kind not in _PROFILE_TYPES:
        errors.append(not_supported(at, kind, _PROFILE_TYPES))
    local, at = profile.get("localhostProfile"), path.child("localhostProfile")
    if kind == "Localhost":
        if local is None:
            errors.append(required(at, "must be set when seccomp type is Localhost"))
        else:
            errors += validate_local_path(local, at)
    elif local is not None:
        shown = FORMS.show("SeccompProfile", profile)
        errors.append(invalid(at, shown, "can only be set when seccomp type is Localhost"))
    return errors


def _validate_app_armor(profile: Object | None, path: Path) -> list[FieldError]:
    if profile is None:
        return []
    kind, local = profile.get("type") or "", profile.get("localhostProfile")
    at = path.child("localhostProfile")
    if not kind:
        return [required(path.child("type"), "type is required when appArmorProfile is set")]
    if kind not in _PROFILE_TYPES:
        return [not_supported(path.child("type"), kind, _PROFILE_TYPES)]
    if kind != "Localhost":
        return (
            [] if local is None else [invalid(at, local, "can only be set when AppArmor type is Localhost")]
        )
    if not local:
        return [required(at, "must be set when AppArmor type is Localhost")]
    errors: list[FieldError] = []
    if local != local.strip():
        errors.append(invalid(at, local, "must not be padded with whitespace"))
    if names.byte_length(local) > _PROFILE_PATH_MAX:
        errors.append(too_long(at, _PROFILE_PATH_MAX))
    return errors
