"""The pods of a Job as values: how many ended and how, which indexes are done, what a new one looks like."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence

from dray.api.meta import Object, annotations_of, finalizers_of, is_deleting, name_of, uid_of
from dray.api.pods import is_terminal
from dray.controllers.pod_templates import is_active, pod_from

TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
INDEX_VARIABLE = "JOB_COMPLETION_INDEX"


@dataclasses.dataclass(frozen=True, slots=True)
class Count:
    succeeded: int
    failed: int
    indexes: frozenset[int]
    """Of an Indexed job: those that are done."""
    uncounted: list[Object]
    """Pods that came to an end and still carry the finalizer."""
    noted: frozenset[str]
    """The uids of pods that the job's status has counted already."""

    def with_failed(self, pods: Sequence[Object]) -> "Count":
        """The same, where these pods will not succeed any more."""
        fresh = sum(uid_of(pod) not in self.noted for pod in pods)
        return dataclasses.replace(self, failed=self.failed + fresh, uncounted=[*self.uncounted, *pods])


def is_indexed(job: Object) -> bool:
    return bool(job["spec"].get("completionMode") == "Indexed")


def count(job: Object, pods: Sequence[Object]) -> Count:
    status = job.get("status") or {}
    noted = status.get("uncountedTerminatedPods") or {}
    already = frozenset(noted.get("succeeded") or ()) | frozenset(noted.get("failed") or ())
    ended = [pod for pod in pods if TRACKING_FINALIZER in finalizers_of(pod) and _has_ended(job, pod)]
    fresh = [pod for pod in ended if uid_of(pod) not in already]
    successes = sum(_succeeded(pod) for pod in fresh)
    done = frozenset(_parsed(status.get("completedIndexes") or ""))
    if is_indexed(job):
        limit = int(job["spec"].get("completions") or 0)
        done |= {index for pod in ended if _succeeded(pod) and (index := index_of(pod)) is not None}
        done = frozenset(index for index in done if index < limit)
    succeeded = len(done) if is_indexed(job) else int(status.get("succeeded") or 0) + successes
    failed = int(status.get("failed") or 0) + len(fresh) - successes
    return Count(succeeded, failed, done, ended, already)


def uncounted(pods: Sequence[Object]) -> Object:
    """For `status.uncountedTerminatedPods`: uids by how the pods ended."""
    by_end: Object = {}
    for pod in pods:
        by_end.setdefault("succeeded" if _succeeded(pod) else "failed", []).append(uid_of(pod))
    return by_end


def index_of(pod: Object) -> int | None:
    text = annotations_of(pod).get(INDEX_ANNOTATION, "")
    return int(text) if text.isdigit() else None


def indexes_text(indexes: Iterable[int]) -> str:
    """Ranges, in order: `0,2-4`; two neighbours are a list, as Kubernetes writes them."""
    runs: list[list[int]] = []
    for index in sorted(indexes):
        if runs and index == runs[-1][-1] + 1:
            runs[-1].append(index)
        else:
            runs.append([index])
    return ",".join(f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run)) for run in runs)


def new_pods(job: Object, pods: Sequence[Object], done: frozenset[int], missing: int) -> list[Object]:
    if not is_indexed(job):
        return [_pod(job) for _ in range(missing)]
    taken = done | {index_of(pod) for pod in pods if is_active(pod)}
    free = [index for index in range(int(job["spec"].get("completions") or 0)) if index not in taken]
    return [_indexed_pod(job, index) for index in free[:missing]]


def _has_ended(job: Object, pod: Object) -> bool:
    """A pod on its way out counts as failed, unless its replacement is to wait for its end."""
    waits = job["spec"].get("podReplacementPolicy") == "Failed"
    return is_terminal(pod) or (is_deleting(pod) and not waits)


def _succeeded(pod: Object) -> bool:
    return bool((pod.get("status") or {}).get("phase") == "Succeeded")


def _parsed(text: str) -> Iterator[int]:
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _pod(job: Object) -> Object:
    pod = pod_from(job["spec"]["template"], job, labels={})
    return {**pod, "metadata": {**pod["metadata"], "finalizers": [TRACKING_FINALIZER]}}


def _indexed_pod(job: Object, index: int) -> Object:
    pod = _pod(job)
    meta, spec = {**pod["metadata"]}, {**pod["spec"]}
    meta["annotations"] = {**(meta.get("annotations") or {}), INDEX_ANNOTATION: str(index)}
    meta["labels"] = {**meta["labels"], INDEX_ANNOTATION: str(index)}
    meta["generateName"] = f"{name_of(job)}-{index}-"
    spec["hostname"] = f"{name_of(job)}-{index}"
    for field in ("initContainers", "containers"):
        if field in spec:
            spec[field] = [_with_index(container) for container in spec[field]]
    return {**pod, "metadata": meta, "spec": spec}


def _with_index(container: Object) -> Object:
    if any(each["name"] == INDEX_VARIABLE for each in container.get("env") or ()):
        return container
    source = {"fieldRef": {"fieldPath": f"metadata.labels['{INDEX_ANNOTATION}']"}}
    entry = {"name": INDEX_VARIABLE, "valueFrom": source}
    return {**container, "env": [*(container.get("env") or ()), entry]}
