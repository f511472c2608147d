"""HTML on its way through a proxy: links to the backend's own pages lead through the proxy as well.

Every opening tag is written anew, as Kubernetes does; what is no tag stays as it came. The page is held in memory for
that, so a large one passes unchanged.
"""

import html
import re
import zlib
from collections.abc import Callable
from typing import Final

LARGEST_PAGE: Final = 1024 * 1024
"""Bytes, before and after unpacking."""

_LINKS: Final = {
    "a": ("href",), "applet": ("codebase",), "area": ("href",), "audio": ("src",), "base": ("href",),
    "blockquote": ("cite",), "body": ("background",), "button": ("formaction",), "command": ("icon",),
    "del": ("cite",), "embed": ("src",), "form": ("action",), "frame": ("longdesc", "src"), "head": ("profile",),
    "html": ("manifest",), "iframe": ("longdesc", "src"), "img": ("longdesc", "src", "usemap"),
    "input": ("src", "usemap", "formaction"), "ins": ("cite",), "link": ("href",),
    "object": ("classid", "codebase", "data", "usemap"), "q": ("cite",), "script": ("src",), "source": ("src",),
    "video": ("poster", "src"),
}  # fmt: skip
_PIECE: Final = re.compile(
    r"<!--.*?(?:-->|\Z)|<[!?/][^>]*+(?:>|\Z)"
    r"|<([a-zA-Z][^\s/>]*+)((?:[^>\"']++|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))*+)(?:>|(\Z))",
    re.DOTALL,
)
"""Whatever begins a piece ends one, at the end of the page at the latest: so nothing is looked at twice."""
_ATTRIBUTE: Final = re.compile(r"([^\s=/>\"'][^\s=/>]*)(?:\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>\"']+)))?")
_UNPARSED: Final = frozenset({"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"})


def rewritten(page: bytes, shown: Callable[[str], str]) -> bytes:
    """`shown` says how the client reaches a URL of the page."""
    text = page.decode("utf-8", "surrogateescape")
    done: list[str] = []
    at = 0
    while (piece := _PIECE.search(text, at)) is not None:
        done.append(text[at : piece.start()])
        at = piece.end()
        name = (piece.group(1) or "").lower()
        is_whole = name and piece.group(3) is None
        done.append(_tag(name, piece.group(2), shown) if is_whole else piece.group())
        if name in _UNPARSED:
            end = re.compile(rf"</{re.escape(name)}", re.IGNORECASE).search(text, at)
            rest = end.start() if end else len(text)
            done.append(text[at:rest])
            at = rest
    done.append(text[at:])
    return "".join(done).encode("utf-8", "surrogateescape")


def _tag(name: str, inside: str, shown: Callable[[str], str]) -> str:
    written = [name]
    for found in _ATTRIBUTE.finditer(inside):
        key = found.group(1).lower()
        value = html.unescape(next((each for each in found.groups()[1:] if each is not None), ""))
        if key in _LINKS.get(name, ()):
            value = shown(value)
        written.append(f'{key}="{_escaped(value)}"')
    return f"<{' '.join(written)}{'/' if inside.endswith('/') else ''}>"


def _escaped(value: str) -> str:
    return html.escape(value).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")


def unpacked(data: bytes, encoding: str) -> bytes | None:
    """None where it is too large, or not of that encoding."""
    if not encoding:
        return data
    reader = zlib.decompressobj(31 if encoding == "gzip" else -zlib.MAX_WBITS)
    try:
        page = reader.decompress(data, LARGEST_PAGE)
    except zlib.error:
        return None
    return page if reader.eof else None


def packed(page: bytes, encoding: str) -> bytes:
    if not encoding:
        return page
    writer = zlib.compressobj(wbits=31 if encoding == "gzip" else -zlib.MAX_WBITS)
    return writer.compress(page) + writer.flush()


PACKINGS: Final = ("", "gzip", "deflate")
"""Content-Encodings that pages are read in."""
