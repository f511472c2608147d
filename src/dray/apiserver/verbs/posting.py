"""What the subresources that are only posted to (binding, eviction, token) have in common."""

from dray.api import errors
from dray.api.meta import Object
from dray.apiserver.core import Call
from dray.apiserver.verbs.metadata import match_namespace


def created() -> Object:
    """A Status that says it was done."""
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def check_name(call: Call, posted: Object, kind: str) -> None:
    """Raises BadRequest when the posted object is not about the one of the URL."""
    match_namespace(call, posted["metadata"])
    if posted["metadata"].get("name") != call.name:
        raise errors.BadRequest(f"name in URL does not match name in {kind} object")
