"""Sets of field paths, held in the very form in which `fieldsV1` is written, and their algebra.

`{"f:spec": {"f:replicas": {}, "f:template": {".": {}, ...}}}`: a key leads to a member when its value is empty or
holds ".", and to deeper members through its other keys. Sets are never mutated; operations share what did not change
and give back the very same dict when nothing did, so `is` tells. Knows nothing of schemas or of who owns what.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

FieldSet: TypeAlias = Mapping[str, Any]

EMPTY: Final[FieldSet] = {}
LEAF: Final[FieldSet] = {}
"""A member without deeper members."""
_SELF: Final = "."


def is_member(node: FieldSet) -> bool:
    """Whether the path that leads to `node` is itself in the set."""
    return not node or _SELF in node


def node(member: bool, children: Mapping[str, Any]) -> FieldSet:
    """A node with these children (which hold no "."); `children` must not be empty unless it is a member."""
    if not member:
        return children
    return {_SELF: LEAF, **children} if children else LEAF


def union(left: FieldSet, right: FieldSet) -> FieldSet:
    if not left or left is right:
        return right
    if not right:
        return left
    out = dict(left)
    for key, theirs in right.items():
        if key == _SELF:
            continue
        ours = out.get(key)
        out[key] = theirs if ours is None else _join(ours, theirs)
    return out


def _join(ours: FieldSet, theirs: FieldSet) -> FieldSet:
    if ours is theirs:
        return ours
    children = {key: value for key, value in union(_inner(ours), _inner(theirs)).items() if key != _SELF}
    return node(is_member(ours) or is_member(theirs), children)


def _inner(sub: FieldSet) -> FieldSet:
    """The deeper members as a set of their own."""
    return {key: value for key, value in sub.items() if key != _SELF} if _SELF in sub else sub


def difference(left: FieldSet, right: FieldSet) -> FieldSet:
    """Members of `left` that are not members of `right`; `left` itself when none is."""
    if not left or not right:
        return left
    out: dict[str, Any] | None = None
    for key, theirs in right.items():
        ours = left.get(key) if key != _SELF else None
        if ours is None:
            continue
        rest = _subtract(ours, theirs)
        if rest is not ours:
            out = dict(left) if out is None else out
            if rest is None:
                del out[key]
            else:
                out[key] = rest
    return left if out is None else out


def _subtract(ours: FieldSet, theirs: FieldSet) -> FieldSet | None:
    inner = _inner(ours)
    children = difference(inner, theirs)
    member = is_member(ours) and not is_member(theirs)
    if children is inner and member == is_member(ours):
        return ours
    return node(member, children) if member or children else None


def without_subtrees(left: FieldSet, roots: FieldSet) -> FieldSet:
    """`left` without the members of `roots` and everything below them."""
    if not left or not roots:
        return left
    out: dict[str, Any] | None = None
    for key, root in roots.items():
        ours = left.get(key) if key != _SELF else None
        if ours is None:
            continue
        rest: FieldSet | None = None
        if not is_member(root):
            inner = _inner(ours)
            children = without_subtrees(inner, root)
            if children is inner:
                continue
            rest = node(is_member(ours), children) if children or is_member(ours) else None
        out = dict(left) if out is None else out
        if rest is None:
            del out[key]
        else:
            out[key] = rest
    return left if out is None else out


def intersection(left: FieldSet, right: FieldSet) -> FieldSet:
    out: dict[str, Any] = {}
    for key, ours in left.items():
        theirs = right.get(key) if key != _SELF else None
        if theirs is None:
            continue
        member = is_member(ours) and is_member(theirs)
        children = intersection(_inner(ours), _inner(theirs))
        if member or children:
            out[key] = node(member, children)
    return out


def members(fields: FieldSet, prefix: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every member as its keys; at each level the members first, then those below them."""
    ordered = [(key, fields[key]) for key in sorted(fields) if key != _SELF]
    for key, sub in ordered:
        if is_member(sub):
            yield (*prefix, key)
    for key, sub in ordered:
        yield from members(_inner(sub), (*prefix, key))


def of_members(paths: "list[tuple[str, ...]]") -> FieldSet:
    out: FieldSet = EMPTY
    for path in paths:
        node_: FieldSet = LEAF
        for key in reversed(path):
            node_ = {key: node_}
        out = union(out, node_)
    return out


def in_order(fields: FieldSet) -> dict[str, Any]:
    """The set with its keys sorted, as it is written."""
    return {key: in_order(fields[key]) for key in sorted(fields)}
