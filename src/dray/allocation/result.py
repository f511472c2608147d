"""From picked devices to AllocationResult JSON: device results, configuration, node selector.

Decides what a claim's allocation says, in the order and with the omissions of upstream. Refuses to know how devices
were chosen. Nothing is shared with the input but values that nobody changes (tolerations, opaque parameters).
Source: the end of `Allocate`, Kubernetes 1.36.2.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from dray.allocation.capacity import NotOffered
from dray.allocation.choices import Choice
from dray.allocation.model import InvalidInput
from dray.allocation.problem import Problem
from dray.allocation.requests import ClaimPlan, claim_text
from dray.api.meta import JSON, Object, name_of

Picked: TypeAlias = Sequence[tuple[Choice, int]]
"""The devices of one claim: option and position, in the order of the requests."""


def build_results(problem: Problem, picked: Sequence[Picked]) -> list[Object]:
    """One AllocationResult per claim. Raises: InvalidInput where slices select nodes in a way that cannot be joined."""
    results = []
    for number, devices in enumerate(picked):
        result: Object = {"devices": {}}
        if devices:
            result["devices"]["results"] = [
                _device_result(problem, choice, position) for choice, position in devices
            ]
        if problem.plans[number].configured and (config := _config(problem, number, devices)):
            result["devices"]["config"] = config
        selector = _node_selector(problem, number, devices)
        if selector is not None:
            result["nodeSelector"] = selector
        results.append(result)
    return results


def _device_result(problem: Problem, choice: Choice, position: int) -> Object:
    device, option = problem.view.devices[position], choice.option
    entry = device.slice
    result: Object = {
        "request": option.name,
        "driver": entry.driver,
        "pool": entry.pool.name,
        "device": device.name,
    }
    if option.admin:
        result["adminAccess"] = True
    if option.tolerations.raw:
        result["tolerations"] = option.tolerations.raw
    if problem.features.device_binding_and_status and entry.conditional:
        for field in ("bindingConditions", "bindingFailureConditions"):
            if conditions := device.raw.get(field):
                result[field] = conditions
    if device.multi:
        result["shareID"] = problem.setting.new_share_id()
        portion = problem.portion(option, position)
        if portion and not isinstance(portion, NotOffered):
            result["consumedCapacity"] = {share.name: str(share.amount) for share in portion}
    if problem.features.optional_node_operations and (skipped := entry.raw["spec"].get("skipNodeOperations")):
        result["skipNodeOperations"] = skipped
    return result


def _config(problem: Problem, number: int, devices: Picked) -> list[Object]:
    plan = problem.plans[number]
    options = _chosen(plan, devices)
    config = _class_config(options, problem.setting.classes)
    raw: JSON = problem.objects[number]["spec"].get("devices") or {}
    names = [(request.name, name) for request, (name, _) in zip(plan.requests, options, strict=True)]
    for entry in raw.get("config") or ():
        wanted: Sequence[str] = entry.get("requests") or ()
        for_claim = {"source": "FromClaim", **entry}
        if not wanted:
            config.append(for_claim)
            continue
        hits = sum(1 for request, option in names if request in wanted or option in wanted)
        if problem.features.release_137:
            # 1.37: once, however many requests it names, and for everybody where it names all.
            if hits == len(names):
                for_claim.pop("requests", None)
            hits = min(hits, 1)
        config += [for_claim] * hits
    return config


def _chosen(plan: ClaimPlan, devices: Picked) -> list[tuple[str, str]]:
    """Per request: the name of the option that was taken, and its class."""
    taken = {choice.option.name: choice.option for choice, _ in devices}
    chosen = []
    for request in plan.requests:
        option = next((o for o in request.options if o.name in taken), request.options[0])
        chosen.append((option.name, option.class_name))
    return chosen


def _class_config(options: Sequence[tuple[str, str]], classes: Mapping[str, Object]) -> list[Object]:
    """The configuration of each class once, for all requests that use the class, at the place of the first."""
    users: dict[str, list[str]] = {}
    for name, class_name in options:
        users.setdefault(class_name, []).append(name)
    config: list[Object] = []
    for class_name, names in users.items():
        for entry in (classes[class_name].get("spec") or {}).get("config") or ():
            config.append({"source": "FromClass", "requests": names, **entry})
    return config


def _node_selector(problem: Problem, number: int, devices: Picked) -> Object | None:
    """Where the devices can be used from: the node, if any is tied to one; else all that their slices ask for."""
    expressions: list[Object] = []
    fields: list[Object] = []
    for _, position in devices:
        device = problem.view.devices[position]
        entry = device.slice
        source = device.raw if entry.per_device else entry.raw["spec"]
        bound = entry.binds_to_node >> device.bit & 1
        if bound or source.get("nodeName"):
            return _only(name_of(problem.node) if bound else source["nodeName"])
        selector = source.get("nodeSelector")
        if selector is None:
            continue
        terms: Sequence[Object] = selector.get("nodeSelectorTerms") or ()
        if len(terms) != 1:
            claim = claim_text(problem.objects[number])
            unsupported = f"unsupported ResourceSlice.NodeSelector with {len(terms)} terms"
            raise InvalidInput(f"create NodeSelector for {claim}: {unsupported}")
        _add_missing(fields, terms[0].get("matchFields"))
        _add_missing(expressions, terms[0].get("matchExpressions"))
    term: Object = {}
    if expressions:
        term["matchExpressions"] = expressions
    if fields:
        term["matchFields"] = fields
    return {"nodeSelectorTerms": [term]} if term else None


def _only(node: str) -> Object:
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    return {"nodeSelectorTerms": [{"matchFields": [field]}]}


def _add_missing(known: list[Object], more: Sequence[Object] | None) -> None:
    """Add requirements that are not there yet; the order of values makes no difference."""
    for requirement in more or ():
        if not any(_same(requirement, other) for other in known):
            known.append(requirement)


def _same(one: Object, other: Object) -> bool:
    return (
        one.get("key") == other.get("key")
        and one.get("operator") == other.get("operator")
        and set(one.get("values") or ()) == set(other.get("values") or ())
    )
