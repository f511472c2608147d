"""The description of a Pod, in kubectl's order and words."""

from collections.abc import Iterator, Mapping
from typing import Any

from dray.api.meta import Object, labels_of, name_of, namespace_of, parse_time
from dray.cli.kubectl.describe import label_lines


def pod_lines(pod: Object) -> Iterator[str]:
    spec, status = pod["spec"], pod.get("status") or {}
    yield f"Name:\t{name_of(pod)}"
    yield f"Namespace:\t{namespace_of(pod)}"
    yield f"Priority:\t{spec.get('priority', 0)}"
    if spec.get("priorityClassName"):
        yield f"Priority Class Name:\t{spec['priorityClassName']}"
    yield f"Service Account:\t{spec.get('serviceAccountName', '')}"
    node = spec.get("nodeName")
    yield f"Node:\t{node}/{status.get('hostIP', '')}" if node else "Node:\t<none>"
    if status.get("startTime"):
        yield f"Start Time:\t{_long_time(status['startTime'])}"
    yield from label_lines("Labels", labels_of(pod))
    yield from label_lines("Annotations", pod["metadata"].get("annotations"))
    yield from _status_lines(pod, status)
    yield from _container_sections(spec, status)
    yield from _condition_lines(status)
    yield from _volume_lines(spec.get("volumes") or [])
    yield f"QoS Class:\t{status.get('qosClass', '')}"
    yield from label_lines("Node-Selectors", spec.get("nodeSelector"))
    yield from _toleration_lines(spec.get("tolerations") or [])


def _long_time(text: str) -> str:
    return parse_time(text).strftime("%a, %d %b %Y %H:%M:%S +0000")


