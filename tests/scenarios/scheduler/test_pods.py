"""What scheduling looks like around devices: gates, priorities, conditions before binding, extended resources."""

from scheduler_story import DRIVER, Story, claim, device_class, gpus, node, pod, tell

from dray.api.meta import Object
from dray.api.resources import NODES, PODS, RESOURCE_CLAIMS


def conditional(node_name: str) -> Object:
    return gpus(
        node_name, bindsToNode=True, bindingConditions=["Attached"], bindingFailureConditions=["Broken"]
    )


def reported(obj: Object, condition: str) -> Object:
    """The claim with a condition that its driver reports for its one device."""
    result = obj["status"]["allocation"]["devices"]["results"][0]
    identity = {key: result[key] for key in ("driver", "pool", "device")}
    shown = {"type": condition, "status": "True", "reason": "Cable", "message": "no light"}
    return {**obj, "status": {**obj["status"], "devices": [{**identity, "conditions": [shown]}]}}


def test_gated_pod_waits_without_devices_until_its_gate_is_lifted() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") is None
        assert cluster.devices_of("c") == []
        cluster.client.put(pod("p", "c"))
        await cluster.passes()
        assert cluster.node_of("p") == "n1"

    gated = pod("p", "c", schedulingGates=[{"name": "example.com/later"}])
    tell(story, node("n1"), gpus("n1"), device_class(), claim("c"), gated)


def test_pod_waits_for_room_and_goes_where_a_new_node_has_it() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.condition("p") == (
            "False",
            "Unschedulable",
            "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, "
            "preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
        )
        cluster.client.put(node("n2"))
        await cluster.passes(15)
        assert cluster.node_of("p") == "n2"

    tell(story, node("n1", cpu="1"), pod("p", requests={"cpu": "2"}))


def test_pod_of_higher_priority_takes_the_place_of_a_lower_one() -> None:
    async def story(cluster: Story) -> None:
        low = cluster.pod("low")
        assert low["metadata"]["deletionTimestamp"]
        [condition] = low["status"]["conditions"]
        assert (condition["type"], condition["reason"]) == ("DisruptionTarget", "PreemptionByScheduler")
        assert condition["observedGeneration"] == 3
        assert cluster.pod("high")["status"]["nominatedNodeName"] == "n1"
        assert cluster.node_of("high") is None
        # Its node lets the pod end.
        await cluster.client.delete(PODS, "low", "default", grace_period_seconds=0)
        await cluster.passes(15)
        assert cluster.node_of("high") == "n1"

    low = pod("low", requests={"cpu": "6"}, nodeName="n1")
    low["metadata"]["generation"] = 3
    high = pod("high", requests={"cpu": "6"}, priority=100)
    tell(story, node("n1"), low, high)


def test_pod_that_seeks_company_is_woken_when_the_scheduler_places_its_companion() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") is None
        cluster.client.put(
            {**pod("friend"), "metadata": {**pod("friend")["metadata"], "labels": {"app": "a"}}}
        )
        await cluster.passes(15)
        assert cluster.node_of("friend") == "n1"
        assert cluster.node_of("p") == "n1"

    term = {"labelSelector": {"matchLabels": {"app": "a"}}, "topologyKey": "kubernetes.io/hostname"}
    affinity = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    tell(story, node("n1"), pod("p", affinity=affinity))


def test_what_a_pod_seeks_is_what_its_selector_says_whatever_labels_it_has_by_now() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n1"

    # The API server wrote `version in (one)` when the pod was new; the label was changed while it waited.
    selector = {"matchExpressions": [{"key": "version", "operator": "In", "values": ["one"]}]}
    term = {"topologyKey": "zone", "labelSelector": selector, "matchLabelKeys": ["version"]}
    affinity = {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    companion = {
        **pod("a", nodeName="n1"),
        "metadata": {"name": "a", "namespace": "default", "labels": {"version": "one"}},
    }
    seeking = pod("p", affinity=affinity)
    seeking["metadata"]["labels"] = {"version": "two"}
    n1 = node("n1")
    n1["metadata"]["labels"] = {**n1["metadata"].get("labels", {}), "zone": "z"}
    tell(story, n1, node("n2"), companion, seeking)


def test_pod_is_bound_only_when_its_device_is_attached() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.devices_of("c") == ["n1/gpu-0"]
        assert cluster.node_of("p") is None
        cluster.client.put(reported(cluster.claim("c"), "Attached"))
        await cluster.passes(10)
        assert cluster.node_of("p") == "n1"

    tell(story, node("n1"), conditional("n1"), device_class(), claim("c"), pod("p", "c"))


def test_device_that_fails_to_be_attached_is_given_back() -> None:
    async def story(cluster: Story) -> None:
        cluster.client.put(reported(cluster.claim("c"), "Broken"))
        await cluster.passes()
        assert "nominatedNodeName" not in cluster.pod("p")["status"]
        await cluster.passes(10)
        assert cluster.pod("p")["status"]["nominatedNodeName"] == "n1"
        notes = " ".join(message for _, _, message in cluster.events("p"))
        assert 'device binding failed: claim=c, reason=Cable, message="no light"' in notes
        assert cluster.node_of("p") is None

    tell(story, node("n1"), conditional("n1"), device_class(), claim("c"), pod("p", "c"))


def test_extended_resource_is_served_with_devices() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("p") == "n1"
        [made] = cluster.client.all(RESOURCE_CLAIMS)
        assert made["metadata"]["annotations"] == {"resource.kubernetes.io/extended-resource-claim": "true"}
        assert made["metadata"]["name"].startswith("p-extended-resources-")
        status = cluster.pod("p")["status"]["extendedResourceClaimStatus"]
        assert status["resourceClaimName"] == made["metadata"]["name"]
        assert status["requestMappings"] == [
            {
                "containerName": "main",
                "resourceName": "example.com/gpu",
                "requestName": "container-0-request-0",
            }
        ]

    tell(
        story,
        node("n1"),
        gpus("n1"),
        device_class(DRIVER, extendedResourceName="example.com/gpu"),
        pod("p", requests={"example.com/gpu": "2"}),
    )


def test_change_that_cannot_help_wakes_nobody() -> None:
    async def story(cluster: Story) -> None:
        before = len(cluster.client.writes)
        current = cluster.client.find(NODES, "n1")
        assert current is not None
        cluster.client.put({**current, "status": {**current["status"], "nodeInfo": {"kubeletVersion": "v1"}}})
        await cluster.passes(20)
        assert len(cluster.client.writes) == before

    tell(story, node("n1"), gpus("n1"), device_class(), claim("c", count=3), pod("p", "c"))
