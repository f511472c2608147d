"""ConfigMaps and Secrets that pods refer to, fetched one by one and remembered for a moment.

The node may only read objects that its pods name, so they are fetched by name; one fetch serves every pod that asks
within the time the caller allows. Objects that do not exist are remembered too.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Final

from dray.api import errors
from dray.api.meta import Object
from dray.api.resources import CONFIG_MAPS, SECRETS, Resource
from dray.client.protocol import Client
from dray.kits.clock import Clock

RESOURCES: Final[Mapping[str, Resource]] = {"ConfigMap": CONFIG_MAPS, "Secret": SECRETS}
KEEP_SECONDS: Final = 600.0

Reference = tuple[str, str, str]
"""(kind, namespace, name)."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Fetched:
    object: Object | None
    at: float


class ReferencedObjects:
    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._fetched: dict[Reference, _Fetched] = {}

    async def fetch(
        self, references: Iterable[Reference], *, max_age_seconds: float = 0
    ) -> dict[Reference, Object | None]:
        """Each object, None where there is none. Raises StatusError or Unreachable when the server cannot say."""
        found: dict[Reference, Object | None] = {}
        for reference in dict.fromkeys(references):
            known = self._fetched.get(reference)
            if known is None or self._clock.monotonic() - known.at > max_age_seconds:
                known = await self._fetch(reference)
            found[reference] = known.object
        return found

    async def _fetch(self, reference: Reference) -> _Fetched:
        kind, namespace, name = reference
        obj: Object | None
        try:
            obj = await self._client.get(RESOURCES[kind], name, namespace)
        except errors.NotFound:
            obj = None
        fetched = self._fetched[reference] = _Fetched(obj, self._clock.monotonic())
        return fetched

    def forget_old(self) -> None:
        """Drop what nobody asked for lately."""
        oldest = self._clock.monotonic() - KEEP_SECONDS
        self._fetched = {key: fetched for key, fetched in self._fetched.items() if fetched.at >= oldest}
