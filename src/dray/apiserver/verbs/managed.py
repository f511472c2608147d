"""When field ownership is recorded (metadata.managedFields); how is `dray.apiserver.ownership`'s business."""

from dray.api.meta import Object
from dray.apiserver.call import Call


def record(call: Call, new: Object, old: Object | None) -> None:
    """Bring `new` the managers of `old`; both in stored form, `new` the caller's own."""
    meta = new["metadata"]
    meta.pop("managedFields", None)
    if old is not None and "managedFields" in old["metadata"]:
        meta["managedFields"] = old["metadata"]["managedFields"]
