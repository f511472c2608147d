"""Is the answer to a prepare call what a kubelet and a container runtime can work with? Pure but for reading specs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dray.api.meta import Object
from dray.cdi.cache import CdiCache
from dray.testing.conformance.verdicts import Violation


def check_reply(claim: Object, devices: Sequence[Any], driver: str, version: str, cdi: Path) -> None:
    """Raises Violation unless `devices` are the claim's devices of `driver`, injectable from the directory `cdi`."""
    results = claim["status"]["allocation"]["devices"]["results"]
    mine = [result for result in results if result["driver"] == driver]
    expected = sorted(_wanted(result, version) for result in mine)
    answered = sorted(_given(device, version) for device in devices)
    if answered != expected:
        raise Violation(
            "the answer must name the allocated devices as (request, pool, device, share): "
            f"expected {expected}, got {answered}"
        )
    missing = unresolvable([name for device in devices for name in device.cdi_device_ids], cdi)
    if missing:
        raise Violation(f"no CDI spec in {cdi} defines {', '.join(missing)}")


def _wanted(result: Object, version: str) -> tuple[str, ...]:
    share = result.get("shareID", "") if version == "v1" else ""
    return result["request"].partition("/")[0], result["pool"], result["device"], share


def _given(device: Any, version: str) -> tuple[str, ...]:
    if len(device.request_names) > 1:
        raise Violation(f"a device must name one request, or none for all: {list(device.request_names)}")
    request = device.request_names[0] if device.request_names else ""
    return request, device.pool_name, device.device_name, device.share_id if version == "v1" else ""


def unresolvable(names: Sequence[str], cdi: Path) -> list[str]:
    """Those of `names` that a container runtime does not find; Violation for specs it cannot read."""
    cache = CdiCache([cdi])
    cache.refresh()
    if problems := [problem for problems in cache.errors().values() for problem in problems]:
        raise Violation(f"container runtimes cannot read the CDI specs: {'; '.join(problems)}")
    return [name for name in names if cache.find(name) is None]
