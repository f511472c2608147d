"""What a driver's pools have in their newest generation, and what claims hold of each. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from dray.api.meta import Object, name_of
from dray.controllers.device_taints import results_of


class Pool(NamedTuple):
    driver: str
    name: str
    generation: int
    specs: Sequence[Object]
    """Of the slices of that generation, by the names of the slices; at least one."""

    @property
    def announced(self) -> int:
        """How many slices the generation is to have."""
        return int(self.specs[0]["pool"]["resourceSliceCount"])

    @property
    def is_complete(self) -> bool:
        return len(self.specs) >= self.announced

    @property
    def node(self) -> str:
        """The one node of all slices, or ""."""
        names = {spec.get("nodeName") or "" for spec in self.specs}
        return names.pop() if len(names) == 1 else ""

    def devices(self) -> list[Object]:
        return [device for spec in self.specs for device in spec.get("devices") or ()]

    def __str__(self) -> str:
        return f"{self.driver}/{self.name}"


def pools_asked_for(spec: Object, slices: Iterable[Object]) -> list[Pool]:
    """The pools that a ResourcePoolStatusRequest's spec is about, by name."""
    found: defaultdict[str, list[Object]] = defaultdict(list)
    for entry in sorted(slices, key=name_of):
        if entry["spec"]["driver"] == spec["driver"]:
            found[entry["spec"]["pool"]["name"]].append(entry["spec"])
    wanted = spec.get("poolName")
    return [_newest(name, found[name]) for name in sorted(found) if wanted in (None, name)]


def _newest(name: str, specs: Sequence[Object]) -> Pool:
    newest = max(map(_generation, specs))
    return Pool(specs[0]["driver"], name, newest, [spec for spec in specs if _generation(spec) == newest])


def _generation(spec: Object) -> int:
    return spec["pool"].get("generation") or 0


def results_by_pool(driver: str, claims: Iterable[Object]) -> Mapping[str, Sequence[Object]]:
    """The allocation results of all claims, by the driver's pool; a pool without any has an empty entry."""
    found: defaultdict[str, list[Object]] = defaultdict(list)
    for claim in claims:
        for result in results_of(claim):
            if result["driver"] == driver:
                found[result["pool"]].append(result)
    return found
