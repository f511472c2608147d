"""Claims on the node with a real driver over real sockets: prepared before the pod starts, given back after it ended."""

from collections.abc import Sequence

from node_story import NODE, NodeStory, eventually, shell, state_of, with_claim

from dray.api.meta import Object
from dray.api.resources import RESOURCE_CLAIMS, RESOURCE_SLICES
from dray.sdk import (
    AllocatedDevice,
    Claim,
    ClaimError,
    ClaimRef,
    Device,
    DeviceHealth,
    Driver,
    Health,
    PreparedDevice,
    env,
)

FOREVER = "env | grep LAMP; trap 'exit 0' TERM; sleep 600 & wait"
LAMPS = "lamps.example.com"
BELLS = "bells.example.com"


class Lamps(Driver):
    """Sets LAMP to the name of the device; remembers what it was asked."""

    def __init__(self, name: str = LAMPS, variable: str = "LAMP") -> None:
        self.name = name
        self.variable = variable
        self.calls: list[tuple[str, str]] = []
        self.failures: list[str] = []
        self.state = Health.HEALTHY

    async def discover(self) -> Sequence[Device]:
        return [Device(f"lamp-{number}", {"watts": 5}) for number in range(3)]

    async def prepare(self, claim: Claim) -> Sequence[PreparedDevice]:
        self.calls.append(("prepare", claim.ref.name))
        if self.failures:
            raise ClaimError(self.failures.pop())
        return [PreparedDevice(device, env(**{self.variable: device.device})) for device in claim.devices]

    async def unprepare(self, claim: ClaimRef, devices: Sequence[AllocatedDevice]) -> None:
        self.calls.append(("unprepare", claim.name))
        if self.failures:
            raise ClaimError(self.failures.pop())


class WatchedLamps(Lamps):
    health_interval_seconds = 0.05

    async def health(self) -> Sequence[DeviceHealth]:
        return [DeviceHealth("lamp-0", self.state, "as the test says")]


async def pod_with_claim(story: NodeStory, name: str, claim: str, **spec: object) -> Object:
    return await story.create_pod(
        name,
        with_claim(shell(FOREVER)),
        resourceClaims=[{"name": "gpu", "resourceClaimName": claim}],
        **spec,
    )


async def lamp_pod(story: NodeStory, name: str = "app", device: str = "lamp-1") -> Object:
    pod = await pod_with_claim(story, name, f"{name}-claim")
    await story.create_claim(f"{name}-claim", pod, LAMPS, device)
    return pod


async def test_a_pod_gets_its_device_and_gives_it_back(story: NodeStory) -> None:
    driver = Lamps()
    async with story.plugin(driver):
        pod = await lamp_pod(story)
        running = await story.until_ready("app")
        await story.until_logged("app", "LAMP=lamp-1")
        assert driver.calls == [("prepare", "app-claim")]
        (row,) = state_of(running)["allocatedResourcesStatus"]
        assert row["name"] == "claim:gpu"
        assert [entry["health"] for entry in row["resources"]] == ["Unknown"]
        await story.delete_pod("app")
        await story.until_gone("app")
        assert driver.calls == [("prepare", "app-claim"), ("unprepare", "app-claim")]
    assert pod["metadata"]["uid"] not in (story.root / "dra_manager_state").read_text()


async def test_a_pod_waits_for_its_driver_and_starts_as_soon_as_it_registers(story: NodeStory) -> None:
    await lamp_pod(story)

    async def is_told() -> bool:
        return (
            "FailedPrepareDynamicResources",
            "Failed to prepare dynamic resources: prepare dynamic resources: DRA driver lamps.example.com is not registered",
        ) in await story.events("app")

    await eventually(is_told, "the missing driver is told")
    pod = await story.pod("app")
    assert pod is not None
    assert state_of(pod)["state"] == {"waiting": {"reason": "ContainerCreating"}}
    async with story.plugin(Lamps()):
        await story.until_ready("app")


async def test_a_driver_that_fails_is_asked_again(story: NodeStory) -> None:
    driver = Lamps()
    driver.failures = ["the lamp is hot"]
    async with story.plugin(driver):
        await story.until_registered(LAMPS)
        await lamp_pod(story)
        text = await story.until_told("app", "FailedPrepareDynamicResources")
        assert text == (
            "Failed to prepare dynamic resources: prepare dynamic resources: "
            "NodePrepareResources failed for ResourceClaim app-claim: the lamp is hot"
        )
        await story.until_ready("app")


async def test_a_driver_that_does_not_take_back_keeps_the_pod_until_it_does(story: NodeStory) -> None:
    driver = Lamps()
    async with story.plugin(driver):
        await lamp_pod(story)
        await story.until_ready("app")
        driver.failures = ["the lamp is still on"]
        await story.delete_pod("app")
        text = await story.until_told("app", "FailedUnprepareDynamicResources")
        assert text == (
            "Failed to unprepare dynamic resources: unprepare dynamic resources: "
            "NodeUnprepareResources failed for ResourceClaim app-claim: the lamp is still on"
        )
        await story.until_gone("app")
        assert driver.calls.count(("unprepare", "app-claim")) == 2


async def test_a_finished_pod_has_given_its_devices_back_before_it_says_so(story: NodeStory) -> None:
    driver = Lamps()
    async with story.plugin(driver):
        pod = await story.create_pod(
            "job",
            with_claim(shell("true")),
            restartPolicy="Never",
            resourceClaims=[{"name": "gpu", "resourceClaimName": "job-claim"}],
        )
        await story.create_claim("job-claim", pod, LAMPS, "lamp-0")
        await story.until_phase("job", "Succeeded")
        assert driver.calls == [("prepare", "job-claim"), ("unprepare", "job-claim")]


