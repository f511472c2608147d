"""Names of resources where quotas and limits speak of them."""

from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, invalid

OF_CONTAINERS: Final = frozenset({"cpu", "memory", "ephemeral-storage"})
OF_PODS: Final = frozenset(
    {"pods", *OF_CONTAINERS} | {f"{part}.{name}" for part in ("requests", "limits") for name in OF_CONTAINERS}
)
OF_VOLUME_CLAIMS: Final = frozenset({"persistentvolumeclaims", "requests.storage"})
QUOTA: Final = OF_PODS | OF_VOLUME_CLAIMS | {
    "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps", "services.nodeports",
    "services.loadbalancers",
}  # fmt: skip
"""Plain names that quotas know."""
_PAGES: Final = ("hugepages-", "requests.hugepages-")


def is_standard_for_quota(name: str) -> bool:
    return name in QUOTA or name.startswith(_PAGES)


def validate_resource_name(name: str, path: Path) -> list[FieldError]:
    errors = [invalid(path, name, text) for text in names.qualified_name(name)]
    if not errors and "/" not in name and name != "storage" and not is_standard_for_quota(name):
        errors.append(invalid(path, name, "must be a standard resource type or fully qualified"))
    return errors


def validate_container_resource_name(name: str, path: Path) -> list[FieldError]:
    errors = validate_resource_name(name, path)
    if "/" not in name and name not in OF_CONTAINERS and not name.startswith("hugepages-"):
        errors.append(invalid(path, name, "must be a standard resource for containers"))
    return errors
