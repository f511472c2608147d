"""The parts of an object's metadata that the server owns: who may set what, and names made up on request."""

import secrets
import uuid
from collections.abc import Sequence
from typing import Final

import orjson

from dray.api import errors, names
from dray.api.fields import FieldError, invalid
from dray.api.meta import Object, format_time
from dray.api.validation.meta import METADATA, validate_any_update, validate_meta_create, validate_meta_update
from dray.api.validation.sameness import same
from dray.apiserver.core import Call
from dray.apiserver.registry.kind import Kind, MetadataCheck

ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no look-alikes: made-up names spell nothing."""
SUFFIX: Final = 5
LONGEST_BASE: Final = 58
_OTHER_NAMESPACE: Final = (
    "the namespace of the provided object does not match the namespace sent on the request"
)

_OWNED_TWICE: Final = (
    "API server dedups owner references in 1.20+, and may reject such requests as early as 1.24; "
    "please fix your requests; duplicate UID(s) observed: "
)


def generated_name(base: str) -> str:
    suffix = "".join(secrets.choice(ALPHABET) for _ in range(SUFFIX))
    return base[:LONGEST_BASE] + suffix


def match_namespace(call: Call, meta: Object) -> None:
    """Give the object the request's namespace. Raises BadRequest when it names another."""
    namespaced = call.kind.resource.namespaced
    if not namespaced:
        meta.pop("namespace", None)
    elif meta.get("namespace") not in (None, "", call.namespace):
        raise errors.BadRequest(_OTHER_NAMESPACE)
    else:
        meta["namespace"] = call.namespace


def match_name(call: Call, meta: Object) -> None:
    """A PUT or patch result must be about the object in the URL. Raises BadRequest."""
    name = meta.get("name") or ""
    if not name:
        text = f"the name of the object ({call.name} based on URL) was undeterminable: name must be provided"
        raise errors.BadRequest(text)
    if name != call.name:
        text = f"the name of the object ({name}) does not match the name on the URL ({call.name})"
        raise errors.BadRequest(text)
    match_namespace(call, meta)


def merge_owners(call: Call, meta: Object, *, after_admission: bool) -> None:
    """Name each owner once, with a warning of those that were named again in the same words."""
    kept: dict[bytes, Object] = {}
    again: list[str] = []
    for owner in meta.get("ownerReferences") or ():
        words = orjson.dumps(owner, option=orjson.OPT_SORT_KEYS)
        if words in kept:
            again.append(owner.get("uid") or "")
        else:
            kept[words] = owner
    if not again:
        return
    meta["ownerReferences"] = list(kept.values())
    when = " after mutating admission happens" if after_admission else ""
    call.warnings.append(
        f".metadata.ownerReferences contains duplicate entries{when}; {_OWNED_TWICE}{', '.join(again)}"
    )


def begin(call: Call, obj: Object, *, is_applied: bool) -> None:
    """Metadata of an object that is about to exist. One that is applied keeps, for what it is worth, a grace period."""
    meta = obj["metadata"]
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        if field != "deletionGracePeriodSeconds" or not is_applied:
            meta.pop(field, None)
    meta["creationTimestamp"] = format_time(call.now)
    meta["uid"] = str(uuid.uuid4())
    if call.kind.has_generation:
        meta["generation"] = 1


def carry_over(call: Call, new: Object, old: Object) -> None:
    """Metadata that no update changes is taken from the stored object: some always, some where the client left it out."""
    meta, before = new["metadata"], old["metadata"]
    for field in ("uid", "resourceVersion", "deletionGracePeriodSeconds"):
        if meta.get(field) in (None, "") and field in before:
            meta[field] = before[field]
    if "deletionTimestamp" in before:
        meta.setdefault("deletionTimestamp", before["deletionTimestamp"])
    for field in ("creationTimestamp", "generation"):
        if field in before:
            meta[field] = before[field]
        else:
            meta.pop(field, None)


def counts_already(kind: Kind, sent: Object, old: Object) -> bool:
    """Whether what was sent is a new generation, whatever the strategy makes of it."""
    return kind.counts_as_sent and not same(kind.generation_of(sent), kind.generation_of(old))


def count_generation(call: Call, new: Object, old: Object, *, counted: bool) -> None:
    """After the strategy has settled the object: a changed spec is a new generation. `counted`: it is one anyway."""
    kind = call.kind
    if kind.has_generation and (counted or kind.generation_of(new) != kind.generation_of(old)):
        new["metadata"]["generation"] = int(old["metadata"].get("generation") or 0) + 1


def create_errors(call: Call, meta: Object) -> list[FieldError]:
    return validate_meta_create(
        meta,
        namespaced=call.kind.resource.namespaced,
        name_rule=call.kind.name_rule or names.dns_subdomain,
        reads_generate_name=call.kind.reads_generate_name,
        reads_finalizers=call.kind.reads_finalizers,
    )


def path_errors(meta: Object) -> list[FieldError]:
    """What is asked of any kind after the kind's own rules: the wish for a name must be able to stand in a URL."""
    base = meta.get("generateName") or ""
    return [invalid(METADATA.child("generateName"), base, text) for text in names.path_segment(base + "x")]


def update_errors(
    call: Call, meta: Object, before: Object, checks: Sequence[MetadataCheck]
) -> list[FieldError]:
    """Kubernetes looks at metadata once for every kind and then as the kind at hand does, and lists what each finds."""
    errors = path_errors(meta) + validate_any_update(meta, before)
    reads = call.kind.reads_finalizers
    for check in checks:
        if check == "whole":
            errors += create_errors(call, meta)
        else:
            errors += validate_meta_update(meta, before, reads_finalizers=reads)
    return errors
