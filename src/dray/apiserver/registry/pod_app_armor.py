"""AppArmor's old annotations, read into the fields that have taken their place.

Source: kubernetes pkg/registry/core/pod/strategy.go, 1.36.
"""

from typing import Final

from dray.api.app_armor import profile_of_annotation
from dray.api.meta import Object, annotations_of

PREFIX: Final = "container.apparmor.security.beta.kubernetes.io/"


def read_annotations(pod: Object) -> list[str]:
    """Fill in fields of containers, and tell of annotations that had none. Mutates the pod."""
    annotations, spec = annotations_of(pod), pod["spec"]
    if (
        not any(key.startswith(PREFIX) for key in annotations)
        or (spec.get("os") or {}).get("name") == "windows"
    ):
        return []
    whole = (spec.get("securityContext") or {}).get("appArmorProfile")
    warnings: list[str] = []
    for kind in ("initContainers", "containers", "ephemeralContainers"):
        for container in spec.get(kind) or ():
            key = f"{PREFIX}{container['name']}"
            context = container.get("securityContext") or {}
            if key not in annotations or context.get("appArmorProfile") is not None:
                continue
            profile = profile_of_annotation(annotations[key])
            if profile is not None and profile == whole:
                continue
            if profile is not None:
                container["securityContext"] = {**context, "appArmorProfile": profile}
            text = f'metadata.annotations[{key}]: deprecated since v1.30; use the "appArmorProfile" field instead'
            warnings.append(text)
    return warnings