def _status_lines(pod: Object, status: Mapping[str, Any]) -> Iterator[str]:
    if pod["metadata"].get("deletionTimestamp"):
        yield f"Status:\tTerminating (lasts {'<invalid>'})"
        yield f"Termination Grace Period:\t{pod['metadata'].get('deletionGracePeriodSeconds', 0)}s"
    else:
        yield f"Status:\t{status.get('phase', '')}"
    for field in ("reason", "message"):
        if status.get(field):
            yield f"{field.title()}:\t{status[field]}"
    yield f"IP:\t{status.get('podIP', '')}"
    addresses = status.get("podIPs") or []
    yield "IPs:" if addresses else "IPs:\t<none>"
    for address in addresses:
        yield f"  IP:\t{address['ip']}"
    for owner in pod["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            yield f"Controlled By:\t{owner['kind']}/{owner['name']}"


def _container_sections(spec: Mapping[str, Any], status: Mapping[str, Any]) -> Iterator[str]:
    sections = (
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
        ("Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses"),
    )
    for title, field, status_field in sections:
        if spec.get(field):
            statuses = {each["name"]: each for each in status.get(status_field) or ()}
            yield f"{title}:"
            for container in spec[field]:
                yield from _container_lines(container, statuses.get(container["name"]), spec)


def _container_lines(container: Object, status: Object | None, spec: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {container['name']}:"
    if status is not None:
        yield f"    Container ID:\t{status.get('containerID', '')}"
    yield f"    Image:\t{container['image']}"
    if status is not None:
        yield f"    Image ID:\t{status.get('imageID', '')}"
    ports = container.get("ports") or []
    plural = "s" if len(ports) > 1 else ""
    shown = ", ".join(f"{port['containerPort']}/{port.get('protocol', 'TCP')}" for port in ports)
    host = ", ".join(f"{port.get('hostPort', 0)}/{port.get('protocol', 'TCP')}" for port in ports)
    yield f"    Port{plural}:\t{shown or '<none>'}"
    yield f"    Host Port{plural}:\t{host or '<none>'}"
    for title, field in (("Command", "command"), ("Args", "args")):
        if container.get(field):
            yield f"    {title}:"
            for word in container[field]:
                yield from (f"      {line}" for line in str(word).split("\n"))
    if status is not None:
        yield from _state_lines(status)
    yield from _resource_lines(container)
    yield from _environment_lines(container)
    yield from _mount_lines(container)


def _state_lines(status: Object) -> Iterator[str]:
    yield from _one_state("State", status.get("state") or {})
    if status.get("lastState"):
        yield from _one_state("Last State", status["lastState"])
    yield f"    Ready:\t{status.get('ready', False)}"
    yield f"    Restart Count:\t{status.get('restartCount', 0)}"


def _one_state(title: str, state: Mapping[str, Any]) -> Iterator[str]:
    if running := state.get("running"):
        yield f"    {title}:\tRunning"
        yield f"      Started:\t{_long_time(running['startedAt'])}"
    elif terminated := state.get("terminated"):
        yield f"    {title}:\tTerminated"
        for name in ("reason", "message"):
            if terminated.get(name):
                yield f"      {name.title()}:\t{terminated[name]}"
        yield f"      Exit Code:\t{terminated.get('exitCode', 0)}"
        if terminated.get("signal"):
            yield f"      Signal:\t{terminated['signal']}"
        for label, name in (("Started", "startedAt"), ("Finished", "finishedAt")):
            if terminated.get(name):
                yield f"      {label}:\t{_long_time(terminated[name])}"
    else:
        waiting = state.get("waiting") or {}
        yield f"    {title}:\tWaiting"
        if waiting.get("reason"):
            yield f"      Reason:\t{waiting['reason']}"


def _resource_lines(container: Object) -> Iterator[str]:
    resources = container.get("resources") or {}
    for title, field in (("Limits", "limits"), ("Requests", "requests")):
        if resources.get(field):
            yield f"    {title}:"
            for name, quantity in sorted(resources[field].items()):
                yield f"      {name}:\t{quantity}"


def _environment_lines(container: Object) -> Iterator[str]:
    entries = container.get("env") or []
    if not entries:
        yield "    Environment:\t<none>"
        return
    yield "    Environment:"
    for entry in entries:
        yield f"      {entry['name']}:\t{_environment_value(entry)}"


def _environment_value(entry: Object) -> str:
    source = entry.get("valueFrom")
    if not source:
        return str(entry.get("value", ""))
    if field := source.get("fieldRef"):
        return f" ({field.get('apiVersion', 'v1')}:{field['fieldPath']})"
    if resource := source.get("resourceFieldRef"):
        return f" ({resource['resource']})"
    for kind, title in (("secretKeyRef", "secret"), ("configMapKeyRef", "config map")):
        if reference := source.get(kind):
            optional = str(bool(reference.get("optional"))).lower()
            return f"<set to the key '{reference['key']}' of {title} '{reference['name']}'>  Optional: {optional}"
    return ""


def _mount_lines(container: Object) -> Iterator[str]:
    mounts = container.get("volumeMounts") or []
    yield "    Mounts:" if mounts else "    Mounts:\t<none>"
    for mount in sorted(mounts, key=lambda each: str(each["mountPath"])):
        flags = ["ro" if mount.get("readOnly") else "rw"]
        if mount.get("subPath"):
            flags.append(f'path="{mount["subPath"]}"')
        yield f"      {mount['mountPath']} from {mount['name']} ({','.join(flags)})"


def _condition_lines(status: Mapping[str, Any]) -> Iterator[str]:
    conditions = status.get("conditions") or []
    if conditions:
        yield "Conditions:"
        yield "  Type\tStatus"
        for condition in conditions:
            yield f"  {condition['type']}\t{condition['status']} "


_VOLUME_TITLES = {
    "hostPath": "HostPath (bare host directory volume)",
    "emptyDir": "EmptyDir (a temporary directory that shares a pod's lifetime)",
    "configMap": "ConfigMap (a volume populated by a ConfigMap)",
    "secret": "Secret (a volume populated by a Secret)",
    "downwardAPI": "DownwardAPI (a volume populated by information about the pod)",
    "projected": "Projected (a volume that contains injected data from multiple sources)",
}


def _volume_lines(volumes: list[Object]) -> Iterator[str]:
    yield "Volumes:" if volumes else "Volumes:\t<none>"
    for volume in volumes:
        yield f"  {volume['name']}:"
        kind = next((name for name in _VOLUME_TITLES if name in volume), "")
        yield f"    Type:\t{_VOLUME_TITLES.get(kind, '<unknown>')}"
        yield from (
            f"    {title}:\t{value}" for title, value in _volume_details(kind, volume.get(kind) or {})
        )


def _volume_details(kind: str, source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    optional = str(bool(source.get("optional"))).lower()
    match kind:
        case "hostPath":
            yield "Path", source["path"]
            yield "HostPathType", source.get("type") or ""
        case "emptyDir":
            yield "Medium", source.get("medium", "")
            yield "SizeLimit", str(source.get("sizeLimit", "<unset>"))
        case "configMap":
            yield "Name", source.get("name", "")
            yield "Optional", optional
        case "secret":
            yield "SecretName", source.get("secretName", "")
            yield "Optional", optional
        case "projected":
            for each in source.get("sources") or ():
                yield from _projected_details(each)
        case _:
            return


def _projected_details(source: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    optional = "<nil>"
    if token := source.get("serviceAccountToken"):
        yield "TokenExpirationSeconds", str(token.get("expirationSeconds", 3600))
    if config_map := source.get("configMap"):
        if config_map.get("optional") is not None:
            optional = str(bool(config_map["optional"])).lower()
        yield "ConfigMapName", config_map.get("name", "")
        yield "ConfigMapOptional", optional
    if secret := source.get("secret"):
        yield "SecretName", secret.get("name", "")
        yield "SecretOptionalName", str(secret.get("optional", optional))
    if source.get("downwardAPI"):
        yield "DownwardAPI", "true"


def _toleration_lines(tolerations: list[Object]) -> Iterator[str]:
    if not tolerations:
        yield "Tolerations:\t<none>"
        return
    for number, each in enumerate(sorted(tolerations, key=lambda one: str(one.get("key", "")))):
        text = str(each.get("key", ""))
        if each.get("value"):
            text += f"={each['value']}"
        if each.get("effect"):
            text += f":{each['effect']}"
        if each.get("operator") == "Exists" and not each.get("value"):
            text = f"{text} op=Exists" if text else "op=Exists"
        if each.get("tolerationSeconds") is not None:
            text += f" for {each['tolerationSeconds']}s"
        yield f"{'Tolerations:' if number == 0 else ''}\t{text}"
