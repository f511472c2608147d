"""Everything that may allow a request, in order: the masters group, the node authorizer, RBAC."""

from dray.apiserver.access import ALLOWED, MASTERS, Attributes, Decision
from dray.apiserver.authorization.node import NodeAuthorizer, node_of
from dray.apiserver.authorization.rbac import Rbac
from dray.apiserver.registry.kind import User
from dray.store.backend import Store


class AuthorizerChain:
    """The first authorizer that allows wins; refusals' reasons are joined, as upstream's union does."""

    def __init__(self, store: Store) -> None:
        self.rbac = Rbac(store)
        self._node = NodeAuthorizer(store)

    def unlisted(self, user: User) -> str:
        """Why a list of what `user` may do by RBAC is incomplete; "" if it is not."""
        return "node authorizer does not support user rule resolution" if node_of(user) else ""

    def authorize(self, attributes: Attributes) -> Decision:
        if MASTERS in attributes.user.groups:
            return ALLOWED
        judged = self._node.authorize(attributes)
        if judged is not None and judged.allowed:
            return judged
        decision = self.rbac.authorize(attributes)
        if decision.allowed or judged is None:
            return decision
        return Decision(False, "\n".join(filter(None, (judged.reason, decision.reason))))
