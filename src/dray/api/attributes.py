"""Attributes of devices by their full names."""

from dray.api.meta import Object


def find_attribute(device: Object, name: str, driver: str) -> Object | None:
    """The attribute `domain/identifier` of a driver's device.

    One in the driver's own domain may be published without it; one published with it counts before that.
    """
    attributes = device.get("attributes") or {}
    for spelling in (name, name.removeprefix(f"{driver}/")):
        if spelling in attributes:
            return attributes[spelling] or {}
    return None
