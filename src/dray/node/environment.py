"""The environment of a container: what its pod says, with references resolved and `$(VAR)` expanded. Pure.

Order: `envFrom` and `env` as written, then the variables of the `kubernetes` service, which a pod may override.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dray.api.meta import Object, namespace_of
from dray.node import envfile
from dray.node.fieldrefs import FieldError, field_value, resource_value

_REFERENCE = re.compile(r"\$(\$|\(([^)]*)\))")

Lookup = Callable[[str, str], Object | None]
"""(namespace, name) -> the ConfigMap or Secret, None when there is none."""
ReadFile = Callable[[str, str], str | None]
"""(volume, path below it) -> the file's text, None when there is no such file. Raises EnvironmentFailure."""


class EnvironmentFailure(Exception):
    """The container's environment cannot be made now; the text is its waiting message."""


class PodFacts:
    """What the node knows about a pod beyond the pod itself."""

    def __init__(
        self,
        *,
        host_ips: Sequence[str],
        pod_ips: Sequence[str],
        allocatable: Mapping[str, str],
        service: Mapping[str, str],
        config_map: Lookup,
        secret: Lookup,
        file: ReadFile = lambda volume, path: None,
    ) -> None:
        """`service`: the variables of `service_variables`. `secret` gives values as text, decoded."""
        self.host_ips = host_ips
        self.pod_ips = pod_ips
        self.allocatable = allocatable
        self.service = service
        self.config_map = config_map
        self.secret = secret
        self.file = file


def service_variables(host: str, port: int) -> dict[str, str]:
    """How a pod finds the API server."""
    address = f"tcp://[{host}]:{port}" if ":" in host else f"tcp://{host}:{port}"
    prefix = f"KUBERNETES_PORT_{port}_TCP"
    return {
        "KUBERNETES_SERVICE_HOST": host,
        "KUBERNETES_SERVICE_PORT": str(port),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(port),
        "KUBERNETES_PORT": address,
        prefix: address,
        f"{prefix}_PROTO": "tcp",
        f"{prefix}_PORT": str(port),
        f"{prefix}_ADDR": host,
    }


def container_environment(
    pod: Mapping[str, Any], container: Mapping[str, Any], facts: PodFacts
) -> dict[str, str]:
    """Raises EnvironmentFailure."""
    result: dict[str, str] = {}
    for source in container.get("envFrom") or ():
        result.update(_from_source(pod, source, facts))
    expandable = {**facts.service, **result}
    for entry in container.get("env") or ():
        value = _value(pod, container, entry, expandable, facts)
        if value is not None:
            result[entry["name"]] = expandable[entry["name"]] = value
    return {**result, **{name: value for name, value in facts.service.items() if name not in result}}


def _from_source(pod: Mapping[str, Any], source: Mapping[str, Any], facts: PodFacts) -> dict[str, str]:
    if (reference := source.get("configMapRef")) is not None:
        data = _data(facts.config_map, pod, reference, "configmap")
    else:
        reference = source.get("secretRef") or {}
        data = _data(facts.secret, pod, reference, "secret")
    prefix = source.get("prefix") or ""
    return {prefix + key: data[key] for key in sorted(data) if _is_variable_name(prefix + key)}


def _is_variable_name(name: str) -> bool:
    return bool(name) and "=" not in name and name.isprintable() and name.isascii()


def _data(
    lookup: Lookup, pod: Mapping[str, Any], reference: Mapping[str, Any], kind: str
) -> Mapping[str, str]:
    found = lookup(namespace_of(pod), reference.get("name") or "")
    if found is None:
        if reference.get("optional"):
            return {}
        raise EnvironmentFailure(f'{kind} "{reference.get("name")}" not found')
    data: Mapping[str, str] = found.get("data") or {}
    return data


def _value(
    pod: Mapping[str, Any],
    container: Mapping[str, Any],
    entry: Mapping[str, Any],
    known: Mapping[str, str],
    facts: PodFacts,
) -> str | None:
    """None where an optional reference has nothing to give."""
    origin = entry.get("valueFrom")
    if not origin:
        return expand(entry.get("value") or "", known)
    try:
        if (field := origin.get("fieldRef")) is not None:
            return field_value(pod, field["fieldPath"], facts.host_ips, facts.pod_ips)
        if (resource := origin.get("resourceFieldRef")) is not None:
            return resource_value(pod, resource, facts.allocatable, container["name"])
    except FieldError as error:
        raise EnvironmentFailure(str(error)) from error
    if (key := origin.get("configMapKeyRef")) is not None:
        return _key(_data(facts.config_map, pod, key, "configmap"), pod, key, "ConfigMap")
    if (key := origin.get("secretKeyRef")) is not None:
        return _key(_data(facts.secret, pod, key, "secret"), pod, key, "Secret")
    if (key := origin.get("fileKeyRef")) is not None:
        return _file_key(key, facts)
    raise EnvironmentFailure(
        f"environment variable {entry['name']}: valueFrom names no source that is known here"
    )


def _key(
    data: Mapping[str, str], pod: Mapping[str, Any], reference: Mapping[str, Any], kind: str
) -> str | None:
    key = reference["key"]
    if key in data:
        return data[key]
    if reference.get("optional"):
        return None
    raise EnvironmentFailure(f"couldn't find key {key} in {kind} {namespace_of(pod)}/{reference.get('name')}")


def _file_key(reference: Mapping[str, Any], facts: PodFacts) -> str | None:
    volume, path, key = reference["volumeName"], reference["path"], reference["key"]
    text = facts.file(volume, path)
    try:
        variables = envfile.parse(text) if text is not None else {}
    except envfile.EnvFileError as error:
        raise EnvironmentFailure(f"env file {path} in volume {volume} cannot be read: {error}") from error
    if key in variables:
        return variables[key]
    if reference.get("optional"):
        return None
    raise EnvironmentFailure(f"environment variable key {key} not found in file {path} of volume {volume}")


def missing_reference(text: str, variables: Mapping[str, str]) -> str:
    """The first NAME of a `$(NAME)` in `text` that `variables` lacks; "" if there is none."""
    names = (match[2] for match in _REFERENCE.finditer(text) if match[1] != "$")
    return next((name for name in names if name not in variables), "")


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$(NAME)` replaced where NAME is known and kept where it is not; `$$` is a plain dollar."""

    def replacement(match: "re.Match[str]") -> str:
        if match[1] == "$":
            return "$"
        return variables.get(match[2], match[0])

    return _REFERENCE.sub(replacement, text)
