"""CDI specs as plain JSON documents: which are valid, and the lowest version that can say them.

Old runtimes refuse versions they do not know, so a spec is written with the lowest number its content needs. Versions
and rules are those of CDI 1.1.0. Knows nothing of files (`dray.cdi.files`) or of containers (`dray.cdi.edits`).
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from dray.cdi import shape
from dray.cdi.errors import CdiError
from dray.cdi.names import check_device_name, parse_kind

Spec = dict[str, Any]
"""{cdiVersion, kind, annotations?, devices[{name, annotations?, containerEdits}], containerEdits?}."""

Edits = dict[str, Any]
"""{env[], deviceNodes[], netDevices[], hooks[], mounts[], intelRdt, additionalGids[]}, all optional."""

VERSIONS: Final = ("0.1.0", "0.2.0", "0.3.0", "0.4.0", "0.5.0", "0.6.0", "0.7.0", "0.8.0", "1.0.0", "1.1.0")
_LOWEST: Final = "0.3.0"
_HOOK_NAMES: Final = frozenset(
    {"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"}
)
_DEVICE_TYPES: Final = frozenset({"", "b", "c", "u", "p"})
_MAX_CLOS_ID: Final = 4096


def new_spec(
    kind: str, devices: Sequence[Mapping[str, Any]], container_edits: Mapping[str, Any] | None = None
) -> Spec:
    """A valid spec of the lowest version that fits. Raises CdiError."""
    spec: Spec = {"cdiVersion": _LOWEST, "kind": kind, "devices": [dict(device) for device in devices]}
    if container_edits:
        spec["containerEdits"] = dict(container_edits)
    spec["cdiVersion"] = minimum_version(spec)
    validate(spec)
    return spec


def minimum_version(spec: Mapping[str, Any]) -> str:
    """The lowest cdiVersion whose readers understand everything in `spec`."""
    needed = [_LOWEST]
    if "." in spec["kind"].partition("/")[2] or spec.get("annotations"):
        needed.append("0.6.0")
    for device in spec.get("devices") or ():
        if device["name"][:1].isdigit():
            needed.append("0.5.0")
        if device.get("annotations"):
            needed.append("0.6.0")
        needed.append(_minimum_for_edits(device.get("containerEdits") or {}))
    needed.append(_minimum_for_edits(spec.get("containerEdits") or {}))
    return max(needed, key=VERSIONS.index)


def _minimum_for_edits(edits: Mapping[str, Any]) -> str:
    intel_rdt = edits.get("intelRdt") or {}
    if edits.get("netDevices") or intel_rdt.get("schemata") or intel_rdt.get("enableMonitoring"):
        return "1.1.0"
    if edits.get("intelRdt") is not None or edits.get("additionalGids"):
        return "0.7.0"
    if any(node.get("hostPath") for node in edits.get("deviceNodes") or ()):
        return "0.5.0"
    if any(mount.get("type") for mount in edits.get("mounts") or ()):
        return "0.4.0"
    return _LOWEST


def validate(spec: Any) -> None:
    """Raises CdiError naming every problem of the document `spec`."""
    problems = list(shape.mismatches(spec, shape.SPEC))
    if not problems:
        problems = list(_problems(spec))
    if problems:
        raise CdiError("invalid CDI spec: " + "; ".join(problems))


def _problems(spec: Spec) -> Iterator[str]:
    try:
        parse_kind(spec.get("kind") or "")
    except CdiError as error:
        yield f"kind: {error}"
        return
    names: set[str] = set()
    for index, device in enumerate(spec.get("devices") or ()):
        yield from _device_problems(device, f"devices[{index}]", names)
    if not spec.get("devices"):
        yield "devices: at least one device is needed"
    yield from edit_problems(spec.get("containerEdits") or {}, "containerEdits")
    yield from _version_problems(spec)


def _version_problems(spec: Spec) -> Iterator[str]:
    declared = (spec.get("cdiVersion") or "").removeprefix("v")
    if declared not in VERSIONS:
        yield f"cdiVersion: {declared!r} is not a known version ({', '.join(VERSIONS)})"
        return
    if not all(isinstance(device.get("name"), str) for device in spec.get("devices") or ()):
        return
    needed = minimum_version(spec)
    if VERSIONS.index(declared) < VERSIONS.index(needed):
        yield f"cdiVersion: {declared} is declared, but the content needs {needed}"


def _device_problems(device: Mapping[str, Any], path: str, names: set[str]) -> Iterator[str]:
    name = device.get("name") or ""
    try:
        check_device_name(name)
    except CdiError as error:
        yield f"{path}.name: {error}"
    if name in names:
        yield f"{path}.name: {name!r} is defined twice"
    names.add(name)
    edits = device.get("containerEdits") or {}
    if not any(value not in (None, [], {}) for value in edits.values()):
        yield f"{path}.containerEdits: a device needs at least one edit"
    yield from edit_problems(edits, f"{path}.containerEdits")


def edit_problems(edits: Mapping[str, Any], path: str) -> Iterator[str]:
    """Every problem of container edits whose shape is right."""
    for index, variable in enumerate(edits.get("env") or ()):
        if variable.find("=") < 1:
            yield f"{path}.env[{index}]: {variable!r} is not KEY=VALUE"
    for index, node in enumerate(edits.get("deviceNodes") or ()):
        yield from _device_node_problems(node, f"{path}.deviceNodes[{index}]")
    yield from _net_device_problems(edits.get("netDevices") or (), f"{path}.netDevices")
    for index, hook in enumerate(edits.get("hooks") or ()):
        yield from _hook_problems(hook, f"{path}.hooks[{index}]")
    for index, mount in enumerate(edits.get("mounts") or ()):
        for field in ("hostPath", "containerPath"):
            if not mount.get(field):
                yield f"{path}.mounts[{index}].{field}: a path is needed"
    yield from _clos_id_problems((edits.get("intelRdt") or {}).get("closID") or "", f"{path}.intelRdt.closID")
    for index, gid in enumerate(edits.get("additionalGids") or ()):
        if not 0 <= gid < 2**32:
            yield f"{path}.additionalGids[{index}]: {gid} is not a group ID"


def _device_node_problems(node: Mapping[str, Any], path: str) -> Iterator[str]:
    if not node.get("path"):
        yield f"{path}.path: a path is needed"
    if (node.get("type") or "") not in _DEVICE_TYPES:
        yield f"{path}.type: {node['type']!r} is not one of b, c, u, p"
    permissions = node.get("permissions") or ""
    if permissions != "none" and set(permissions) - set("rwm"):
        yield f"{path}.permissions: {permissions!r} is neither made of r, w, m nor 'none'"


def _net_device_problems(devices: Sequence[Mapping[str, Any]], path: str) -> Iterator[str]:
    for field in ("hostInterfaceName", "name"):
        seen: set[str] = set()
        for index, device in enumerate(devices):
            value = device.get(field) or ""
            if not value:
                yield f"{path}[{index}].{field}: a name is needed"
            elif value in seen:
                yield f"{path}[{index}].{field}: {value!r} is used twice"
            seen.add(value)


def _hook_problems(hook: Mapping[str, Any], path: str) -> Iterator[str]:
    if hook.get("hookName") not in _HOOK_NAMES:
        yield f"{path}.hookName: {hook.get('hookName')!r} is not one of {', '.join(sorted(_HOOK_NAMES))}"
    if not hook.get("path"):
        yield f"{path}.path: a path is needed"
    for index, variable in enumerate(hook.get("env") or ()):
        if variable.find("=") < 1:
            yield f"{path}.env[{index}]: {variable!r} is not KEY=VALUE"


def _clos_id_problems(clos_id: str, path: str) -> Iterator[str]:
    if clos_id in ("", "/"):
        return
    if clos_id in (".", "..") or "/" in clos_id or "\n" in clos_id or len(clos_id) >= _MAX_CLOS_ID:
        yield f"{path}: {clos_id!r} is not a class of service name"


def lint(spec: Spec) -> list[str]:
    """What is valid but unwise: a version above what is needed, environment that a later device overrides."""
    remarks = []
    declared = spec["cdiVersion"].removeprefix("v")
    needed = minimum_version(spec)
    if VERSIONS.index(declared) > VERSIONS.index(needed):
        remarks.append(
            f"cdiVersion {declared} is declared but {needed} suffices: older runtimes will refuse the file"
        )
    for device in spec.get("devices") or ():
        keys = [variable.partition("=")[0] for variable in device["containerEdits"].get("env") or ()]
        for key in sorted({key for key in keys if keys.count(key) > 1}):
            remarks.append(f"device {device['name']} sets {key} more than once: only the last value counts")
    return remarks
