"""Which form of an answer a client asks for in its Accept header.

Every answer is JSON (or YAML on request): a client that asks for protobuf first is answered in the next form it names,
or in JSON, which every Kubernetes client reads.
"""

import dataclasses
import functools
from typing import Final, Literal

from dray.api import errors
from dray.kits.accept import MediaType, parse_accept

Form = Literal["object", "table", "partial"]

JSON: Final = "application/json"
YAML: Final = "application/yaml"
PROTOBUF: Final = "application/vnd.kubernetes.protobuf"
_OFFERED: Final = (JSON, YAML, PROTOBUF)
_STREAMED: Final = (f"{JSON};stream=watch", f"{PROTOBUF};stream=watch")
_FORMS: Final[dict[str, Form]] = {
    "Table": "table",
    "PartialObjectMetadata": "partial",
    "PartialObjectMetadataList": "partial",
}

_OF_FORMS: Final = frozenset(("as", "g", "v"))
"""Parameters that together name a form."""


@dataclasses.dataclass(frozen=True, slots=True)
class Representation:
    form: Form = "object"
    version: str = "v1"
    """Of meta.k8s.io, for tables and partial objects."""
    yaml: bool = False
    is_list: bool = False
    """The client named the list form of partial objects, which fits lists alone as the other fits objects alone."""


PLAIN: Final = Representation()


@functools.lru_cache(maxsize=512)
def representation(accept: str, is_collection: bool = False, has_table: bool = True) -> Representation:
    """Raises NotAcceptable, in other words where the media type is known and the form is not."""
    if not accept:
        return PLAIN
    media_types = parse_accept(accept)
    if not any(media.type in (*_OFFERED, "*/*") for media in media_types):
        raise not_acceptable(is_collection)
    for media in media_types:
        found = _offer(media)
        if found is not None and (has_table or found.form != "table"):
            return found
    raise unknown_form()


def unknown_form(offered: tuple[str, ...] = _OFFERED) -> errors.NotAcceptable:
    return errors.NotAcceptable(f"only the following media types are accepted: {', '.join(offered)}")


def streamed(accept: str) -> Representation:
    """Of the events of a watch, which are not written in YAML. Raises NotAcceptable."""
    found = representation(accept, is_collection=True)
    if found.yaml:
        raise unknown_form(_STREAMED)
    return dataclasses.replace(found, is_list=False) if found.is_list else found


def speaks_yaml(accept: str) -> bool:
    """Whether a refusal, too, is to be written in YAML."""
    plain = (media for media in parse_accept(accept) if not _names_form(media))
    return next((media.type == YAML for media in plain if media.type in (*_OFFERED, "*/*")), False)


def check_document(accept: str) -> None:
    """Documents of discovery have no other forms. Raises NotAcceptable."""
    media_types = [media for media in parse_accept(accept) if not _names_form(media)]
    if accept and not any(media.type in (*_OFFERED, "*/*", "application/*", "*") for media in media_types):
        raise unknown_form()


def check_route(accept: str, offered: tuple[str, ...] = _OFFERED) -> None:
    """Most paths know the media types they can write by their names alone. Raises NotAcceptable."""
    if accept and not any(media.type in (*offered, "*/*") for media in parse_accept(accept)):
        raise not_acceptable(offered=offered)


def not_acceptable(is_collection: bool = False, offered: tuple[str, ...] = _OFFERED) -> errors.NotAcceptable:
    available = ", ".join(offered + _STREAMED if is_collection else offered)
    return errors.NotAcceptable(f"406: Not Acceptable\n\nAvailable representations: {available}", details={})


def _names_form(media: MediaType) -> bool:
    return any(media.parameters.get(name) for name in _OF_FORMS)


def _offer(media: MediaType) -> Representation | None:
    if media.type not in (*_OFFERED, "*/*"):
        return None
    wanted = media.parameters.get("as")
    if not wanted and _names_form(media):
        return None
    if not wanted:
        return Representation(yaml=True) if media.type == YAML else PLAIN
    form = _FORMS.get(wanted)
    if form == "table" and media.type == PROTOBUF:
        return None
    version = media.parameters.get("v", "")
    if form is None or media.parameters.get("g") != "meta.k8s.io" or version not in ("v1", "v1beta1"):
        return None
    return Representation(form, version, media.type == YAML, is_list=wanted == "PartialObjectMetadataList")
