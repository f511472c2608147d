"""Which language an expression is written in: libraries by Kubernetes version, variables, feature gates.

`STORED` is for expressions that already exist, and knows everything; `NEW` is for validating new ones, and knows what
the release before did, so that a cluster can be rolled back. Both are of Kubernetes 1.36 with its default gates; make
others with `Environment(...)`.
"""

import dataclasses
import functools
from collections.abc import Mapping

from dray.cel.check.scope import Structs
from dray.cel.declarations import ALWAYS, Declarations, Function, Library, Version
from dray.cel.library import (
    authorization,
    calendar,
    comprehensions,
    conversions,
    kubernetes,
    lists,
    macros,
    messages,
    operators,
    optionals,
    patches,
    regex,
    sets,
    strings,
)
from dray.cel.syntax.builder import Expander, MacroKey
from dray.cel.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    CelType,
    list_of,
    map_of,
    opaque,
    param,
    type_of,
)

RELEASE = Version(1, 36)
"""The Kubernetes release that is the baseline."""

LIBRARIES: tuple[Library, ...] = (
    Library(
        "standard",
        ALWAYS,
        (*operators.FUNCTIONS, *conversions.FUNCTIONS, *strings.STANDARD, *calendar.FUNCTIONS),
        macros.STANDARD,
        (
            BOOL, BYTES, DOUBLE, DURATION, INT, list_of(param("A")), map_of(param("A"), param("B")), NULL, STRING,
            TIMESTAMP, TYPE, UINT,
        ),
    ),
    Library("kubernetes.urls", ALWAYS, kubernetes.URL_FUNCTIONS),
    Library("kubernetes.regex", ALWAYS, regex.FUNCTIONS),
    Library("kubernetes.lists", ALWAYS, lists.KUBERNETES),
    Library("kubernetes.authz", Version(1, 27), authorization.FUNCTIONS),
    Library("optional", Version(1, 28), optionals.FUNCTIONS, macros.OPTIONAL, (opaque("optional_type"),)),
    Library("kubernetes.quantity", Version(1, 28), kubernetes.QUANTITY_FUNCTIONS),
    Library("strings", ALWAYS, strings.VERSION_0, removed=Version(1, 29)),
    Library("strings 2", Version(1, 29), strings.VERSION_2),
    Library("sets", Version(1, 29), sets.FUNCTIONS),
    Library("kubernetes.ip", Version(1, 30), kubernetes.IP_FUNCTIONS, types=(kubernetes.IP_TYPE,)),
    Library("kubernetes.cidr", Version(1, 30), kubernetes.CIDR_FUNCTIONS, types=(kubernetes.CIDR_TYPE,)),
    Library("kubernetes.format", Version(1, 31), kubernetes.FORMAT_FUNCTIONS),
    Library("comprehensions", Version(1, 32), comprehensions.FUNCTIONS, comprehensions.MACROS),
    Library("kubernetes.semver", Version(1, 33), kubernetes.SEMVER_FUNCTIONS),
    Library("lists 3", Version(1, 34), lists.EXTENSION, lists.MACROS),
)  # fmt: skip
"""In the order in which upstream loads them, which decides the order of overloads."""

PATCHES = Library("kubernetes.jsonpatch", ALWAYS, patches.FUNCTIONS)
"""For expressions that make patches, whatever the release."""


@dataclasses.dataclass(frozen=True, slots=True)
class Environment:
    """The language of device selectors for one release, gate setting and purpose."""

    version: Version = RELEASE
    new_expressions: bool = False
    consumable_capacity: bool = True
    list_type_attributes: bool = False

    @property
    def library_version(self) -> Version | None:
        """Libraries known from then on may be used; None for all of them."""
        return Version(self.version.major, self.version.minor - 1) if self.new_expressions else None


STORED = Environment()
NEW = Environment(new_expressions=True)


@functools.lru_cache(maxsize=32)
def libraries_of(version: Version | None) -> tuple[Library, ...]:
    """The libraries that a release has, or the newest one."""
    if version is None:
        return tuple(library for library in LIBRARIES if library.removed is None)
    return tuple(library for library in LIBRARIES if library.is_in(version))


def declare(libraries: tuple[Library, ...], variables: Mapping[str, CelType]) -> Declarations:
    """All names of some libraries, and the variables of an environment."""
    functions: dict[str, Function] = {}
    expanders: dict[MacroKey, Expander] = {}
    identifiers: dict[str, CelType] = {}
    for library in libraries:
        for function in library.functions:
            known = functions.get(function.name)
            functions[function.name] = function if known is None else known.merged(function)
        expanders.update(library.macros)
        identifiers.update((declared.name, type_of(declared)) for declared in library.types)
    identifiers.update(variables)
    return Declarations(functions, expanders, identifiers)


WELL_KNOWN_STRUCTS = Structs(messages.FIELDS)
"""The structs every environment has."""
