"""Everything that may allow a request, in order: the masters group, the node authorizer, RBAC."""

from dray.apiserver.access import ALLOWED, MASTERS, Attributes, Decision
from dray.apiserver.authorization.node import NodeAuthorizer
from dray.apiserver.authorization.rbac import Rbac
from dray.store.backend import Store


class AuthorizerChain:
    """The first authorizer that allows wins; refusals' reasons are joined, as upstream's union does."""

    def __init__(self, store: Store) -> None:
        self.rbac = Rbac(store)
        self._node = NodeAuthorizer(store)

    def authorize(self, attributes: Attributes) -> Decision:
        if MASTERS in attributes.user.groups:
            return ALLOWED
        judged = self._node.authorize(attributes)
        if judged is not None and judged.allowed:
            return judged
        decision = self.rbac.authorize(attributes)
        if decision.allowed or judged is None:
            return decision
        return Decision(False, judged.reason)
