"""How the server's internal resource.k8s.io types look when a message shows one."""

from dray.api.validation.internal_form import InternalForms

FORMS = InternalForms("""
ResourceClaimTemplateSpec:
  ObjectMeta metadata inline
  Spec spec ResourceClaimSpec
ResourceClaimSpec:
  Devices devices DeviceClaim
DeviceClaim:
  Requests requests []DeviceRequest
  Constraints constraints []DeviceConstraint
  Config config []DeviceClaimConfiguration
DeviceRequest:
  Name name string
  Exactly exactly *ExactDeviceRequest
  FirstAvailable firstAvailable []DeviceSubRequest
ExactDeviceRequest:
  DeviceClassName deviceClassName string
  Selectors selectors []DeviceSelector
  AllocationMode allocationMode string
  Count count int
  AdminAccess adminAccess any
  Tolerations tolerations []DeviceToleration
  Capacity capacity *CapacityRequirements
DeviceSubRequest:
  Name name string
  DeviceClassName deviceClassName string
  Selectors selectors []DeviceSelector
  AllocationMode allocationMode string
  Count count int
  Tolerations tolerations []DeviceToleration
  Capacity capacity *CapacityRequirements
CapacityRequirements:
  Requests requests map[any]
DeviceSelector:
  CEL cel *CELDeviceSelector
CELDeviceSelector:
  Expression expression string
DeviceToleration:
  Key key string
  Operator operator string
  Value value string
  Effect effect string
  TolerationSeconds tolerationSeconds any
DeviceConstraint:
  Requests requests []string
  MatchAttribute matchAttribute any
  DistinctAttribute distinctAttribute any
DeviceClaimConfiguration:
  Requests requests []string
  Opaque opaque *OpaqueDeviceConfiguration
OpaqueDeviceConfiguration:
  Driver driver string
  Parameters parameters any
AllocationResult:
  Devices devices DeviceAllocationResult
  NodeSelector nodeSelector *NodeSelector
  AllocationTimestamp allocationTimestamp any
DeviceAllocationResult:
  Results results []DeviceRequestAllocationResult
  Config config []DeviceAllocationConfiguration
DeviceRequestAllocationResult:
  Request request string
  Driver driver string
  Pool pool string
  Device device string
  AdminAccess adminAccess any
  Tolerations tolerations []DeviceToleration
  BindingConditions bindingConditions []string
  BindingFailureConditions bindingFailureConditions []string
  ShareID shareID any
  ConsumedCapacity consumedCapacity map[any]
DeviceAllocationConfiguration:
  Source source string
  Requests requests []string
  Opaque opaque *OpaqueDeviceConfiguration
NodeSelector:
  NodeSelectorTerms nodeSelectorTerms []NodeSelectorTerm
NodeSelectorTerm:
  MatchExpressions matchExpressions []NodeSelectorRequirement
  MatchFields matchFields []NodeSelectorRequirement
NodeSelectorRequirement:
  Key key string
  Operator operator string
  Values values []string
AllocatedDevice:
  Driver driver string
  Pool pool string
  Device device string
  ShareID shareID string
DeviceAttribute:
  IntValue int any
  BoolValue bool any
  StringValue string any
  VersionValue version any
  IntValues ints any
  BoolValues bools any
  StringValues strings any
  VersionValues versions any
ResourcePoolStatusRequestStatus:
  PoolCount poolCount any
  Pools pools []PoolStatus
  Conditions conditions any
PoolStatus:
  Driver driver string
  PoolName poolName string
  Generation generation int
  ResourceSliceCount resourceSliceCount any
  TotalDevices totalDevices any
  AllocatedDevices allocatedDevices any
  AvailableDevices availableDevices any
  UnavailableDevices unavailableDevices any
  NodeName nodeName any
  ValidationError validationError any
SummedStatus:
  PoolCount poolCount any
  Pools pools []SummedPool
  Conditions conditions any
SummedPool:
  Driver driver string
  PoolName poolName string
  Generation generation int
  ResourceSliceCount resourceSliceCount any
  TotalDevices totalDevices any
  AllocatedDevices allocatedDevices any
  AvailableDevices availableDevices any
  UnavailableDevices unavailableDevices any
  NodeName nodeName any
  ValidationError validationError any
  PartitionSummary partitionSummary []PartitionTypeStatus
  ShareableSummary shareableSummary *ShareableSummaryStatus
PartitionTypeStatus:
  Attribute attribute string
  Type type string
  Total total any
  Allocatable allocatable any
ShareableSummaryStatus:
  FullyAvailableDevices fullyAvailableDevices any
  PartiallyAvailableDevices partiallyAvailableDevices any
  Capacity capacity []ShareableCapacityStatus
ShareableCapacityStatus:
  Name name string
  Total total any
  Consumed consumed any
  Available available any
""")
