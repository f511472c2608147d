"""What an Accept header asks for."""

import dataclasses
import functools


@dataclasses.dataclass(frozen=True, slots=True)
class MediaType:
    type: str
    parameters: dict[str, str] = dataclasses.field(hash=False)
    quality: float = 1.0


@functools.lru_cache(maxsize=512)
def parse_accept(accept: str) -> tuple[MediaType, ...]:
    """The media types of an Accept header, the most wanted first."""
    found = []
    for part in accept.split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if not name:
            continue
        pairs = dict(parameter.partition("=")[::2] for parameter in parameters)
        quality = pairs.pop("q", "1")
        found.append(MediaType(name, pairs, _quality(quality)))
    return tuple(sorted(found, key=lambda media: -media.quality))


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 1.0
