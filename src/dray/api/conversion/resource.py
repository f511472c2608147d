"""resource.k8s.io: v1beta1 and v1beta2 to and from the hub v1; v1alpha3 to and from v1beta2.

v1beta2 has the fields of v1. v1beta1 differs in two places: a request is flat, its `exactly` spread beside
`firstAvailable`; and a device keeps everything but its name in `basic`. Objects that come in belong to the caller and
are changed in place; objects that go out are shared, so the path that differs is copied.
"""

from collections.abc import Callable

from dray.api.meta import Object, replace_at

GROUP = "resource.k8s.io"
FLAT = "v1beta1"

_EXACTLY_FIELDS = (
    "deviceClassName",
    "selectors",
    "allocationMode",
    "count",
    "adminAccess",
    "tolerations",
    "capacity",
    "derivedAttributes",
)


def claim_to_hub(obj: Object, version: str) -> Object:
    return _to_hub(obj, version, ("spec",), _unflatten_claim_spec)


def claim_from_hub(obj: Object, version: str) -> Object:
    return _from_hub(obj, version, ("spec",), _flatten_claim_spec)


def template_to_hub(obj: Object, version: str) -> Object:
    return _to_hub(obj, version, ("spec", "spec"), _unflatten_claim_spec)


def template_from_hub(obj: Object, version: str) -> Object:
    return _from_hub(obj, version, ("spec", "spec"), _flatten_claim_spec)


def slice_to_hub(obj: Object, version: str) -> Object:
    return _to_hub(obj, version, ("spec",), _unwrap_slice_spec)


def slice_from_hub(obj: Object, version: str) -> Object:
    return _from_hub(obj, version, ("spec",), _wrap_slice_spec)


def same_to_hub(hub_version: str) -> Callable[[Object, str], Object]:
    """For kinds whose versions have the same fields."""

    def to_hub(obj: Object, version: str) -> Object:
        obj["apiVersion"] = f"{GROUP}/{hub_version}"
        return obj

    return to_hub


def same_from_hub(obj: Object, version: str) -> Object:
    return _in_version(obj, version)


def _in_version(obj: Object, version: str) -> Object:
    api_version = f"{GROUP}/{version}"
    return obj if obj.get("apiVersion") == api_version else {**obj, "apiVersion": api_version}


def _to_hub(obj: Object, version: str, path: tuple[str, ...], change: Callable[[Object], Object]) -> Object:
    obj["apiVersion"] = f"{GROUP}/v1"
    if version != FLAT:
        return obj
    part = obj
    for key in path:
        if not part.get(key):
            return obj
        part = part[key]
    return replace_at(obj, path, change(part))


def _from_hub(obj: Object, version: str, path: tuple[str, ...], change: Callable[[Object], Object]) -> Object:
    shown = _in_version(obj, version)
    if version != FLAT:
        return shown
    part = obj
    for key in path:
        if not part.get(key):
            return shown
        part = part[key]
    return replace_at(shown, path, change(part))


def _unflatten_claim_spec(spec: Object) -> Object:
    requests = (spec.get("devices") or {}).get("requests")
    if not requests:
        return spec
    return replace_at(spec, ("devices", "requests"), [_unflatten(request or {}) for request in requests])


def _unflatten(request: Object) -> Object:
    """Any flat field that is set makes an `exactly`, even an incomplete one or an empty list: validation says what it lacks."""
    kept = {key: value for key, value in request.items() if key not in _EXACTLY_FIELDS}
    exactly = {key: request[key] for key in _EXACTLY_FIELDS if key in request}
    if any(_is_set(key, value) for key, value in exactly.items()):
        kept["exactly"] = {key: value for key, value in exactly.items() if value != []}
    return kept


def _is_set(field: str, value: object) -> bool:
    if field in ("deviceClassName", "allocationMode", "count"):
        return bool(value)
    return value is not None


def _flatten_claim_spec(spec: Object) -> Object:
    requests = (spec.get("devices") or {}).get("requests")
    if not requests:
        return spec
    return replace_at(spec, ("devices", "requests"), [_flatten(request) for request in requests])


def _flatten(request: Object) -> Object:
    flat = {key: value for key, value in request.items() if key != "exactly"}
    flat.update(request.get("exactly") or {})
    # v1beta1 shows an empty class name where the class is named by the alternatives.
    flat.setdefault("deviceClassName", "")
    return flat


def _unwrap_slice_spec(spec: Object) -> Object:
    hub = {key: value for key, value in spec.items() if key not in ("nodeName", "allNodes") or value}
    if spec.get("devices") is not None:
        hub["devices"] = [_unwrap(device or {}) for device in spec["devices"]]
    return hub


def _unwrap(device: Object) -> Object:
    basic = device.get("basic") or {}
    emptied = {key for key in ("attributes", "capacity") if not basic.get(key)}
    hub = {key: value for key, value in device.items() if key != "basic"}
    hub.update({key: value for key, value in basic.items() if key not in emptied})
    return hub


def _wrap_slice_spec(spec: Object) -> Object:
    if spec.get("devices") is None:
        return spec
    return {**spec, "devices": [_wrap(device) for device in spec["devices"]]}


def _wrap(device: Object) -> Object:
    basic = {key: value for key, value in device.items() if key != "name"}
    return {"name": device["name"], "basic": basic} if "name" in device else {"basic": basic}
