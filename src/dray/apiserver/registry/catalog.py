"""Every kind the API server serves, in the order discovery lists them."""

from dray.apiserver.registry.config_map import CONFIG_MAP, SECRET
from dray.apiserver.registry.daemon_set import DAEMON_SET
from dray.apiserver.registry.device_class import DEVICE_CLASS
from dray.apiserver.registry.device_taint_rule import DEVICE_TAINT_RULE
from dray.apiserver.registry.event import EVENT, EVENT_V1
from dray.apiserver.registry.kind import Kind
from dray.apiserver.registry.lease import LEASE
from dray.apiserver.registry.namespace import NAMESPACE
from dray.apiserver.registry.node import NODE
from dray.apiserver.registry.pod import POD
from dray.apiserver.registry.priority_class import PRIORITY_CLASS
from dray.apiserver.registry.rbac import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING
from dray.apiserver.registry.resource_claim import RESOURCE_CLAIM
from dray.apiserver.registry.resource_claim_template import RESOURCE_CLAIM_TEMPLATE
from dray.apiserver.registry.resource_pool_status_request import RESOURCE_POOL_STATUS_REQUEST
from dray.apiserver.registry.resource_slice import RESOURCE_SLICE
from dray.apiserver.registry.service_account import SERVICE_ACCOUNT

_KINDS = (
    CONFIG_MAP,
    EVENT,
    NAMESPACE,
    NODE,
    POD,
    SECRET,
    SERVICE_ACCOUNT,
    DAEMON_SET,
    LEASE,
    EVENT_V1,
    CLUSTER_ROLE_BINDING,
    CLUSTER_ROLE,
    ROLE_BINDING,
    ROLE,
    PRIORITY_CLASS,
    DEVICE_CLASS,
    DEVICE_TAINT_RULE,
    RESOURCE_CLAIM,
    RESOURCE_CLAIM_TEMPLATE,
    RESOURCE_POOL_STATUS_REQUEST,
    RESOURCE_SLICE,
)


def catalog() -> tuple[Kind, ...]:
    return _KINDS
