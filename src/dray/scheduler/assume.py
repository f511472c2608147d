"""Claims as the scheduler believes them to be: what the watch shows, corrected by what the scheduler itself just wrote.

A claim is *in flight* from the moment devices are chosen for it until the choice is written or given up; other pods
that need it have to wait, and its devices count as taken (`DeviceIndex.assume`). A watch event older than what is
known is ignored, so a slow watch never brings back a past that the scheduler changed itself.

Versions compare as numbers, as Kubernetes promises since 1.35 and has done before.
"""

from collections import Counter
from collections.abc import Iterator

from dray.api.meta import Object, ObjectKey, controller_of, key_of, uid_of

EXTENDED_CLAIM_ANNOTATION = "resource.kubernetes.io/extended-resource-claim"


class ClaimLedger:
    def __init__(self) -> None:
        self._claims: dict[ObjectKey, Object] = {}
        self._in_flight: dict[str, Object] = {}
        self._holders: Counter[str] = Counter()
        """How many pods a claim in flight was chosen for: several of one group may share it."""
        self._extended: dict[str, ObjectKey] = {}

    def find(self, key: ObjectKey) -> Object | None:
        """The newest version known of a claim."""
        return self._claims.get(key)

    def __iter__(self) -> Iterator[Object]:
        return iter(self._claims.values())

    def __len__(self) -> int:
        return len(self._claims)

    def put(self, claim: Object) -> tuple[bool, Object | None]:
        """Take in a version; returns whether it was news, and what it replaces."""
        key = key_of(claim)
        known = self._claims.get(key)
        if known is not None and uid_of(known) == uid_of(claim) and _version(claim) <= _version(known):
            return False, known
        self._claims[key] = claim
        if owner := extended_claim_owner(claim):
            self._extended[owner] = key
        return True, known

    def amend(self, claim: Object) -> bool:
        """Take in what the scheduler wrote itself; refused for a claim that is gone meanwhile."""
        known = self._claims.get(key_of(claim))
        return known is not None and uid_of(known) == uid_of(claim) and self.put(claim)[0]

    def remove(self, claim: Object) -> bool:
        """Forget a deleted claim; a newer claim of that name stays."""
        key = key_of(claim)
        known = self._claims.get(key)
        if known is None or uid_of(known) != uid_of(claim):
            return False
        del self._claims[key]
        if owner := extended_claim_owner(known):
            self._extended.pop(owner, None)
        return True

    def extended_claim_of(self, pod_uid: str) -> Object | None:
        """The claim that an earlier attempt made for the pod's extended resources."""
        key = self._extended.get(pod_uid)
        return self._claims.get(key) if key is not None else None

    def hold(self, uid: str, allocation: Object) -> None:
        """Devices were chosen for the claim; the write is on its way."""
        self._in_flight[uid] = allocation
        self._holders[uid] += 1

    def release(self, uid: str) -> bool:
        """One of the pods has written the claim, or will not; returns whether it was the last."""
        self._holders[uid] -= 1
        if self._holders[uid] > 0:
            return False
        del self._holders[uid]
        self._in_flight.pop(uid, None)
        return True

    def is_in_flight(self, uid: str) -> bool:
        return uid in self._in_flight

    def in_flight(self) -> dict[str, Object]:
        return dict(self._in_flight)


def allocation_of(claim: Object) -> Object | None:
    allocation: Object | None = (claim.get("status") or {}).get("allocation")
    return allocation


def reservations_of(claim: Object) -> list[Object]:
    reservations: list[Object] = (claim.get("status") or {}).get("reservedFor") or []
    return reservations


def is_reserved_for(claim: Object, pod_uid: str) -> bool:
    return any(entry.get("uid") == pod_uid for entry in reservations_of(claim))


def extended_claim_owner(claim: Object) -> str:
    """The UID of the pod for whose extended resources the claim was made; "" for other claims."""
    annotations = claim["metadata"].get("annotations") or {}
    if annotations.get(EXTENDED_CLAIM_ANNOTATION) != "true":
        return ""
    owner = controller_of(claim)
    return str(owner["uid"]) if owner else ""


def _version(obj: Object) -> int:
    return int(obj["metadata"].get("resourceVersion") or 0)
