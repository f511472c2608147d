"""A pod on the network: ports of a pod that shares the host's, DNS, host names, and what user namespaces exclude."""

from dray.api import names
from dray.api.fields import FieldError, Path, forbidden, invalid, required
from dray.api.meta import Object
from dray.api.validation.addresses import validate_plain_address
from dray.api.validation.lists import items_of
from dray.api.validation.pod.confinement import containers_with_paths

_NAMESERVERS_MAX = 3
_SEARCHES_MAX = 32
_SEARCH_CHARACTERS_MAX = 2048
_USERS = "when `hostUsers` is false"


def validate_host_ports(spec: Object, path: Path, *, is_pod: bool) -> list[FieldError]:
    """On the host's network a port of the container is the port of the host; a template may leave that open."""
    if not spec.get("hostNetwork"):
        return []
    errors: list[FieldError] = []
    for index, container in enumerate(items_of(spec.get("containers"))):
        for position, port in enumerate(items_of(container.get("ports"))):
            host = port.get("hostPort") or 0
            if host != (port.get("containerPort") or 0) and (host or is_pod):
                at = path.child("containers").index(index).child("ports").index(position)
                text = "must match `containerPort` when `hostNetwork` is true"
                errors.append(invalid(at.child("hostPort"), host, text))
    return errors


def validate_dns(config: Object | None, policy: str, path: Path) -> list[FieldError]:
    """`config` is spec.dnsConfig; with the policy None it must name a server."""
    servers = (config or {}).get("nameservers") or []
    at = path.child("nameservers")
    if policy == "None" and config is None:
        return [required(path, "must provide `dnsConfig` when `dnsPolicy` is None")]
    if policy == "None" and not servers:
        return [required(at, "must provide at least one DNS nameserver when `dnsPolicy` is None")]
    if config is None:
        return []
    errors: list[FieldError] = []
    if len(servers) > _NAMESERVERS_MAX:
        errors.append(invalid(at, servers, f"must not have more than {_NAMESERVERS_MAX} nameservers"))
    for index, server in enumerate(servers):
        errors += validate_plain_address(server, at.index(index))
    errors += _validate_searches(config.get("searches") or [], path.child("searches"))
    for index, option in enumerate(items_of(config.get("options"))):
        if not option.get("name"):
            errors.append(required(path.child("options").index(index), "must not be empty"))
    return errors


def _validate_searches(searches: list[str], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    if len(searches) > _SEARCHES_MAX:
        errors.append(invalid(path, searches, f"must not have more than {_SEARCHES_MAX} search paths"))
    if names.byte_length(" ".join(searches)) > _SEARCH_CHARACTERS_MAX:
        limit = _SEARCH_CHARACTERS_MAX
        text = f"must not have more than {limit} characters (including spaces) in the search list"
        errors.append(invalid(path, searches, text))
    for index, search in enumerate(searches):
        if search == ".":
            continue
        domain = search.removesuffix(".")
        errors += [invalid(path.index(index), domain, text) for text in names.search_domain(domain)]
    return errors


def validate_host_aliases(aliases: list[Object], path: Path) -> list[FieldError]:
    errors: list[FieldError] = []
    for index, alias in enumerate(aliases):
        at = path.index(index)
        errors += validate_plain_address(alias.get("ip") or "", at.child("ip"))
        for position, name in enumerate(alias.get("hostnames") or ()):
            where = at.child("hostnames").index(position)
            errors += [invalid(where, name, text) for text in names.dns_subdomain(name)]
    return errors


def validate_user_namespace(spec: Object, path: Path) -> list[FieldError]:
    """A pod with users of its own shares no other namespace with the host, and has no raw devices."""
    if spec.get("hostUsers") is not False:
        return []
    # Kubernetes writes two of them so.
    shared = [("hostNetwork", "hostNetwork"), ("hostPID", "HostPID"), ("hostIPC", "HostIPC")]
    errors = [forbidden(path.child(shown), _USERS) for field, shown in shared if spec.get(field)]
    return errors + [
        forbidden(at.child("volumeDevices"), _USERS)
        for at, container in containers_with_paths(spec, path)
        if items_of(container.get("volumeDevices"))
    ]
