"""DeviceClass: selectors, configuration and the extended resource it stands for."""

from dray.api import names
from dray.api.fields import FieldError, Path, invalid
from dray.api.meta import Object
from dray.api.validation.lists import each, items_of
from dray.api.validation.resource.opaque import validate_device_configuration
from dray.api.validation.resource.selectors import ExpressionCheck, validate_selectors
from dray.api.validation.sameness import same

CONFIG_MAX = 32
SPEC = Path("spec")


def validate_class_spec(spec: Object, old: Object | None, check: ExpressionCheck) -> list[FieldError]:
    """`old` is the stored spec on update: what did not change is held to the rules of stored objects."""
    before = old or {}
    errors = validate_selectors(
        spec.get("selectors"),
        SPEC.child("selectors"),
        check,
        stored=old is not None and same(spec.get("selectors"), before.get("selectors")),
    )
    stored = old is not None and same(spec.get("config"), before.get("config"))
    errors += each(
        items_of(spec.get("config")),
        SPEC.child("config"),
        lambda config, at: validate_device_configuration(config, at, stored=stored),
        most=CONFIG_MAX,
    )
    name = spec.get("extendedResourceName")
    if name is not None and not is_extended_resource_name(name):
        at = SPEC.child("extendedResourceName")
        errors.append(invalid(at, name, "must be a valid extended resource name"))
    return errors


def is_extended_resource_name(name: str) -> bool:
    """`domain/name` outside kubernetes.io, such that a quota can name it with `requests.` before it."""
    if "/" not in name or "kubernetes.io/" in name or name.startswith("requests."):
        return False
    return not names.qualified_name(f"requests.{name}")
