"""The descriptions of limit ranges: alone, and within that of their namespace."""

from collections.abc import Iterable, Iterator
from typing import Final

from dray.api.meta import Object, name_of, namespace_of
from dray.cli.kubectl.session import Session

_FIELDS: Final = ("min", "max", "defaultRequest", "default", "maxLimitRequestRatio")
_TITLE: Final = "Type\tResource\tMin\tMax\tDefault Request\tDefault Limit\tMax Limit/Request Ratio"
_RULE: Final = "----\t--------\t---\t---\t---------------\t-------------\t-----------------------"


async def limit_range(session: Session, obj: Object) -> list[str]:
    return [f"Name:\t{name_of(obj)}", f"Namespace:\t{namespace_of(obj)}", _TITLE, _RULE, *_rows(obj)]


def of_namespace(ranges: Iterable[Object]) -> list[str]:
    rows = [row for each in ranges for row in _rows(each)]
    if not rows:
        return ["No LimitRange resource."]
    return ["Resource Limits", *(f" {line}" for line in (_TITLE, _RULE, *rows))]


def _rows(limits: Object) -> Iterator[str]:
    for item in (limits.get("spec") or {}).get("limits") or ():
        for name in sorted({name for field in _FIELDS for name in item.get(field) or ()}):
            cells = [str((item.get(field) or {}).get(name, "-")) for field in _FIELDS]
            yield "\t".join((item.get("type") or "", name, *cells))
