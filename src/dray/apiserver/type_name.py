"""Which type a body must be, or is what it says it is: apiVersion and kind, in a release."""

import dataclasses
from typing import Final

from dray.api.schema import Schema, schema_for
from dray.api.schema.later import kind_brought_by
from dray.apiserver.registry.kind import Kind


@dataclasses.dataclass(frozen=True, slots=True)
class TypeName:
    """What a body must be: apiVersion and kind."""

    api_version: str
    kind: str
    gates: frozenset[str] = frozenset()
    """What brings types and fields of later releases (`FeatureGates.later`)."""

    @property
    def version(self) -> str:
        return self.api_version.rpartition("/")[2]

    @property
    def schema(self) -> Schema | None:
        release = kind_brought_by(self.api_version, self.kind)
        if release and release not in self.gates:
            return None
        return schema_for(self.api_version, self.kind, self.gates)


DELETE_OPTIONS: Final = TypeName("v1", "DeleteOptions")


def type_name(kind: Kind, version: str) -> TypeName:
    return TypeName(kind.resource.at(version).api_version, kind.resource.kind, kind.gates)
