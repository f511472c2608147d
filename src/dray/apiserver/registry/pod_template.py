"""PodTemplate: a template by itself."""

from dray.api.fields import FieldError, Path
from dray.api.meta import Object
from dray.api.resources import POD_TEMPLATES
from dray.api.validation.pod.rules import pod_rules
from dray.api.validation.pod.spec import validate_template
from dray.apiserver.registry.columns import NAME, container_images, container_names, find, label_map
from dray.apiserver.registry.kind import Column, Kind, WriteContext
from dray.apiserver.registry.pod_defaults import default_template
from dray.apiserver.registry.templates import drops_disabled, template_warnings


def _default(obj: Object, version: str) -> None:
    default_template(obj.setdefault("template", {}))


def _validate(context: WriteContext, obj: Object) -> list[FieldError]:
    rules = pod_rules(
        context.features, find(context.old, "template", "spec", default={}) if context.old else None
    )
    return validate_template(obj.get("template") or {}, Path("template"), rules)


_DROP = drops_disabled("template")

POD_TEMPLATE = Kind(
    POD_TEMPLATES,
    singular="podtemplate",
    columns=(
        NAME,
        Column("Containers", container_names("template"), description="Containers of the template."),
        Column("Images", container_images("template"), description="Images of the template."),
        Column(
            "Pod Labels",
            lambda obj, now: label_map(find(obj, "template", "metadata", "labels")),
            description="Labels of its pods.",
        ),
    ),
    default=_default,
    prepare_create=_DROP,
    prepare_update=_DROP,
    validate_create=_validate,
    validate_update=_validate,
    has_generation=True,
    generation_of=lambda obj: obj.get("template"),
    returns_deleted=True,
    warnings=template_warnings("template"),
)
