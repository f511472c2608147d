"""What the generic verbs need to know of one kind: the seam between `verbs/` and `registry/<kind>.py`.

A kind is a value of functions, not a class hierarchy. Adding a kind is one module that builds one `Kind` and one
line in `registry/catalog.py`. Objects pass through in this order:

    create: decode (structure) -> default -> to_hub -> mutating admission -> prepare_create -> validate_create
            -> validating admission -> store                     (the hub form is what is stored)
    update: the same with prepare_update / validate_update; a status write uses `status` instead
    read:   store -> from_hub(version) when another version was asked for

`default`, `prepare_*` and `to_hub` receive an object that is theirs alone and may mutate it in place.
Everything else receives shared objects and must not.
"""

import dataclasses
import datetime as dt
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, TypeAlias

from dray.api.features import FeatureGates
from dray.api.fields import FieldError
from dray.api.meta import Object
from dray.api.releases import RELEASES, reaches
from dray.api.resources import Resource

GENERIC_UNKNOWN_FIELD = '"{field}" is not a known field selector: only "metadata.name", "metadata.namespace"'


MetadataCheck: TypeAlias = Literal["whole", "change"]
"""How a kind looks at metadata on update: as on create, or beside what is stored."""


@dataclasses.dataclass(frozen=True, slots=True)
class User:
    """Who is asking, once authenticated."""

    name: str
    groups: tuple[str, ...] = ()
    uid: str = ""
    extra: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)


class WriteContext(Protocol):
    """What a strategy may ask while it prepares and validates a write. Values only; no awaiting."""

    user: User
    now: dt.datetime
    features: FeatureGates
    verb: str
    """create, update, patch, delete: as RBAC names it."""
    old: Object | None
    """The stored object on update; None on create."""
    warnings: list[str]
    """What the client is told beside the answer."""

    def find(self, resource: Resource, name: str, namespace: str = "") -> Object | None:
        """Another stored object (hub form), as the server's own reader sees it now."""
        ...

    def stored_objects(self, resource: Resource) -> Iterable[Object]:
        """All objects of a resource."""
        ...

    def plural_of(self, group: str, version: str, kind: str) -> str:
        """What a kind is called in URLs; "" where it is not served."""
        ...

    def hold(self, key: Hashable) -> bool:
        """Take something for as long as this write lasts; False where another write under way has it."""
        ...

    def authorize(
        self,
        *,
        verb: str,
        group: str,
        resource: str,
        subresource: str = "",
        namespace: str = "",
        name: str = "",
    ) -> tuple[bool, str]:
        """Whether the user may do this as well, and the refusal's text."""
        ...


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """One column of a Table; `cell` sees the hub object and the present time."""

    name: str
    cell: Callable[[Object, dt.datetime], Any]
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


def _nothing(context: WriteContext, obj: Object) -> None:
    return None


def _no_errors(context: WriteContext, obj: Object) -> list[FieldError]:
    return []


def _no_warnings(context: WriteContext, obj: Object) -> Sequence[str]:
    return ()


def _same(obj: Object, version: str) -> Object:
    return obj


@dataclasses.dataclass(frozen=True, slots=True)
class Deprecation:
    """The releases that deprecate and remove a served version, as the Warning header names them ("1.35")."""

    since: str
    removed_in: str = ""
    """Empty: it stays."""
    replacement: str = ""
    """`group/version Kind` to use instead, if there is one."""


