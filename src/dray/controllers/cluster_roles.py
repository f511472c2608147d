"""Fills aggregated ClusterRoles (admin, edit, view) with the rules of the roles that their selectors match."""

from typing import ClassVar

from dray.api.meta import Object, ObjectKey, labels_of, name_of
from dray.api.resources import CLUSTER_ROLES
from dray.api.selectors import selects
from dray.controllers.base import Context, Controller


class ClusterRoleAggregation(Controller):
    name: ClassVar[str] = "clusterrole-aggregation-controller"
    workers: ClassVar[int] = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.roles = self.informer(CLUSTER_ROLES)
        self.roles.add_handler(
            on_add=self._any_changed,
            on_update=lambda _, new: self._any_changed(new),
            on_delete=self._any_changed,
        )

    def _any_changed(self, role: Object) -> None:
        for each in self.roles.cache.list():
            if each.get("aggregationRule"):
                self._enqueue(each)

    async def sync(self, key: ObjectKey) -> None:
        role = self.roles.cache.get(key)
        if role is None or not role.get("aggregationRule"):
            return
        rules: list[Object] = []
        for source in sorted(self.roles.cache.list(), key=name_of):
            if name_of(source) != key.name and _is_selected(role, source):
                rules += [rule for rule in source.get("rules") or () if rule not in rules]
        if rules != (role.get("rules") or []):
            updated = await self.client.update(CLUSTER_ROLES, {**role, "rules": rules})
            await self.roles.wait_seen(updated)


def _is_selected(role: Object, source: Object) -> bool:
    selectors = role["aggregationRule"].get("clusterRoleSelectors") or ()
    return any(selects(selector, labels_of(source)) for selector in selectors)
