"""What a server of another release stored, and this one could not read: brought into this release's form at the start."""

from typing import Final

from dray.api.conversion.scheduling import converted
from dray.api.pod_groups import pod_groups_in, workloads_in
from dray.api.resources import Resource
from dray.apiserver.core import Core, prefix_of

PAGE: Final = 500


async def bring_over(core: Core) -> None:
    """PodGroups and Workloads. Without it such a group could not be written, so nothing would ever end its deletion."""
    for resource in (pod_groups_in(core.features), workloads_in(core.features)):
        if core.kinds.of(resource) is not None:
            await _bring_over(core, resource)


async def _bring_over(core: Core, resource: Resource) -> None:
    after = ""
    while True:
        page = core.store.page(resource.qualified, prefix_of(resource, ""), after=after, limit=PAGE)
        for record in page.records:
            if record.obj.get("apiVersion") != resource.api_version:
                obj = converted(record.obj, resource.api_version)
                await core.store.update(resource.qualified, record.path, obj, record.revision)
        if len(page.records) < PAGE:
            return
        after = page.records[-1].path
