"""Two files of a volume at one place, or one in the place of another's folder."""

import itertools
from collections.abc import Iterator
from typing import Final

from dray.api.fields import quote
from dray.api.meta import Object
from dray.api.validation.lists import items_of
from dray.api.validation.pod.container_warnings import OVERLAPS_TOLD, PAIRS_COMPARED

_Place = tuple[str, str]
"""A path in the volume, and what brings it there ("": the volume itself)."""

_CERTIFICATE: Final = (
    ("certificateChainPath", "PodCertificate chain"),
    ("keyPath", "PodCertificate key"),
    ("credentialBundlePath", "PodCertificate credential bundle"),
)


def volume_path_warnings(volumes: list[Object]) -> Iterator[str]:
    for volume in volumes:
        yield from itertools.islice(_volume(volume), OVERLAPS_TOLD)


def _volume(volume: Object) -> Iterator[str]:
    name = quote(volume.get("name") or "")
    for field, shown, called in (("configMap", "ConfigMap", "name"), ("secret", "Secret", "secretName")):
        source = volume.get(field) or {}
        what = f"{shown} {quote(source.get(called) or '')}"
        yield from _Overlaps(f"volume {name} ({what})").add(_places_of_items(source, ""))
    places = _places_of_items(volume.get("downwardAPI") or {}, "")
    yield from _Overlaps(f"volume {name} (DownwardAPI)").add(places)
    overlaps = _Overlaps(f"volume {name} (Projected)")
    for projection in items_of((volume.get("projected") or {}).get("sources")):
        if not any(part is not None for part in projection.values()):
            yield f"{overlaps.whole} has no sources provided"
        yield from overlaps.add(_places(projection))


class _Overlaps:
    """Places of one volume, as far as they are known."""

    def __init__(self, whole: str) -> None:
        self.whole = whole
        self._known: list[_Place] = []
        self._comparisons = itertools.repeat(None, PAIRS_COMPARED)

    def add(self, places: list[_Place]) -> Iterator[str]:
        """What is told of each of them beside all that were there before."""
        for place, owner in places:
            mine = place.rstrip("/"), owner
            for other, _ in zip(self._known, self._comparisons, strict=False):
                if _overlap(mine[0], other[0]):
                    yield f"{self.whole}: overlapping paths: {_shown(mine)} with {_shown(other)}"
            self._known.append(mine)


def _overlap(place: str, other: str) -> bool:
    if not place or not other:
        return False
    return f"{place}/".startswith(f"{other}/") or f"{other}/".startswith(f"{place}/")


def _shown(place: _Place) -> str:
    path, owner = place
    return f"{quote(path)} ({owner})" if owner else quote(path)


def _places(projection: Object) -> list[_Place]:
    """Of the first source that says where its files go."""
    for field, shown in (("configMap", "ConfigMap"), ("secret", "Secret")):
        source = projection.get(field)
        if source is not None and source.get("items") is not None:
            return _places_of_items(source, f"{shown} {quote(source.get('name') or '')}")
    source = projection.get("downwardAPI")
    if source is not None and source.get("items") is not None:
        return _places_of_items(source, "DownwardAPI")
    if (token := projection.get("serviceAccountToken")) is not None:
        return [(token.get("path") or "", "ServiceAccountToken")]
    if (bundle := projection.get("clusterTrustBundle")) is not None:
        name = bundle.get("name") if bundle.get("name") is not None else bundle.get("signerName") or ""
        return [(bundle.get("path") or "", f"ClusterTrustBundle {quote(name)}")]
    certificate = projection.get("podCertificate") or {}
    return [(certificate[field], shown) for field, shown in _CERTIFICATE if certificate.get(field)]


def _places_of_items(source: Object, owner: str) -> list[_Place]:
    return [(item.get("path") or "", owner) for item in items_of(source.get("items"))]
