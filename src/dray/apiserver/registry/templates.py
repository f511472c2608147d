"""What workloads share: columns of their template and selector, and strategies over one validation function."""

from collections.abc import Callable
from typing import Any

from dray.api.fields import FieldError, Path
from dray.api.meta import Object
from dray.api.names import dns_label
from dray.api.validation.pod.rules import PodRules, pod_rules
from dray.api.validation.pod.warnings import pod_template_warnings
from dray.apiserver.registry.columns import container_images, container_names, find, label_selector, wide
from dray.apiserver.registry.kind import Column, WriteContext
from dray.apiserver.registry.pod_gates import drop_disabled_pod_fields
from dray.apiserver.registry.writes import Prepare, old_of

Rule = Callable[[Object], list[FieldError]]
UpdateRule = Callable[[Object, Object], list[FieldError]]
PodRule = Callable[[Object, PodRules], list[FieldError]]
PodUpdateRule = Callable[[Object, Object, PodRules], list[FieldError]]
Validate = Callable[[WriteContext, Object], list[FieldError]]

CONTAINERS = wide("Containers", container_names("spec", "template"), "Containers of the template.")
IMAGES = wide("Images", container_images("spec", "template"), "Images of the template.")
SELECTOR = wide("Selector", lambda obj, now: label_selector(find(obj, "spec", "selector")), "Its pods.")


def generation_of(obj: Object) -> Any:
    return obj["metadata"].get("generation")


def name_warnings(meta: Object) -> list[str]:
    problems = dns_label(meta.get("name") or "")
    if not problems:
        return []
    text = "metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; "
    return [f"{text}a DNS label is recommended: [{' '.join(problems)}]"]


def checks(rule: Rule) -> Validate:
    """A strategy function of a rule that needs only the object."""
    return lambda context, obj: rule(obj)


def checks_update(rule: UpdateRule) -> Validate:
    """A strategy function of a rule that compares with the stored object."""
    return lambda context, obj: rule(obj, old_of(context))


def checks_pods(rule: PodRule) -> Validate:
    """As `checks`, with the rules for the pods of a new template."""
    return lambda context, obj: rule(obj, pod_rules(context.features, None))


def checks_pods_update(rule: PodUpdateRule, *path: str) -> Validate:
    """As `checks_update`, with the rules for the pods of the stored template, which stands at `path`."""

    def check(context: WriteContext, obj: Object) -> list[FieldError]:
        old = old_of(context)
        return rule(obj, old, pod_rules(context.features, find(old, *path, "spec", default={})))

    return check


def drops_disabled(*path: str) -> Prepare:
    """Leaves out of the pod template at `path` what belongs to features that are off, unless the stored one uses it."""

    def prepare(context: WriteContext, obj: Object) -> None:
        template = find(obj, *path)
        if template is not None:
            before = find(context.old or {}, *path, "spec")
            drop_disabled_pod_fields(context.features, template.setdefault("spec", {}), before)

    return prepare


def template_warnings(
    *path: str, names_pods: bool = False, counts: Callable[[Object], Any] = generation_of
) -> Callable[[WriteContext, Object], list[str]]:
    """What is told of the pod template at `path`, when it is new and when what `counts` says of the object changes.

    `names_pods`: pods, which have hostnames, are called after the object.
    """

    def told(context: WriteContext, obj: Object) -> list[str]:
        if context.old is not None and counts(obj) == counts(context.old):
            return []
        warnings = name_warnings(obj["metadata"]) if names_pods and context.old is None else []
        template = find(obj, *path)
        return [*warnings, *(pod_template_warnings(template, Path(".".join(path))) if template else ())]

    return told


def count(column: str, description: str, *path: str) -> Column:
    """A whole number in the object; 0 where it is absent."""
    return Column(
        column, lambda obj, now: find(obj, *path, default=0), type="integer", description=description
    )
