"""What a pod that was resized on its node means for the pods that wait for room."""

from scheduler_story import Story, node, pod, tell


def test_waiting_pod_takes_the_room_that_a_resized_one_gave_back() -> None:
    async def story(cluster: Story) -> None:
        assert cluster.node_of("waits") is None
        cluster.client.put(pod("placed", requests={"cpu": "1"}, nodeName="n1"))
        await cluster.passes(15)
        assert cluster.node_of("waits") == "n1"

    placed = pod("placed", requests={"cpu": "2"}, nodeName="n1")
    tell(story, node("n1", cpu="2"), placed, pod("waits", requests={"cpu": "1"}))


def test_room_is_free_only_when_the_node_has_taken_it_back() -> None:
    async def story(cluster: Story) -> None:
        asked = pod("placed", requests={"cpu": "1"}, nodeName="n1")
        held = {"name": "main", "allocatedResources": {"cpu": "2"}, "resources": {"requests": {"cpu": "2"}}}
        cluster.client.put({**asked, "status": {"phase": "Running", "containerStatuses": [held]}})
        await cluster.passes(15)
        assert cluster.node_of("waits") is None
        given = {"name": "main", "allocatedResources": {"cpu": "1"}, "resources": {"requests": {"cpu": "1"}}}
        cluster.client.put({**asked, "status": {"phase": "Running", "containerStatuses": [given]}})
        await cluster.passes(15)
        assert cluster.node_of("waits") == "n1"

    placed = pod("placed", requests={"cpu": "2"}, nodeName="n1")
    tell(story, node("n1", cpu="2"), placed, pod("waits", requests={"cpu": "1"}))
