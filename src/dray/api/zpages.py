"""What a component tells of itself to whoever looks after it: /statusz and /flagz, Kubernetes' z-pages.

Both are text for people, or an object of config.k8s.io for those who ask for one by its whole name in the Accept header:
`application/json;v=v1beta1;g=config.k8s.io;as=Statusz`. Source: kube-apiserver 1.36.2's answers.
"""

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Final, Literal

from dray.api import errors
from dray.api.meta import Object, format_time
from dray.api.releases import git_version
from dray.api.schema.go_yaml import to_yaml
from dray.kits import go_json
from dray.kits.accept import MediaType, parse_accept

ZPage = Literal["statusz", "flagz"]
GATES: Final[Mapping[ZPage, str]] = {"statusz": "ComponentStatusz", "flagz": "ComponentFlagz"}
"""Which feature gate has the page served."""

TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"
_YAML: Final = "application/yaml"
_KINDS: Final[Mapping[ZPage, str]] = {"statusz": "Statusz", "flagz": "Flagz"}
_GROUP: Final = "config.k8s.io"
_OLD, _NEW = "v1alpha1", "v1beta1"
_FOR_PEOPLE: Final = (
    "Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees "
    "and is for debugging purposes only."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Component:
    """A process that stands for one of Kubernetes' components."""

    name: str
    started: dt.datetime
    release: str
    """The one it emulates: `1.36`."""
    paths: tuple[str, ...]
    """What else it serves, sorted."""
    flags: Mapping[str, str]
    """By name, without dashes; all it has, with the values that hold."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    content_type: str
    body: bytes
    warnings: tuple[str, ...] = ()


def answer(page: ZPage, component: Component, now: dt.datetime, accept: str) -> Answer:
    """Raises NotAcceptable."""
    found = next(filter(None, (_offer(page, media) for media in parse_accept(accept or "*/*"))), None)
    if found is None:
        offered = ", ".join((_JSON, _YAML, "text/plain"))
        raise errors.NotAcceptable(f"only the following media types are accepted: {offered}")
    content_type, version = found
    if not version:
        return Answer(TEXT, _text(page, component, now).encode())
    obj: Object = {
        "kind": _KINDS[page],
        "apiVersion": f"{_GROUP}/{version}",
        "metadata": {"name": component.name},
        **(
            _status(component, now) if page == "statusz" else {"flags": dict(sorted(component.flags.items()))}
        ),
    }
    return Answer(
        f"{content_type};g={_GROUP};v={version};as={_KINDS[page]}",
        to_yaml(obj) if content_type == _YAML else go_json.encode(obj, is_line=True),
        (f"This version of the {page} endpoint is deprecated. Please use a newer version.",)
        if version == _OLD
        else (),
    )


def _offer(page: ZPage, media: MediaType) -> tuple[str, str] | None:
    """The type of the answer and the version of its object, "" for text; None where `media` is neither."""
    asked = {key: media.parameters.get(key, "") for key in ("g", "v", "as")}
    if not any(asked.values()):
        return ("text/plain", "") if media.type in ("text/plain", "text/*", "*/*") else None
    if (asked["g"], asked["as"]) != (_GROUP, _KINDS[page]) or asked["v"] not in (_OLD, _NEW):
        return None
    if media.type in (_JSON, "application/*", "*/*"):
        return _JSON, asked["v"]
    return (_YAML, asked["v"]) if media.type == _YAML else None


def _text(page: ZPage, component: Component, now: dt.datetime) -> str:
    head = f"\n{component.name} {page}\n{_FOR_PEOPLE}\n"
    if page == "flagz":
        return head + "".join(f"{name}:{value}\n" for name, value in sorted(component.flags.items()))
    status = _status(component, now)
    minutes, seconds = divmod(status["uptimeSeconds"], 60)
    lines = {
        "Started": f"{component.started.astimezone(dt.UTC):%a %b %e %H:%M:%S UTC %Y}",
        "Up": f"{minutes // 60} hr {minutes % 60:02} min {seconds:02} sec",
        "Go version": status["goVersion"],
        "Binary version": status["binaryVersion"],
        "Emulation version": status["emulationVersion"],
        "Paths": " ".join(status["paths"]),
    }
    return head + "\n" + "".join(f"{name}: {value}\n" for name, value in lines.items())


def _status(component: Component, now: dt.datetime) -> Object:
    return {
        "startTime": format_time(component.started),
        "uptimeSeconds": int((now - component.started).total_seconds()),
        "goVersion": "",  # there is none
        "binaryVersion": git_version(component.release).removeprefix("v"),
        "emulationVersion": component.release,
        "paths": list(component.paths),
    }
