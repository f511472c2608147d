"""What `kubectl wait` can wait for: that an object is there or gone, has a condition, has a value."""

from collections.abc import Callable, Sequence

from dray.api.fields import quote
from dray.api.meta import Object
from dray.api.schema.go_text import show
from dray.cli.kubectl.jsonpath import NotApplicable, Template, relaxed
from dray.cli.kubectl.jsonpath_text import JsonPathError
from dray.cli.kubectl.session import Failure

Holds = Callable[[Object | None], bool]
"""Of an object, None where there is none. Raises Failure for one that it cannot be asked of."""
_FORMAT = "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or --for=jsonpath='{.status.readyReplicas}'"


def conditions(texts: Sequence[str]) -> list[Holds]:
    """Of each `--for`. Raises Failure."""
    if not texts:
        raise Failure("error: unrecognized condition: []")
    return [_condition(text) for text in texts]


def is_among(texts: Sequence[str], wanted: str) -> bool:
    return any(text.lower() == wanted for text in texts)


def _condition(text: str) -> Holds:
    kind, equals, rest = text.partition("=")
    if text.lower() == "delete":
        return lambda obj: obj is None
    if text.lower() == "create":
        return lambda obj: obj is not None
    if kind == "condition" and equals:
        name, given, value = rest.partition("=")
        return lambda obj: obj is not None and _has_condition(obj, name, value if given else "true")
    if kind == "jsonpath" and equals:
        return _value(rest)
    raise Failure(f"error: unrecognized condition: {quote(text)}")


def _has_condition(obj: Object, name: str, value: str) -> bool:
    """A condition that tells of an older generation of the object does not count."""
    status = obj.get("status") or {}
    for condition in status.get("conditions") or ():
        if str(condition.get("type")).casefold() == name.casefold() and "status" in condition:
            seen = condition.get("observedGeneration", status.get("observedGeneration"))
            generation = obj["metadata"].get("generation")
            if generation is not None and seen is not None and seen < generation:
                return False
            return str(condition["status"]).casefold() == value.casefold()
    return False


def _value(text: str) -> Holds:
    parts = _parts(text)
    if len(parts) > 2:
        raise Failure(f"error: {_FORMAT}")
    wanted = parts[1].strip("'\"") if len(parts) == 2 else None
    try:
        path = relaxed(parts[0])
        if wanted == "":
            raise Failure(
                "error: jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3"
            )
        if not path:
            raise Failure("error: jsonpath expression cannot be empty")
        template = Template(path)
    except JsonPathError as error:
        raise Failure(f"error: {error}") from error
    return lambda obj: obj is not None and _has_value(obj, template, wanted)


def _parts(text: str) -> list[str]:
    """Split where an equals sign stands alone, or is left over of an odd row of them."""
    return [part.replace("\0", "==") for part in text.replace("==", "\0").split("=")]


def _has_value(obj: Object, template: Template, wanted: str | None) -> bool:
    try:
        results = template.results(obj)
    except NotApplicable as error:
        raise Failure(f"error: {error}") from error
    if not results or not results[0]:
        return False
    for several, what in ((results, "list"), (results[0], "value")):
        if len(several) > 1:
            raise Failure(f"error: given jsonpath expression matches more than one {what}")
    [[found]] = results
    if wanted is None:
        return True
    if isinstance(found, dict | list):
        raise Failure("error: jsonpath leads to a nested object or list which is not supported")
    return show(found).strip() == wanted.strip()
