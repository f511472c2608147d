"""What workloads share: columns of their template and selector, and strategies over one validation function."""

from collections.abc import Callable

from dray.api.fields import FieldError, Path
from dray.api.meta import Object
from dray.api.validation.pod.warnings import spec_warnings
from dray.apiserver.registry.columns import container_images, container_names, find, label_selector, wide
from dray.apiserver.registry.kind import Column, WriteContext
from dray.apiserver.registry.writes import old_of

Rule = Callable[[Object], list[FieldError]]
UpdateRule = Callable[[Object, Object], list[FieldError]]

CONTAINERS = wide("Containers", container_names("spec", "template"), "Containers of the template.")
IMAGES = wide("Images", container_images("spec", "template"), "Images of the template.")
SELECTOR = wide("Selector", lambda obj, now: label_selector(find(obj, "spec", "selector")), "Its pods.")


def checks(rule: Rule) -> Callable[[WriteContext, Object], list[FieldError]]:
    """A strategy function of a rule that needs only the object."""
    return lambda context, obj: rule(obj)


def checks_update(rule: UpdateRule) -> Callable[[WriteContext, Object], list[FieldError]]:
    """A strategy function of a rule that compares with the stored object."""
    return lambda context, obj: rule(obj, old_of(context))


def template_warnings(*path: str) -> Callable[[WriteContext, Object], list[str]]:
    """What is told of the pod template at `path`, when it is new and when the spec around it changes."""

    def told(context: WriteContext, obj: Object) -> list[str]:
        before = (context.old or {}).get("metadata", {}).get("generation")
        if context.old is not None and before == obj["metadata"].get("generation"):
            return []
        return spec_warnings(find(obj, *path, "spec", default={}), Path(".".join((*path, "spec"))))

    return told


def count(column: str, description: str, *path: str) -> Column:
    """A whole number in the object; 0 where it is absent."""
    return Column(
        column, lambda obj, now: find(obj, *path, default=0), type="integer", description=description
    )
