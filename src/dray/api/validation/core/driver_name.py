"""Names of storage drivers, as volumes, nodes and attachments give them."""

from typing import Final

from dray.api import names
from dray.api.fields import FieldError, Path, invalid, required, too_long

DRIVER_NAME_MAX: Final = 63


def validate_driver_name(name: str, path: Path) -> list[FieldError]:
    """A subdomain in either case, at most 63 bytes."""
    if not name:
        return [required(path)]
    errors = [too_long(path, DRIVER_NAME_MAX)] if names.byte_length(name) > DRIVER_NAME_MAX else []
    return errors + [invalid(path, name, text) for text in names.dns_subdomain_caseless(name)]
