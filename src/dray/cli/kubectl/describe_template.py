"""What pods and the templates of pods have in common in a description: containers, volumes, tolerations."""

from collections.abc import Iterator, Mapping
from typing import Any

from dray.api.meta import Object
from dray.cli.kubectl.describe import listed, long_time
from dray.cli.kubectl.describe_container import probe_lines, resource_value

Fields = Mapping[str, str]
"""Values of the downward API, by field path."""


def container_sections(
    spec: Mapping[str, Any], status: Mapping[str, Any], fields: Fields, indent: str = ""
) -> Iterator[str]:
    sections = (
        ("Init Containers", "initContainers", "initContainerStatuses"),
        ("Containers", "containers", "containerStatuses"),
        ("Ephemeral Containers", "ephemeralContainers", "ephemeralContainerStatuses"),
    )
    for title, field, status_field in sections:
        if spec.get(field):
            statuses = {each["name"]: each for each in status.get(status_field) or ()}
            yield f"{indent}{title}:"
            for container in spec[field]:
                yield f"{indent and ' '}  {container['name']}:"
                yield from _container_lines(container, statuses.get(container["name"]), fields)


def _container_lines(container: Object, status: Object | None, fields: Fields) -> Iterator[str]:
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
    yield from probe_lines(container)
    yield from _environment_sources(container)
    yield from _environment_lines(container, fields)
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
        yield f"      Started:\t{long_time(running['startedAt'])}"
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
                yield f"      {label}:\t{long_time(terminated[name])}"
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


def _environment_sources(container: Object) -> Iterator[str]:
    if container.get("envFrom"):
        yield "    Environment Variables from:"
    for entry in container.get("envFrom") or ():
        kind, field = ("ConfigMap", "configMapRef") if "configMapRef" in entry else ("Secret", "secretRef")
        source = entry.get(field) or {}
        prefix = f" with prefix '{entry['prefix']}'" if entry.get("prefix") else ""
        optional = str(bool(source.get("optional"))).lower()
        yield f"      {source.get('name', '')}\t{kind}{prefix}\tOptional: {optional}"


def _environment_lines(container: Object, fields: Fields) -> Iterator[str]:
    entries = container.get("env") or []
    if not entries:
        yield "    Environment:\t<none>"
        return
    yield "    Environment:"
    for entry in entries:
        first, *others = _environment_value(container, entry, fields).split("\n")
        yield f"      {entry['name']}:\t{first}"
        yield from (f"      \t{line}" for line in others)


def _environment_value(container: Object, entry: Object, fields: Fields) -> str:
    source = entry.get("valueFrom")
    if not source:
        return str(entry.get("value", ""))
    if field := source.get("fieldRef"):
        value = fields.get(field["fieldPath"], "")
        return f"{value} ({field.get('apiVersion', 'v1')}:{field['fieldPath']})"
    if resource := source.get("resourceFieldRef"):
        return f"{resource_value(container, resource)} ({resource['resource']})"
    for kind, title in (("secretKeyRef", "in secret"), ("configMapKeyRef", "of config map")):
        if reference := source.get(kind):
            optional = str(bool(reference.get("optional"))).lower()
            return (
                f"<set to the key '{reference['key']}' {title} '{reference['name']}'>\tOptional: {optional}"
            )
    return ""


def _mount_lines(container: Object) -> Iterator[str]:
    mounts = container.get("volumeMounts") or []
    yield "    Mounts:" if mounts else "    Mounts:\t<none>"
    for mount in sorted(mounts, key=lambda each: str(each["mountPath"])):
        flags = ["ro" if mount.get("readOnly") else "rw"]
        if mount.get("subPath"):
            flags.append(f'path="{mount["subPath"]}"')
        yield f"      {mount['mountPath']} from {mount['name']} ({','.join(flags)})"


_VOLUME_TITLES = {
    "hostPath": "HostPath (bare host directory volume)",
    "emptyDir": "EmptyDir (a temporary directory that shares a pod's lifetime)",
    "configMap": "ConfigMap (a volume populated by a ConfigMap)",
    "secret": "Secret (a volume populated by a Secret)",
    "downwardAPI": "DownwardAPI (a volume populated by information about the pod)",
    "projected": "Projected (a volume that contains injected data from multiple sources)",
}


def volume_lines(volumes: list[Object], indent: str = "") -> Iterator[str]:
    yield f"{indent}Volumes:" if volumes else f"{indent}Volumes:\t<none>"
    for volume in volumes:
        yield f"{indent and ' '}  {volume['name']}:"
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


def toleration_lines(tolerations: list[Object], indent: str = "") -> Iterator[str]:
    ordered = sorted(tolerations, key=lambda one: str(one.get("key", "")))
    yield from listed("Tolerations", [_toleration(each) for each in ordered], indent)


def _toleration(toleration: Object) -> str:
    text = str(toleration.get("key", ""))
    if toleration.get("value"):
        text += f"={toleration['value']}"
    if toleration.get("effect"):
        text += f":{toleration['effect']}"
    if toleration.get("operator") == "Exists" and not toleration.get("value"):
        text = f"{text} op=Exists" if text else "op=Exists"
    if toleration.get("tolerationSeconds") is not None:
        text += f" for {toleration['tolerationSeconds']}s"
    return text
