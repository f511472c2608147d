"""Request bodies that were right once: changed at random, with a seed, in ways that readers stumble over."""

import copy
import json
import random
from collections.abc import Callable
from typing import Any

TOKENS: tuple[bytes, ...] = (
    b"null", b"true", b"-0", b"1e400", b"-1e400", b"18446744073709551616", b"9" * 400, b"1e-999", b"NaN", b"\xff", b"\x00",
    b'"', b"{}", b"[]", b"{", b"}", b"[", b"]", b",", b":", b"\\ud800", b"\\u0000", b"&a ", b"*a", b"<<: *a", b"!!int ", b"? ",
    b"- ", b"\t", b"\r\n", b"---\n", b"%TAG ! x\n", b"!!binary ", b".inf", b"\xef\xbb\xbf", b"\xf0\x9f\x92\xa9",
    b"$patch", b"$retainKeys", b"$setElementOrder/containers", b"~1", b"-", b"metadata", b"managedFields",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**31, 2**63, 2**64, 1.5, 1e308, "", "x", "é", "\U0001f4a9", "a" * 300, "0", "1Ki", "-1", "1e400", [],
    {}, [None], [[]], [{}], {"": None}, {"$patch": "delete"}, {"$patch": 1}, "2026-01-01T00:00:00Z", "0001-01-01T00:00:00Z",
    "../..", "a/b/c", "k8s.io/x", "\x00", "f:a", "k:{", {"f:a": {}}, {"k:{}": {}}, {"v:1": {}}, {"i:0": {}}, {"f:": {"." : 1}},
    {"op": "move", "from": "", "path": "/a"}, "99999999999999999999", 10**30,
)  # fmt: skip


def changed_bytes(data: bytes, source: random.Random) -> bytes:
    """One to four cuts, repeats, flips and insertions."""
    out = bytearray(data)
    for _ in range(source.choice((1, 1, 2, 4))):
        at = source.randrange(len(out) + 1)
        choice = source.randrange(6)
        if choice == 0 and out:
            out[min(at, len(out) - 1)] ^= 1 << source.randrange(8)
        elif choice == 1:
            del out[at : at + source.choice((1, 3, 20))]
        elif choice == 2:
            out[at:at] = out[at : at + source.choice((1, 10, 60))]
        elif choice == 3:
            out[at:at] = source.choice(TOKENS)
        elif choice == 4:
            out[at : at + source.choice((1, 4))] = source.choice(TOKENS)
        else:
            out[at:at] = source.randbytes(source.choice((1, 2, 8)))
    return bytes(out)


def changed_tree(tree: Any, source: random.Random) -> Any:
    """A copy with one to four of its members replaced, moved, repeated or left out."""
    root = [copy.deepcopy(tree)]
    for _ in range(source.choice((1, 1, 2, 4))):
        places = list(_places(root))
        container, key = source.choice(places)
        _CHANGES[source.randrange(len(_CHANGES))](container, key, source, places)
    return root[0]


def _replace(container: Any, key: Any, source: random.Random, places: Any) -> None:
    container[key] = copy.deepcopy(source.choice(VALUES))


def _move(container: Any, key: Any, source: random.Random, places: Any) -> None:
    other, place = source.choice(places)
    container[key] = copy.deepcopy(other[place])


def _repeat(container: Any, key: Any, source: random.Random, places: Any) -> None:
    if isinstance(container[key], list):
        container[key] = container[key] * source.choice((2, 40))


def _add(container: Any, key: Any, source: random.Random, places: Any) -> None:
    if isinstance(container[key], dict):
        name = source.choice(("", "x", "$patch", "metadata", "name", "a/b", "\x00", "status", "spec"))
        container[key][name] = copy.deepcopy(source.choice(VALUES))


_CHANGES: tuple[Callable[[Any, Any, random.Random, Any], None], ...] = (_replace, _move, _repeat, _add)


def _places(container: Any) -> Any:
    members = container.items() if isinstance(container, dict) else enumerate(container)
    for key, value in list(members):
        yield container, key
        if isinstance(value, dict | list):
            yield from _places(value)


def written(tree: Any) -> bytes:
    return json.dumps(tree, ensure_ascii=False).encode("utf-8", "surrogatepass")
