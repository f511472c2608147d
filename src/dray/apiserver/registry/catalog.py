"""Every kind the API server serves, by group, in the order discovery lists them."""

from dray.api.releases import BASELINE
from dray.apiserver.registry.admission_policy import (
    VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING,
)
from dray.apiserver.registry.autoscaler import HORIZONTAL_POD_AUTOSCALER
from dray.apiserver.registry.binding import BINDING
from dray.apiserver.registry.certificate_request import CERTIFICATE_SIGNING_REQUEST
from dray.apiserver.registry.component_status import COMPONENT_STATUS
from dray.apiserver.registry.config_map import CONFIG_MAP, SECRET
from dray.apiserver.registry.cron_job import CRON_JOB
from dray.apiserver.registry.csi import CSI_DRIVER, CSI_NODE, CSI_STORAGE_CAPACITY
from dray.apiserver.registry.daemon_set import DAEMON_SET
from dray.apiserver.registry.deployment import DEPLOYMENT
from dray.apiserver.registry.device_class import DEVICE_CLASS
from dray.apiserver.registry.device_taint_rule import DEVICE_TAINT_RULE
from dray.apiserver.registry.disruption_budget import POD_DISRUPTION_BUDGET
from dray.apiserver.registry.endpoints import ENDPOINT_SLICE, ENDPOINTS_KIND
from dray.apiserver.registry.event import EVENT, EVENT_V1
from dray.apiserver.registry.ingress import INGRESS, INGRESS_CLASS
from dray.apiserver.registry.job import JOB
from dray.apiserver.registry.kind import Kind, in_release
from dray.apiserver.registry.lease import LEASE
from dray.apiserver.registry.mutating_policy import (
    MUTATING_ADMISSION_POLICY,
    MUTATING_ADMISSION_POLICY_BINDING,
)
from dray.apiserver.registry.namespace import NAMESPACE
from dray.apiserver.registry.network_policy import NETWORK_POLICY
from dray.apiserver.registry.node import NODE
from dray.apiserver.registry.pod import POD
from dray.apiserver.registry.pod_group import POD_GROUP, WORKLOAD
from dray.apiserver.registry.pod_group_beta import POD_GROUP_BETA, WORKLOAD_BETA
from dray.apiserver.registry.pod_template import POD_TEMPLATE
from dray.apiserver.registry.priority_class import PRIORITY_CLASS
from dray.apiserver.registry.quota import LIMIT_RANGE, RESOURCE_QUOTA
from dray.apiserver.registry.rbac import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING
from dray.apiserver.registry.replica_set import REPLICA_SET, REPLICATION_CONTROLLER
from dray.apiserver.registry.resource_claim import RESOURCE_CLAIM
from dray.apiserver.registry.resource_claim_template import RESOURCE_CLAIM_TEMPLATE
from dray.apiserver.registry.resource_pool_status_request import RESOURCE_POOL_STATUS_REQUEST
from dray.apiserver.registry.resource_slice import RESOURCE_SLICE
from dray.apiserver.registry.reviews import REVIEWS
from dray.apiserver.registry.runtime_class import RUNTIME_CLASS
from dray.apiserver.registry.service import SERVICE
from dray.apiserver.registry.service_account import SERVICE_ACCOUNT
from dray.apiserver.registry.service_address import IP_ADDRESS, SERVICE_CIDR
from dray.apiserver.registry.stateful_set import CONTROLLER_REVISION, STATEFUL_SET
from dray.apiserver.registry.storage import (
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    STORAGE_CLASS,
    VOLUME_ATTRIBUTES_CLASS,
)
from dray.apiserver.registry.volume_attachment import VOLUME_ATTACHMENT
from dray.apiserver.registry.webhook_configuration import (
    MUTATING_WEBHOOK_CONFIGURATION,
    VALIDATING_WEBHOOK_CONFIGURATION,
)

_CORE = (
    BINDING, COMPONENT_STATUS, CONFIG_MAP, ENDPOINTS_KIND, EVENT, LIMIT_RANGE, NAMESPACE, NODE, PERSISTENT_VOLUME_CLAIM, PERSISTENT_VOLUME, POD,
    POD_TEMPLATE, REPLICATION_CONTROLLER, RESOURCE_QUOTA, SECRET, SERVICE_ACCOUNT, SERVICE,
)  # fmt: skip
_WORKLOADS = (
    CONTROLLER_REVISION, DAEMON_SET, DEPLOYMENT, REPLICA_SET, STATEFUL_SET, HORIZONTAL_POD_AUTOSCALER, CRON_JOB, JOB,
)  # fmt: skip
_POLICIES = (
    CLUSTER_ROLE_BINDING, CLUSTER_ROLE, ROLE_BINDING, ROLE, PRIORITY_CLASS, POD_GROUP, POD_GROUP_BETA, WORKLOAD,
    WORKLOAD_BETA, POD_DISRUPTION_BUDGET,
    MUTATING_ADMISSION_POLICY, MUTATING_ADMISSION_POLICY_BINDING, VALIDATING_ADMISSION_POLICY,
    VALIDATING_ADMISSION_POLICY_BINDING, MUTATING_WEBHOOK_CONFIGURATION, VALIDATING_WEBHOOK_CONFIGURATION,
)  # fmt: skip
_CLUSTER = (
    LEASE, EVENT_V1, ENDPOINT_SLICE, CERTIFICATE_SIGNING_REQUEST, RUNTIME_CLASS, INGRESS_CLASS, INGRESS, IP_ADDRESS,
    NETWORK_POLICY, SERVICE_CIDR, CSI_DRIVER, CSI_NODE, CSI_STORAGE_CAPACITY, STORAGE_CLASS, VOLUME_ATTACHMENT,
    VOLUME_ATTRIBUTES_CLASS,
)  # fmt: skip
_DEVICES = (
    DEVICE_CLASS, DEVICE_TAINT_RULE, RESOURCE_CLAIM, RESOURCE_CLAIM_TEMPLATE, RESOURCE_POOL_STATUS_REQUEST,
    RESOURCE_SLICE,
)  # fmt: skip


def catalog(release: str = BASELINE) -> tuple[Kind, ...]:
    """The kinds of a release of Kubernetes, each in the versions that it has there."""
    kinds = (*_CORE, *_WORKLOADS, *_POLICIES, *_CLUSTER, *_DEVICES, *REVIEWS)
    return tuple(kind for kind in (in_release(kind, release) for kind in kinds) if kind.versions)
