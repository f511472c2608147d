"""How a refusal names its object, which may have no name yet."""

from dray.api.meta import Object


def display_name(obj: Object) -> str:
    meta = obj["metadata"]
    return str(meta.get("name") or meta.get("generateName") or "Unknown")
