"""ReplicaSets keep their number, Deployments roll, Jobs finish."""

from collections.abc import Awaitable, Callable

import pytest

from dray.api import errors
from dray.api.meta import Object, replace_at
from dray.api.resources import DEPLOYMENTS, JOBS, PODS, REPLICA_SETS
from dray.controllers.deployment_sets import HISTORY, REVISION
from dray.controllers.deployments import Deployments
from dray.controllers.finished_jobs import FinishedJobs
from dray.controllers.job_pods import TRACKING_FINALIZER, indexes_text
from dray.controllers.jobs import Jobs
from dray.controllers.replica_sets import ReplicaSets
from dray.kits.clock import LoopClock
from dray.testing.memory_client import MemoryClient
from dray.testing.virtual import run
from tests.unit.controllers.harness import controllers, obj, settle

Step = Callable[[], Awaitable[object]]


def play(client: MemoryClient, kinds: list[type], *steps: Step, seconds: float = 2.0) -> None:
    async def scenario() -> None:
        async with controllers(client, *kinds):
            await settle(seconds)
            for step in steps:
                await step()
                await settle(seconds)

    run(scenario())


def template(image: str = "v1") -> Object:
    return {"metadata": {"labels": {"app": "w"}}, "spec": {"containers": [{"name": "c", "image": image}]}}


def replica_set(replicas: int) -> Object:
    spec = {"replicas": replicas, "selector": {"matchLabels": {"app": "w"}}, "template": template()}
    return obj("ReplicaSet", "w", "ns", api_version="apps/v1", metadata={"uid": "rs"}, spec=spec)


def deployment(replicas: int, image: str = "v1", **strategy: object) -> Object:
    spec: Object = {
        "replicas": replicas,
        "selector": {"matchLabels": {"app": "w"}},
        "template": template(image),
        "progressDeadlineSeconds": 600,
    }
    if strategy:
        spec["strategy"] = strategy
    return obj(
        "Deployment", "w", "ns", api_version="apps/v1", metadata={"uid": "d", "generation": 1}, spec=spec
    )


def job(**spec: object) -> Object:
    content = {"template": template(), "backoffLimit": 2, "parallelism": 1, "completions": 1, **spec}
    return obj("Job", "w", "ns", api_version="batch/v1", metadata={"uid": "j"}, spec=content)


