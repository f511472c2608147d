"""The disk of a node on which processes of a driver prepare claims, die and come back."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

from dray.sdk.checkpoint import Checkpoint
from dray.sdk.claimcdi import ClaimCdi
from dray.sdk.claims import AllocatedDevice, Claim, ClaimRef, claim_for_driver
from dray.sdk.driver import Driver, PreparedDevice, env
from dray.sdk.errors import CheckpointError, ClaimError
from dray.sdk.overlap import OverlapGuard
from dray.sdk.preparation import Preparations
from dray.testing.fake_kubelet import allocated_claim

NAME = "gpu.example.com"


class Lamps(Driver):
    """Records what it is asked; `on_prepare` may fail or wait."""

    name = NAME
    cdi_class = "gpu"

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.began = asyncio.Event()
        self.on_prepare: Callable[[Claim], Awaitable[None]] | None = None
        self.unprepare_error: Exception | None = None

    async def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:
        self.asked.append(("prepare", claim.ref.name))
        self.began.set()
        if self.on_prepare is not None:
            await self.on_prepare(claim)
        return [PreparedDevice(device, env(DEVICE=device.device)) for device in claim.devices]

    async def unprepare(self, claim: ClaimRef, devices: Sequence[AllocatedDevice]) -> None:
        self.asked.append(("unprepare", claim.name))
        if self.unprepare_error is not None:
            raise self.unprepare_error


class Node:
    """The disk of a node, on which processes of the driver come and go."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.cdi = root / "cdi"
        self.cdi.mkdir()
        self.damage: list[CheckpointError] = []
        self.driver = Lamps()

    def start(
        self, *, boot: str = "boot-1", serialize: bool = True, guard: OverlapGuard | None = None
    ) -> Preparations:
        """A new process of the driver."""
        return Preparations(
            self.driver,
            Checkpoint(self.root / "checkpoint.jsonl", self.damage.append),
            ClaimCdi(self.cdi, self.driver.cdi_kind),
            guard or OverlapGuard(),
            boot_id=boot,
            serialize=serialize,
        )

    def files(self) -> list[str]:
        return sorted(path.name for path in self.cdi.iterdir())


def claim(name: str, *devices: str | dict[str, Any]) -> Claim:
    results = [{"device": device} if isinstance(device, str) else device for device in devices]
    obj = allocated_claim(name, *results)
    return claim_for_driver(obj, NAME, ClaimRef(f"uid-{name}", "default", name))


def file_of(name: str) -> str:
    return f"k8s.gpu.example.com-gpu_uid-{name}.yaml"


async def states(node: Node) -> dict[str, str]:
    entries = await Checkpoint(node.root / "checkpoint.jsonl", node.damage.append).read()
    return {entry.ref.name: entry.state for entry in entries.values()}


def error_of(outcome: Any) -> str:
    assert isinstance(outcome, ClaimError)
    return str(outcome)


class Crash(BaseException):
    """The process dies here: no handler of the SDK runs."""
