"""How the server's internal pod types look when a message shows one, above all the difference between two specs."""

from dray.api.validation.internal_form import InternalForms
from dray.api.validation.internal_sources import SOURCES
from dray.api.validation.pod.internal_volumes import VOLUMES

FORMS = InternalForms(
    """
PodSpec:
  Volumes volumes []Volume
  InitContainers initContainers []Container
  Containers containers []Container
  EphemeralContainers ephemeralContainers []EphemeralContainer
  RestartPolicy restartPolicy string
  TerminationGracePeriodSeconds terminationGracePeriodSeconds any
  ActiveDeadlineSeconds activeDeadlineSeconds any
  DNSPolicy dnsPolicy string
  NodeSelector nodeSelector map[any]
  ServiceAccountName serviceAccountName string
  AutomountServiceAccountToken automountServiceAccountToken any
  NodeName nodeName string
  SecurityContext securityContext *PodSecurityContext
  ImagePullSecrets imagePullSecrets []LocalObjectReference
  Hostname hostname string
  Subdomain subdomain string
  SetHostnameAsFQDN setHostnameAsFQDN any
  Affinity affinity *Affinity
  SchedulerName schedulerName string
  Tolerations tolerations []Toleration
  HostAliases hostAliases []HostAlias
  PriorityClassName priorityClassName string
  Priority priority any
  PreemptionPolicy preemptionPolicy any
  DNSConfig dnsConfig *PodDNSConfig
  ReadinessGates readinessGates []PodReadinessGate
  RuntimeClassName runtimeClassName any
  Overhead overhead map[any]
  EnableServiceLinks enableServiceLinks any
  TopologySpreadConstraints topologySpreadConstraints []TopologySpreadConstraint
  OS os *PodOS
  SchedulingGates schedulingGates []PodSchedulingGate
  ResourceClaims resourceClaims []PodResourceClaim
  Resources resources *ResourceRequirements
  HostnameOverride hostnameOverride any
  SchedulingGroup schedulingGroup *PodSchedulingGroup
PodSchedulingGroup:
  PodGroupName podGroupName any
Container:
  Name name string
  Image image string
  Command command []any
  Args args []any
  WorkingDir workingDir string
  Ports ports []ContainerPort
  EnvFrom envFrom []EnvFromSource
  Env env []EnvVar
  Resources resources ResourceRequirements
  ResizePolicy resizePolicy []ContainerResizePolicy
  RestartPolicy restartPolicy any
  RestartPolicyRules restartPolicyRules []RestartRule
  VolumeMounts volumeMounts []VolumeMount
  VolumeDevices volumeDevices []VolumeDevice
  LivenessProbe livenessProbe *Probe
  ReadinessProbe readinessProbe *Probe
  StartupProbe startupProbe *Probe
  Lifecycle lifecycle *Lifecycle
  TerminationMessagePath terminationMessagePath string
  TerminationMessagePolicy terminationMessagePolicy string
  ImagePullPolicy imagePullPolicy string
  SecurityContext securityContext *SecurityContext
  Stdin stdin bool
  StdinOnce stdinOnce bool
  TTY tty bool
EphemeralContainer:
  Container . Container
  TargetContainerName targetContainerName string
ContainerPort:
  Name name string
  HostPort hostPort int
  ContainerPort containerPort int
  Protocol protocol string
  HostIP hostIP string
EnvFromSource:
  Prefix prefix string
  ConfigMapRef configMapRef *EnvSource
  SecretRef secretRef *EnvSource
EnvSource:
  Name name string
  Optional optional any
EnvVar:
  Name name string
  Value value string
  ValueFrom valueFrom *EnvVarSource
EnvVarSource:
  FieldRef fieldRef *ObjectFieldSelector
  ResourceFieldRef resourceFieldRef *ResourceFieldSelector
  ConfigMapKeyRef configMapKeyRef *KeySelector
  SecretKeyRef secretKeyRef *KeySelector
  FileKeyRef fileKeyRef *FileKeySelector
ObjectFieldSelector:
  APIVersion apiVersion string
  FieldPath fieldPath string
ResourceFieldSelector:
  ContainerName containerName string
  Resource resource string
  Divisor divisor any
KeySelector:
  Name name string
  Key key string
  Optional optional any
ResourceRequirements:
  Limits limits map[any]
  Requests requests map[any]
  Claims claims []ResourceClaim
ResourceClaim:
  Name name string
  Request request string
ContainerResizePolicy:
  ResourceName resourceName string
  RestartPolicy restartPolicy string
VolumeMount:
  Name name string
  ReadOnly readOnly bool
  RecursiveReadOnly recursiveReadOnly any
  MountPath mountPath string
  SubPath subPath string
  MountPropagation mountPropagation any
  SubPathExpr subPathExpr string
VolumeDevice:
  Name name string
  DevicePath devicePath string
Probe:
  ProbeHandler . Handler
  InitialDelaySeconds initialDelaySeconds int
  TimeoutSeconds timeoutSeconds int
  PeriodSeconds periodSeconds int
  SuccessThreshold successThreshold int
  FailureThreshold failureThreshold int
  TerminationGracePeriodSeconds terminationGracePeriodSeconds any
Handler:
  Exec exec *ExecAction
  HTTPGet httpGet *HTTPGetAction
  TCPSocket tcpSocket *TCPSocketAction
  GRPC grpc *GRPCAction
ExecAction:
  Command command []any
HTTPGetAction:
  Path path string
  Port port any
  Host host string
  Scheme scheme string
  HTTPHeaders httpHeaders []HTTPHeader
HTTPHeader:
  Name name string
  Value value string
TCPSocketAction:
  Port port any
  Host host string
GRPCAction:
  Port port int
  Service service any
Lifecycle:
  PostStart postStart *LifecycleHandler
  PreStop preStop *LifecycleHandler
  StopSignal stopSignal any
LifecycleHandler:
  Exec exec *ExecAction
  HTTPGet httpGet *HTTPGetAction
  TCPSocket tcpSocket *TCPSocketAction
  Sleep sleep *SleepAction
SleepAction:
  Seconds seconds int
SecurityContext:
  Capabilities capabilities *Capabilities
  Privileged privileged any
  SELinuxOptions seLinuxOptions *SELinuxOptions
  WindowsOptions windowsOptions *WindowsOptions
  RunAsUser runAsUser any
  RunAsGroup runAsGroup any
  RunAsNonRoot runAsNonRoot any
  ReadOnlyRootFilesystem readOnlyRootFilesystem any
  AllowPrivilegeEscalation allowPrivilegeEscalation any
  ProcMount procMount any
  SeccompProfile seccompProfile *SeccompProfile
  AppArmorProfile appArmorProfile *SeccompProfile
Capabilities:
  Add add []any
  Drop drop []any
SELinuxOptions:
  User user string
  Role role string
  Type type string
  Level level string
SeccompProfile:
  Type type string
  LocalhostProfile localhostProfile any
PodSecurityContext:
  HostNetwork hostNetwork bool
  HostPID hostPID bool
  HostIPC hostIPC bool
  ShareProcessNamespace shareProcessNamespace any
  HostUsers hostUsers any
  SELinuxOptions seLinuxOptions *SELinuxOptions
  WindowsOptions windowsOptions *WindowsOptions
  RunAsUser runAsUser any
  RunAsGroup runAsGroup any
  RunAsNonRoot runAsNonRoot any
  SupplementalGroups supplementalGroups []any
  SupplementalGroupsPolicy supplementalGroupsPolicy any
  FSGroup fsGroup any
  FSGroupChangePolicy fsGroupChangePolicy any
  Sysctls sysctls []NameValue
  SeccompProfile seccompProfile *SeccompProfile
  AppArmorProfile appArmorProfile *SeccompProfile
  SELinuxChangePolicy seLinuxChangePolicy any
NameValue:
  Name name string
  Value value string
LocalObjectReference:
  Name name string
Affinity:
  NodeAffinity nodeAffinity *NodeAffinity
  PodAffinity podAffinity *PodAffinity
  PodAntiAffinity podAntiAffinity *PodAffinity
NodeAffinity:
  RequiredDuringSchedulingIgnoredDuringExecution requiredDuringSchedulingIgnoredDuringExecution *NodeSelector
  PreferredDuringSchedulingIgnoredDuringExecution preferredDuringSchedulingIgnoredDuringExecution []PreferredTerm
NodeSelector:
  NodeSelectorTerms nodeSelectorTerms []NodeSelectorTerm
NodeSelectorTerm:
  MatchExpressions matchExpressions []NodeSelectorRequirement
  MatchFields matchFields []NodeSelectorRequirement
NodeSelectorRequirement:
  Key key string
  Operator operator string
  Values values []any
PreferredTerm:
  Weight weight int
  Preference preference NodeSelectorTerm
PodAffinity:
  RequiredDuringSchedulingIgnoredDuringExecution requiredDuringSchedulingIgnoredDuringExecution []PodAffinityTerm
  PreferredDuringSchedulingIgnoredDuringExecution preferredDuringSchedulingIgnoredDuringExecution []WeightedTerm
PodAffinityTerm:
  LabelSelector labelSelector meta
  Namespaces namespaces []any
  TopologyKey topologyKey string
  NamespaceSelector namespaceSelector meta
  MatchLabelKeys matchLabelKeys []any
  MismatchLabelKeys mismatchLabelKeys []any
WeightedTerm:
  Weight weight int
  PodAffinityTerm podAffinityTerm PodAffinityTerm
Toleration:
  Key key string
  Operator operator string
  Value value string
  Effect effect string
  TolerationSeconds tolerationSeconds any
HostAlias:
  IP ip string
  Hostnames hostnames []any
PodDNSConfig:
  Nameservers nameservers []any
  Searches searches []any
  Options options []PodDNSConfigOption
PodDNSConfigOption:
  Name name string
  Value value any
PodReadinessGate:
  ConditionType conditionType string
TopologySpreadConstraint:
  MaxSkew maxSkew int
  TopologyKey topologyKey string
  WhenUnsatisfiable whenUnsatisfiable string
  LabelSelector labelSelector meta
  MinDomains minDomains any
  NodeAffinityPolicy nodeAffinityPolicy any
  NodeTaintsPolicy nodeTaintsPolicy any
  MatchLabelKeys matchLabelKeys []any
PodOS:
  Name name string
PodSchedulingGate:
  Name name string
PodResourceClaim:
  Name name string
  ResourceClaimName resourceClaimName any
  ResourceClaimTemplateName resourceClaimTemplateName any
WindowsOptions:
  GMSACredentialSpecName gmsaCredentialSpecName any
  GMSACredentialSpec gmsaCredentialSpec any
  RunAsUserName runAsUserName any
  HostProcess hostProcess any
RestartRule:
  Action action string
  ExitCodes exitCodes *RestartCodes
RestartCodes:
  Operator operator string
  Values values []any
FileKeySelector:
  VolumeName volumeName string
  Path path string
  Key key string
  Optional optional any
"""
    + VOLUMES
    + SOURCES
)

_HOST_FIELDS = ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace", "hostUsers")


def internal_pod_spec(spec: dict[str, object]) -> object:
    """A pod's spec in its internal form, where what concerns the host is part of the security context."""
    moved = {field: spec[field] for field in _HOST_FIELDS if field in spec}
    context = spec.get("securityContext")
    if moved or context is not None:
        spec = {**spec, "securityContext": {**(context if isinstance(context, dict) else {}), **moved}}
    return FORMS.show("PodSpec", spec)