def set_phase(client: MemoryClient, phase: str, count: int = 100) -> Step:
    async def step() -> None:
        ready = [
            {"type": "Ready", "status": str(phase == "Running"), "lastTransitionTime": "2026-01-01T00:00:00Z"}
        ]
        pods = [
            pod
            for pod in client.all(PODS)
            if (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        ]
        for pod in pods[:count]:
            patch = {"status": {"phase": phase, "conditions": ready}}
            await client.patch(PODS, pod["metadata"]["name"], patch, "ns", subresource="status")

    return step


def images(client: MemoryClient) -> list[str]:
    return sorted(pod["spec"]["containers"][0]["image"] for pod in client.all(PODS))


def test_a_replica_set_makes_up_for_lost_pods_and_sheds_surplus() -> None:
    client = MemoryClient(replica_set(3))

    async def lose_one() -> None:
        await client.delete(PODS, client.all(PODS)[0]["metadata"]["name"], "ns", grace_period_seconds=0)

    async def shrink() -> None:
        stored = client.find(REPLICA_SETS, "w", "ns")
        assert stored is not None
        assert len(client.all(PODS)) == 3
        await client.update(REPLICA_SETS, replace_at(stored, ("spec", "replicas"), 1))

    play(client, [ReplicaSets], lose_one, shrink)
    assert len(client.all(PODS)) == 1


def test_a_replica_set_adopts_an_orphan_that_matches() -> None:
    orphan = obj("Pod", "orphan", "ns", metadata={"labels": {"app": "w"}}, spec={"containers": []})
    client = MemoryClient(orphan, replica_set(2))
    play(client, [ReplicaSets])
    adopted = client.find(PODS, "orphan", "ns")
    assert adopted is not None
    assert adopted["metadata"]["ownerReferences"][0]["uid"] == "rs"
    assert len(client.all(PODS)) == 2


def test_a_deployment_rolls_to_its_new_template_without_dropping_below_its_minimum() -> None:
    client = MemoryClient(
        deployment(4, type="RollingUpdate", rollingUpdate={"maxSurge": 1, "maxUnavailable": 1})
    )
    lowest: list[int] = []

    def count_ready(verb: str, resource: object, subresource: str, changed: Object) -> None:
        pods = client.all(PODS)
        if verb == "delete" and resource is PODS:
            doomed = changed["metadata"]["name"]
            ready = [
                p
                for p in pods
                if p.get("status", {}).get("phase") == "Running" and p["metadata"]["name"] != doomed
            ]
            lowest.append(len(ready))

    async def change_image() -> None:
        client.reactions.append(count_ready)
        stored = client.find(DEPLOYMENTS, "w", "ns")
        assert stored is not None
        await client.update(DEPLOYMENTS, replace_at(stored, ("spec", "template"), template("v2")))

    rolling = [set_phase(client, "Running")] * 8
    play(client, [Deployments, ReplicaSets], set_phase(client, "Running"), change_image, *rolling)
    assert images(client) == ["v2"] * 4
    assert lowest
    assert min(lowest) >= 3


def test_a_recreated_deployment_takes_all_old_pods_away_first() -> None:
    client = MemoryClient(deployment(2, type="Recreate"))
    mixed: list[list[str]] = []

    async def change_image() -> None:
        stored = client.find(DEPLOYMENTS, "w", "ns")
        assert stored is not None
        client.reactions.append(lambda *_: mixed.append(images(client)))
        await client.update(DEPLOYMENTS, replace_at(stored, ("spec", "template"), template("v2")))

    play(
        client,
        [Deployments, ReplicaSets],
        set_phase(client, "Running"),
        change_image,
        set_phase(client, "Running"),
    )
    assert images(client) == ["v2", "v2"]
    assert not any("v1" in seen and "v2" in seen for seen in mixed)


def test_a_deployment_reports_availability_and_progress() -> None:
    client = MemoryClient(deployment(2))
    play(client, [Deployments, ReplicaSets], set_phase(client, "Running"))
    stored = client.find(DEPLOYMENTS, "w", "ns")
    assert stored is not None
    status = {condition["type"]: condition["reason"] for condition in stored["status"]["conditions"]}
    assert status == {"Available": "MinimumReplicasAvailable", "Progressing": "NewReplicaSetAvailable"}
    assert stored["status"]["availableReplicas"] == 2


def reasons(client: MemoryClient) -> dict[str, str]:
    stored = client.find(DEPLOYMENTS, "w", "ns")
    assert stored is not None
    return {each["type"]: each["reason"] for each in stored["status"]["conditions"]}


def changing(client: MemoryClient, *path: str, to: object) -> Step:
    async def step() -> None:
        stored = client.find(DEPLOYMENTS, "w", "ns")
        assert stored is not None
        meta = {**stored["metadata"], "generation": stored["metadata"]["generation"] + 1}
        await client.update(DEPLOYMENTS, replace_at({**stored, "metadata": meta}, path, to))

    return step


def test_going_back_to_a_template_makes_its_replica_set_the_newest_revision() -> None:
    client = MemoryClient(deployment(1))
    forth = changing(client, "spec", "template", to=template("v2"))
    back = changing(client, "spec", "template", to=template("v1"))
    run_all = set_phase(client, "Running")
    play(client, [Deployments, ReplicaSets], run_all, forth, run_all, back, run_all)
    noted = {
        each["spec"]["template"]["spec"]["containers"][0]["image"]: each["metadata"]["annotations"]
        for each in client.all(REPLICA_SETS)
    }
    assert (noted["v1"][REVISION], noted["v1"][HISTORY]) == ("3", "1")
    assert noted["v2"][REVISION] == "2"
    stored = client.find(DEPLOYMENTS, "w", "ns")
    assert stored is not None
    assert stored["metadata"]["annotations"][REVISION] == "3"


def test_the_revision_is_told_together_with_the_status() -> None:
    client = MemoryClient(deployment(1))
    play(client, [Deployments, ReplicaSets])
    writes = [write for write in client.writes if write[1] == "deployments"]
    assert {subresource for _, _, subresource, _ in writes} == {"status"}


def test_a_rollout_without_progress_is_told_of_after_its_deadline() -> None:
    stuck = replace_at(deployment(1), ("spec", "progressDeadlineSeconds"), 30)
    client = MemoryClient(stuck)
    seen: list[str] = []

    async def look() -> None:
        seen.append(reasons(client)["Progressing"])

    play(client, [Deployments, ReplicaSets], look, *[look] * 8, seconds=5)
    assert (seen[0], seen[-1]) == ("ReplicaSetUpdated", "ProgressDeadlineExceeded")


def test_a_pause_is_told_of_and_scaling_goes_on_meanwhile() -> None:
    client = MemoryClient(deployment(1))
    seen: list[tuple[str, list[str]]] = []

    async def look() -> None:
        seen.append((reasons(client)["Progressing"], images(client)))

    pause, resume = (changing(client, "spec", "paused", to=paused) for paused in (True, False))
    v2 = changing(client, "spec", "template", to=template("v2"))
    scale = changing(client, "spec", "replicas", to=2)
    play(client, [Deployments, ReplicaSets], pause, look, v2, scale, look, resume)
    assert seen == [("DeploymentPaused", ["v1"]), ("DeploymentPaused", ["v1", "v1"])]
    assert "v2" in images(client)


def test_scaling_in_the_middle_of_a_rollout_keeps_the_proportions() -> None:
    client = MemoryClient(
        deployment(4, type="RollingUpdate", rollingUpdate={"maxSurge": 0, "maxUnavailable": 2})
    )
    v2 = changing(client, "spec", "template", to=template("v2"))
    scale = changing(client, "spec", "replicas", to=8)
    play(client, [Deployments, ReplicaSets], set_phase(client, "Running"), v2, scale)
    assert images(client) == ["v1"] * 4 + ["v2"] * 4


def test_scaling_a_finished_rollout_does_not_begin_it_anew() -> None:
    client = MemoryClient(deployment(1))
    play(
        client,
        [Deployments, ReplicaSets],
        set_phase(client, "Running"),
        changing(client, "spec", "replicas", to=3),
    )
    assert reasons(client) == {
        "Available": "MinimumReplicasUnavailable",
        "Progressing": "NewReplicaSetAvailable",
    }


def test_pods_that_cannot_be_made_are_told_of_by_the_set_and_the_deployment_until_they_can() -> None:
    client = MemoryClient(deployment(1))

    def refuse(verb: str, resource: object, subresource: str, changed: Object) -> None:
        if verb == "create" and resource is PODS:
            raise errors.Forbidden("no room")

    async def relent() -> None:
        assert reasons(client)["ReplicaFailure"] == "FailedCreate"
        client.reactions.clear()

    client.reactions.append(refuse)
    play(client, [Deployments, ReplicaSets], relent, *[set_phase(client, "Running")] * 4)
    assert "ReplicaFailure" not in reasons(client)


def test_pods_on_their_way_out_are_counted() -> None:
    client = MemoryClient(deployment(1))

    async def bind() -> None:
        [pod] = client.all(PODS)
        await client.update(PODS, replace_at(pod, ("spec", "nodeName"), "n"))

    play(client, [Deployments, ReplicaSets], bind, changing(client, "spec", "replicas", to=0))
    stored = client.find(DEPLOYMENTS, "w", "ns")
    assert stored is not None
    assert stored["status"]["terminatingReplicas"] == 1


def test_a_job_runs_as_many_pods_as_it_needs_successes_but_few_at_once() -> None:
    client = MemoryClient(job(completions=5, parallelism=2))
    most: list[int] = []

    def count(verb: str, resource: object, subresource: str, changed: Object) -> None:
        most.append(
            sum((p.get("status") or {}).get("phase") not in ("Succeeded", "Failed") for p in client.all(PODS))
        )

    client.reactions.append(count)
    play(client, [Jobs], *[set_phase(client, "Succeeded")] * 4)
    stored = client.find(JOBS, "w", "ns")
    assert stored is not None
    assert stored["status"]["succeeded"] == 5
    assert {condition["type"] for condition in stored["status"]["conditions"]} == {
        "SuccessCriteriaMet",
        "Complete",
    }
    assert max(most) <= 2


def test_a_job_gives_up_after_its_backoff_limit() -> None:
    client = MemoryClient(job(backoffLimit=1))
    play(client, [Jobs], set_phase(client, "Failed"), set_phase(client, "Failed"), seconds=60)
    stored = client.find(JOBS, "w", "ns")
    assert stored is not None
    failed = next(each for each in stored["status"]["conditions"] if each["type"] == "Failed")
    assert failed["reason"] == "BackoffLimitExceeded"
    assert stored["status"]["failed"] == 2


def test_a_counted_pod_may_be_deleted_without_losing_its_count() -> None:
    client = MemoryClient(job(completions=2))

    async def delete_finished() -> None:
        for pod in client.all(PODS):
            if (pod.get("status") or {}).get("phase") == "Succeeded":
                assert TRACKING_FINALIZER not in pod["metadata"]["finalizers"]
                await client.delete(PODS, pod["metadata"]["name"], "ns")

    play(client, [Jobs], set_phase(client, "Succeeded"), delete_finished, set_phase(client, "Succeeded"))
    stored = client.find(JOBS, "w", "ns")
    assert stored is not None
    assert stored["status"]["succeeded"] == 2


def test_an_indexed_job_gives_each_pod_its_number() -> None:
    client = MemoryClient(job(completions=3, parallelism=3, completionMode="Indexed"))
    play(client, [Jobs])
    pods = sorted(client.all(PODS), key=lambda pod: str(pod["spec"]["hostname"]))
    assert [pod["spec"]["hostname"] for pod in pods] == ["w-0", "w-1", "w-2"]
    label = "batch.kubernetes.io/job-completion-index"
    assert [pod["metadata"]["labels"][label] for pod in pods] == ["0", "1", "2"]
    [variable] = pods[0]["spec"]["containers"][0]["env"]
    assert variable == {
        "name": "JOB_COMPLETION_INDEX",
        "valueFrom": {"fieldRef": {"fieldPath": f"metadata.labels['{label}']"}},
    }


def stored_job(client: MemoryClient) -> Object:
    stored = client.find(JOBS, "w", "ns")
    assert stored is not None
    return stored


def test_an_indexed_job_tells_which_indexes_are_done_and_does_not_do_them_again() -> None:
    client = MemoryClient(job(completions=4, parallelism=2, completionMode="Indexed"))
    seen: list[str] = []

    async def forget_pods() -> None:
        seen.append(stored_job(client)["status"]["completedIndexes"])
        for pod in client.all(PODS):
            if pod.get("status"):
                await client.delete(PODS, pod["metadata"]["name"], "ns", grace_period_seconds=0)

    succeed = set_phase(client, "Succeeded")
    play(client, [Jobs], succeed, forget_pods, succeed)
    assert seen == ["0,1"]
    assert stored_job(client)["status"]["completedIndexes"] == "0-3"
    assert stored_job(client)["status"]["succeeded"] == 4


def test_indexes_are_written_as_ranges() -> None:
    assert indexes_text({7, 0, 2, 3, 4, 9, 10}) == "0,2-4,7,9,10"


def test_a_suspended_job_tells_so_and_its_pods_neither_fail_nor_stay() -> None:
    client = MemoryClient(job())

    def suspending(suspend: bool) -> Step:
        async def step() -> None:
            await client.update(JOBS, replace_at(stored_job(client), ("spec", "suspend"), suspend))

        return step

    seen: list[tuple[str, bool, int]] = []

    async def look() -> None:
        [told] = stored_job(client)["status"]["conditions"]
        is_started = "startTime" in stored_job(client)["status"]
        seen.append((told["reason"], is_started, len(client.all(PODS))))

    play(client, [Jobs], suspending(True), look, suspending(False), look)
    assert seen == [("JobSuspended", False, 0), ("JobResumed", True, 1)]
    assert "failed" not in stored_job(client)["status"]


def test_a_pod_of_a_job_that_somebody_deletes_counts_as_failed_and_is_replaced_after_a_while() -> None:
    client = MemoryClient(job(), clock=LoopClock())
    seen: list[tuple[int, int]] = []

    async def delete() -> None:
        [pod] = client.all(PODS)
        await client.delete(PODS, pod["metadata"]["name"], "ns", grace_period_seconds=0)

    async def look() -> None:
        seen.append((len(client.all(PODS)), stored_job(client)["status"]["failed"]))

    play(client, [Jobs], delete, look, *[look] * 5)
    assert (seen[0], seen[-1]) == ((0, 1), (1, 1))


def test_pods_that_still_run_when_a_job_fails_count_as_failed_and_do_not_stay() -> None:
    client = MemoryClient(job(activeDeadlineSeconds=3))

    async def nothing() -> None: ...

    play(client, [Jobs], *[nothing] * 3)
    assert stored_job(client)["status"]["failed"] == 1
    assert client.all(PODS) == []


def told_statuses(client: MemoryClient) -> list[Object]:
    """What the controller says of the job from now on."""
    told: list[Object] = []

    def note(verb: str, resource: object, subresource: str, changed: Object) -> None:
        if resource is JOBS and subresource == "status":
            told.append(changed["status"])

    client.reactions.append(note)
    return told


def kinds_of(status: Object) -> list[str]:
    return [condition["type"] for condition in status.get("conditions") or ()]


@pytest.mark.parametrize(
    ("phase", "ends"),
    [("Succeeded", ["SuccessCriteriaMet", "Complete"]), ("Failed", ["FailureTarget", "Failed"])],
)
def test_a_job_announces_its_end_and_is_over_once_all_its_pods_are_counted(
    phase: str, ends: list[str]
) -> None:
    client = MemoryClient(job(completions=2, parallelism=2, backoffLimit=0))
    told = told_statuses(client)
    play(client, [Jobs], set_phase(client, phase))
    announced = next(status for status in told if kinds_of(status))
    assert kinds_of(announced) == ends[:1]
    assert announced["uncountedTerminatedPods"] != {}
    assert kinds_of(told[-1]) == ends
    assert all(
        status["uncountedTerminatedPods"] == {} and not status["terminating"]
        for status in told
        if ends[1] in kinds_of(status)
    )
    assert not any(pod["metadata"]["finalizers"] for pod in client.all(PODS))


def test_a_failing_job_is_over_once_the_pods_that_still_ran_are_gone_and_counts_each_once() -> None:
    client = MemoryClient(job(parallelism=2, completions=2, backoffLimit=0))
    told = told_statuses(client)
    stays = ["example.com/stays"]

    async def hold() -> None:
        for pod in client.all(PODS):
            meta = {"finalizers": [*pod["metadata"]["finalizers"], *stays]}
            await client.patch(PODS, pod["metadata"]["name"], {"metadata": meta}, "ns")

    async def let_go() -> None:
        assert kinds_of(stored_job(client)["status"]) == ["FailureTarget"]
        assert stored_job(client)["status"]["terminating"] == 1
        for pod in client.all(PODS):
            await client.patch(PODS, pod["metadata"]["name"], {"metadata": {"finalizers": []}}, "ns")

    play(client, [Jobs], hold, set_phase(client, "Failed", 1), let_go)
    assert kinds_of(stored_job(client)["status"]) == ["FailureTarget", "Failed"]
    assert [status.get("failed") for status in told][-1] == 2
    assert max(status.get("failed") or 0 for status in told) == 2


def test_the_pods_of_a_job_that_is_gone_are_let_go_even_where_another_has_its_name() -> None:
    client = MemoryClient(job())

    async def replace() -> None:
        assert [pod["metadata"]["finalizers"] for pod in client.all(PODS)] == [[TRACKING_FINALIZER]]
        await client.delete(JOBS, "w", "ns")
        if is_named_again:
            await client.create(JOBS, {**job(), "metadata": {"name": "w", "namespace": "ns", "uid": "j2"}})

    for is_named_again in (False, True):
        client = MemoryClient(job())
        play(client, [Jobs], replace)
        tracked = [pod for pod in client.all(PODS) if pod["metadata"]["finalizers"]]
        assert [pod["metadata"]["ownerReferences"][0]["uid"] for pod in tracked] == ["j2"] * is_named_again


def test_a_finished_job_is_removed_after_its_time_to_live() -> None:
    client = MemoryClient(job(ttlSecondsAfterFinished=5))
    seen: list[bool] = []

    async def look() -> None:
        seen.append(client.find(JOBS, "w", "ns") is not None)

    play(client, [Jobs, FinishedJobs], look, look, look, set_phase(client, "Succeeded"), look, *[look] * 4)
    assert seen == [True] * 4 + [True, False, False, False]