async def test_a_claim_of_two_pods_is_prepared_once_and_given_back_with_the_last(story: NodeStory) -> None:
    driver = Lamps()
    async with story.plugin(driver):
        pods = [await pod_with_claim(story, name, "shared") for name in ("one", "two")]
        claim = await story.create_claim("shared", None, LAMPS, "lamp-2")
        users = [
            {"resource": "pods", "name": pod["metadata"]["name"], "uid": pod["metadata"]["uid"]}
            for pod in pods
        ]
        claim["status"]["reservedFor"] = users
        await story.client.update(RESOURCE_CLAIMS, claim, subresource="status")
        for name in ("one", "two"):
            await story.until_ready(name)
        await story.delete_pod("one")
        await story.until_gone("one")
        assert driver.calls == [("prepare", "shared")]
        await story.delete_pod("two")
        await story.until_gone("two")
        assert driver.calls == [("prepare", "shared"), ("unprepare", "shared")]


async def test_two_drivers_serve_one_pod(story: NodeStory) -> None:
    lamps, bells = Lamps(), Lamps(BELLS, "BELL")
    async with story.plugin(lamps), story.plugin(bells):
        containers = [with_claim(with_claim(shell("env | grep -E 'LAMP|BELL'; " + FOREVER)))]
        containers[0]["resources"] = {"claims": [{"name": "lamp"}, {"name": "bell"}]}
        pod = await story.create_pod(
            "app",
            *containers,
            resourceClaims=[
                {"name": "lamp", "resourceClaimName": "lamp"},
                {"name": "bell", "resourceClaimName": "bell"},
            ],
        )
        await story.create_claim("lamp", pod, LAMPS, "lamp-0")
        await story.create_claim("bell", pod, BELLS, "lamp-1")
        await story.until_ready("app")
        await story.until_logged("app", "LAMP=lamp-0")
        await story.until_logged("app", "BELL=lamp-1")
        await story.delete_pod("app")
        await story.until_gone("app")
        assert lamps.calls[-1] == ("unprepare", "lamp")
        assert bells.calls[-1] == ("unprepare", "bell")


async def test_a_pod_deleted_by_force_gives_its_device_back(story: NodeStory) -> None:
    driver = Lamps()
    async with story.plugin(driver):
        await lamp_pod(story)
        await story.until_ready("app")
        await story.delete_pod("app", grace_seconds=0)

        async def is_given_back() -> bool:
            return ("unprepare", "app-claim") in driver.calls

        await eventually(is_given_back, "the device is given back")


async def test_a_pod_that_may_not_use_the_claim_never_reaches_the_driver(story: NodeStory) -> None:
    driver = Lamps()
    async with story.plugin(driver):
        pod = await pod_with_claim(story, "thief", "other")
        claim = await story.create_claim("other", None, LAMPS, "lamp-0")
        text = await story.until_told("thief", "FailedPrepareDynamicResources")
        assert f"pod thief ({pod['metadata']['uid']}) is not allowed to use ResourceClaim other" in text
        assert claim["metadata"]["uid"] in text
        assert driver.calls == []


async def test_health_reaches_the_pod_and_becomes_unknown_with_the_driver(story: NodeStory) -> None:
    def health(pod: Object) -> str:
        rows = state_of(pod).get("allocatedResourcesStatus") or [{"resources": [{"health": ""}]}]
        return str(rows[0]["resources"][0]["health"])

    driver = WatchedLamps()
    async with story.plugin(driver):
        await lamp_pod(story, device="lamp-0")
        await story.until("app", lambda pod: health(pod) == "Healthy")
        driver.state = Health.UNHEALTHY
        pod = await story.until("app", lambda pod: health(pod) == "Unhealthy")
        entry = state_of(pod)["allocatedResourcesStatus"][0]["resources"][0]
        assert entry["message"] == "as the test says"
    await story.until("app", lambda pod: health(pod) == "Unknown")


async def test_a_restarted_driver_is_called_again_for_the_pods_end(story: NodeStory) -> None:
    async with story.plugin(Lamps()):
        await lamp_pod(story)
        await story.until_ready("app")
    again = Lamps()
    async with story.plugin(again):
        await story.delete_pod("app")
        await story.until_gone("app")
        assert again.calls == [("unprepare", "app-claim")]


async def test_slices_of_drivers_that_are_not_there_go_when_the_agent_starts(story: NodeStory) -> None:
    def slice_of(driver: str) -> Object:
        pool = {"name": NODE, "generation": 1, "resourceSliceCount": 1}
        spec = {"driver": driver, "nodeName": NODE, "pool": pool, "devices": []}
        return {"metadata": {"name": f"slice-{driver}"}, "spec": spec}

    async with story.plugin(Lamps()):
        await story.client.create(RESOURCE_SLICES, slice_of("ghosts.example.com"))

        async def drivers() -> list[str]:
            found = await story.client.list(RESOURCE_SLICES)
            return sorted(entry["spec"]["driver"] for entry in found.items)

        async def both_are_there() -> bool:
            return await drivers() == ["ghosts.example.com", LAMPS]

        await eventually(both_are_there, "the driver publishes")
        await story.stop()
        await story.start()

        async def only_the_living() -> bool:
            return await drivers() == [LAMPS]

        await eventually(only_the_living, "slices of the missing driver are wiped, and no others")
