"""The mark that a controller leaves on a pod before it deletes it: condition DisruptionTarget, with the reason."""

import datetime as dt

from dray.api.meta import Object, format_time, name_of, namespace_of, uid_of
from dray.api.resources import PODS
from dray.client.protocol import Client, PatchType


async def mark_disrupted(
    client: Client,
    pod: Object,
    reason: str,
    message: str,
    now: dt.datetime,
    *,
    phase: str = "",
    observed: bool = True,
) -> None:
    """Write the condition to this very pod, and `phase` where one is given. Raises what the client does.

    `observed`: the condition tells the generation of the pod, as most of Kubernetes' controllers do.
    """
    condition = {
        "type": "DisruptionTarget",
        "status": "True",
        "reason": reason,
        "message": message,
        "lastTransitionTime": format_time(now),
    }
    generation = pod["metadata"].get("generation")
    if observed and generation:
        condition["observedGeneration"] = generation
    status: Object = {"conditions": [condition]} | ({"phase": phase} if phase else {})
    patch = {"metadata": {"uid": uid_of(pod)}, "status": status}
    await client.patch(
        PODS, name_of(pod), patch, namespace_of(pod), patch_type=PatchType.STRATEGIC, subresource="status"
    )
