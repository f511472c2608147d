"""What a pod with claims goes through, as recorded from Kubernetes 1.36."""

from scheduler_story import Story, claim, device_class, gpus, node, pod, tell

UNHELPFUL = "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
CANNOT = f"0/2 nodes are available: 2 cannot allocate all claims. still not schedulable, {UNHELPFUL}"


def test_claim_is_protected_then_allocated_then_the_pod_is_bound() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.writes() == [
            "patch pods/status p",
            "update resourceclaims c",
            "update resourceclaims/status c",
            "create pods/binding p",
        ]
        assert cluster.node_of("p") == "n1"
        assert cluster.devices_of("c") == ["n1/gpu-0"]
        assert cluster.claim("c")["metadata"]["finalizers"] == ["resource.kubernetes.io/delete-protection"]
        status = cluster.claim("c")["status"]
        assert status["reservedFor"] == [{"resource": "pods", "name": "p", "uid": "p-uid"}]
        assert status["allocation"]["allocationTimestamp"] == "2026-01-01T00:00:00Z"
        assert cluster.events("p") == [("Normal", "Scheduled", "Successfully assigned default/p to n1")]

    tell(story, node("n1"), gpus("n1"), device_class(), claim("c"), pod("p", "c"))


def test_unsatisfiable_claim_is_reported_in_upstreams_words() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.condition("p") == ("False", "Unschedulable", CANNOT)
        kind, reason, note = cluster.events("p")[0]
        assert (kind, reason) == ("Warning", "FailedScheduling")
        assert note.startswith(CANNOT)
        assert cluster.devices_of("c") == []

    objects = [node("n1"), node("n2"), gpus("n1"), gpus("n2"), device_class()]
    tell(story, *objects, claim("c", count=3), pod("p", "c"))
