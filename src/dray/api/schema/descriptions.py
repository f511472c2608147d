"""What the fields of the DRA kinds and of PodGroups mean, for `kubectl explain`. The texts are in data/descriptions.txt.

That file holds blocks: a line `[Type]`, the type's own sentence after `:`, then `field: text` lines; an indented line
continues the one before it. A type's text holds for every version of its group that has the type; `[meta.Type]`
is of meta/v1.
"""

import functools
from collections.abc import Mapping

_GROUPS = ("resource/", "scheduling/v1alpha", "scheduling/v1beta", "meta/")


def describe(definition: str, field: str = "") -> str:
    """The text of a type (`resource/v1.DeviceRequest`) or of one of its fields; "" where there is none."""
    package, _, name = definition.rpartition(".")
    if not package.startswith(_GROUPS):
        return _texts().get("meta.Object", {}).get(field, "") if field in _COMMON else ""
    known = _texts().get(f"meta.{name}" if package.startswith("meta/") else name, {})
    return known.get(field) or (_texts().get("meta.Object", {}).get(field, "") if field in _COMMON else "")


_COMMON = frozenset({"apiVersion", "kind", "metadata"})


@functools.cache
def _texts() -> Mapping[str, Mapping[str, str]]:
    import importlib.resources

    source = importlib.resources.files("dray.api.schema") / "data" / "descriptions.txt"
    texts: dict[str, dict[str, str]] = {}
    block: dict[str, str] = {}
    field = ""
    for line in source.read_text("utf-8").splitlines():
        if line.startswith("["):
            block = texts.setdefault(line.strip("[]"), {})
        elif line.startswith(" "):
            block[field] += f" {line.strip()}"
        elif line:
            field, _, text = line.partition(":")
            block[field] = text.strip()
    return texts
