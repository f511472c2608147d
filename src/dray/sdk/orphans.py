"""Claims that are prepared and exist no more: released when nobody else will.

A kubelet that lost its own memory, or a pod forced out of the API, can leave a claim prepared for ever. It is released
when the API says twice, ten minutes apart, that it is gone: by then every kubelet that knew of it has asked itself.
"""

import asyncio
import logging
from typing import Any, Final

from dray.api import resources
from dray.api.errors import NotFound, StatusError
from dray.api.meta import uid_of
from dray.client.protocol import Client, Unreachable
from dray.kits.klog import kv
from dray.sdk.claims import ClaimRef
from dray.sdk.preparation import Preparations

log = logging.getLogger("dray.sdk.orphans")

CHECK_SECONDS: Final = 600.0


async def collect_orphans(client: Client, preparations: Preparations) -> None:
    """Look every ten minutes, until cancelled."""
    suspects: set[str] = set()
    while True:
        await asyncio.sleep(CHECK_SECONDS)
        gone = {
            uid: entry.ref
            for uid, entry in (await preparations.known()).items()
            if await _is_gone(client, entry.ref)
        }
        orphans = [ref for uid, ref in gone.items() if uid in suspects]
        suspects = set(gone)
        for uid, error in (await preparations.unprepare(orphans)).items():
            extra: dict[str, Any] = {"uid": uid} if error is None else {"uid": uid, "err": error}
            log.warning("Released a claim that no longer exists", extra=kv(**extra))


async def _is_gone(client: Client, ref: ClaimRef) -> bool:
    try:
        found = await client.get(resources.RESOURCE_CLAIMS, ref.name, ref.namespace)
    except NotFound as error:
        # Not when the server does not know claims at all, as while DRA is switched off.
        return (error.details or {}).get("name") == ref.name
    except (StatusError, Unreachable):
        return False
    return uid_of(found) != ref.uid
