"""AppArmor profiles, as annotations of old named them."""

from typing import Final

from dray.api.meta import Object

_LONGEST: Final = 4095


def profile_of_annotation(annotation: str) -> Object | None:
    """None for what cannot be said as a field."""
    if annotation == "unconfined":
        return {"type": "Unconfined"}
    if annotation == "runtime/default":
        return {"type": "RuntimeDefault"}
    name = annotation.removeprefix("localhost/")
    is_named = name != annotation and name == name.strip() and 0 < len(name) <= _LONGEST
    return {"type": "Localhost", "localhostProfile": name} if is_named else None