@dataclasses.dataclass(frozen=True, slots=True)
class StatusStrategy:
    """How a write to `/status`, or to another subresource that shows the whole object, differs.

    `prepare_update` must itself bring back everything the subresource may not change (from `context.old`).
    """

    prepare_update: Callable[[WriteContext, Object], None] = _nothing
    validate_update: Callable[[WriteContext, Object], list[FieldError]] = _no_errors
    metadata_checks: tuple[MetadataCheck, ...] = ("change",)
    warnings: Callable[[WriteContext, Object], Sequence[str]] = _no_warnings
    """Asked only of what is taken."""


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    resource: Resource
    """In the hub version: the form stored and the form strategies see."""
    singular: str
    versions: tuple[str, ...] = ("v1",)
    """Served versions, the preferred first."""
    brought_by: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """By version or selectable field: the release of Kubernetes that brought it, where that is later than the first that
    can be stood for."""
    dropped_by: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """By version: the release that has it no more."""
    served_with: str = ""
    """The gate without which the kind is not served; "" for none."""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    verbs: tuple[str, ...] = (
        "create",
        "delete",
        "deletecollection",
        "get",
        "list",
        "patch",
        "update",
        "watch",
    )
    columns: tuple[Column, ...] = ()
    shown_annotations: tuple[str, ...] = ()
    """Annotations that stand for a field of the object: PartialObjectMetadata does not have them."""

    default: Callable[[Object, str], None] = lambda obj, version: None
    """Fill the defaults of `version` into an object of that version."""
    to_hub: Callable[[Object, str], Object] = _same
    from_hub: Callable[[Object, str], Object] = _same

    complete: Callable[[WriteContext, Object], None] = _nothing
    """What reading an object means beyond its defaults, since it takes the present time; before fields get their owners."""
    prepare_create: Callable[[WriteContext, Object], None] = _nothing
    prepare_update: Callable[[WriteContext, Object], None] = _nothing
    authorize_create: Callable[[WriteContext, Object], list[FieldError]] = _no_errors
    """What the namespace does not allow: told before anything else."""
    validate_create: Callable[[WriteContext, Object], list[FieldError]] = _no_errors
    validate_update: Callable[[WriteContext, Object], list[FieldError]] = _no_errors
    """Kind's own rules only; the verbs validate ObjectMeta for every kind (`api.validation.meta`)."""
    metadata_checks: tuple[MetadataCheck, ...] = ("change",)
    """How an update looks at metadata, beyond what it finds for every kind; each finding is told each time."""
    warnings: Callable[[WriteContext, Object], Sequence[str]] = _no_warnings
    status: StatusStrategy | None = None
    subresources: tuple[str, ...] = ()
    """Beyond status: log, exec, attach, portforward, binding, eviction, ephemeralcontainers, scale, token, ..."""

    updatable: Mapping[str, StatusStrategy] = dataclasses.field(default_factory=dict)
    """Beyond status: subresources that show the whole object and take GET, PUT and PATCH
    (ephemeralcontainers, resize) or PUT alone (finalize)."""
    deprecated: Mapping[str, Deprecation] = dataclasses.field(default_factory=dict)
    """By version: what the Warning header says."""

    has_generation: bool = False
    """metadata.generation starts at 1 and grows when `generation_of(old) != generation_of(new)`."""
    generation_of: Callable[[Object], Any] = lambda obj: obj.get("spec")
    counts_as_sent: bool = False
    """A change counts even where only fields were sent that are left out because their feature is off."""
    unconditional_update: bool = True
    """A PUT without resourceVersion overwrites."""
    create_on_update: bool = False
    """A PUT or apply to an absent name creates it (apply always may)."""
    graceful_delete: Callable[[Object, int | None], int] | None = None
    """Seconds of grace for a deletion (Pods); None: deleted at once."""
    keeps_dependents: bool = False
    """A deletion that does not say what becomes of dependents leaves them, as old kinds did; else they go as well."""
    kept_warning: str = ""
    """What is said of such a deletion, if anything."""
    returns_deleted: bool = False
    """DELETE answers with the object that is gone; otherwise with a Status that says Success."""
    holds_deletion: Callable[[Object], bool] | None = None
    """What else keeps a deleted object besides metadata.finalizers (a namespace's spec.finalizers).
    Such a kind gets no deletionGracePeriodSeconds."""
    begin_deletion: Callable[[Object], None] = lambda obj: None
    """Changes the object that starts to be deleted (a namespace's phase); it may mutate it."""
    field_labels: Mapping[str, Callable[[Object], str]] = dataclasses.field(default_factory=dict)
    """Selectable fields beyond metadata.name and metadata.namespace."""
    unknown_field_text: str = GENERIC_UNKNOWN_FIELD
    """What a selector on another field is told; `{field}` and `{version}` are filled in."""
    name_rule: Callable[[str], list[str]] | None = None
    """Texts for a bad metadata.name; None: a DNS subdomain."""
    reads_generate_name: bool = True
    """metadata.generateName is held to the rule of names too."""
    reads_finalizers: bool = True
    """Finalizers without a domain must be known ones."""
    gates: frozenset[str] = frozenset()
    """What brings fields of later releases (`FeatureGates.later`); set by the server."""
    virtual: bool = False
    """Never stored: reviews such as TokenReview. `verbs/virtual.py` answers them."""
    told: bool = False
    """Never stored either: what is read is found out when it is asked for. `verbs/told.py` answers."""
    stored_as: Resource | None = None
    """The resource whose objects these are (events.k8s.io shows the core events); None: `resource` itself.
    `to_hub` and `from_hub` convert to and from that resource's form."""

    @property
    def stored(self) -> Resource:
        """The resource under which the store has the objects."""
        return self.stored_as or self.resource


def in_release(kind: Kind, release: str) -> Kind:
    """The kind as a release of Kubernetes has it: with the versions, which may be none, and selectable fields of then."""
    if not kind.brought_by and not kind.dropped_by:
        return kind

    def has(name: str) -> bool:
        is_gone = name in kind.dropped_by and reaches(release, kind.dropped_by[name])
        return reaches(release, kind.brought_by.get(name, RELEASES[0])) and not is_gone

    return dataclasses.replace(
        kind,
        versions=tuple(filter(has, kind.versions)),
        field_labels={name: value for name, value in kind.field_labels.items() if has(name)},
    )
