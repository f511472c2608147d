"""The tutorial's steps as data: each command as the page prints it, and what the page says it shows.

Where the page and a real Kubernetes 1.36 differ (the page is older), the expectation is what Kubernetes 1.36 answers,
and the step says so in its `remark`.
"""

import dataclasses
from typing import Literal

Edition = Literal["latest", "2025"]
NAMESPACE = "dra-tutorial"
MANIFEST_URL = "https://k8s.io/examples/dra/driver-install"


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    section: str
    command: str
    expected: str = ""
    """Output pattern (see `pattern`), stdout and stderr together; "" accepts none at all."""
    in_part: bool = False
    """The expected lines need only occur, in order."""
    wait_seconds: float = 0.0
    """How long the state shown may take to come about, as it does for a reader."""
    remark: str = ""
    """Told beside the verdict: why this is right although the page shows something else."""
    is_explained_only: bool = False
    """Not run; `remark` says why."""
    corrects: bool = False
    """A command the page should have shown; run after the one it corrects."""


INITIAL = "Explore the DRA initial state"
INSTALL = "Install an example DRA driver"
CONFIRM = "Confirm the DRA driver is running"
DEPLOY = "Deploy a Pod with a claim using DRA APIs"
REMOVE = "Remove the Pod with a claim"
CLEANUP = "Cleanup"

_NOTHING = "No resources found"

_DRIVER_PODS = """
NAME READY STATUS RESTARTS AGE
dra-example-driver-kubeletplugin-<suffix> 1/1 Running 0 <age>
dra-example-driver-kubeletplugin-<suffix> 1/1 Running 0 <age>
"""
_SLICES = """
NAME NODE DRIVER POOL AGE
00000-gpu.example.com-<node1>-<suffix> <node1> gpu.example.com <node1> <age>
00000-gpu.example.com-<node2>-<suffix> <node2> gpu.example.com <node2> <age>
"""
_CLAIM = """
apiVersion: resource.k8s.io/v1
kind: ResourceClaim
metadata:
  creationTimestamp: "<time>"
  finalizers:
  - resource.kubernetes.io/delete-protection
  name: some-gpu
  namespace: dra-tutorial
  resourceVersion: "<n>"
  uid: <uid>
spec:
  devices:
    requests:
    - exactly:
        allocationMode: ExactCount
        count: 1
        deviceClassName: gpu.example.com
        selectors:
        - cel:
            expression: device.capacity['gpu.example.com'].memory.compareTo(quantity('10Gi'))
              >= 0
      name: some-gpu
status:
  allocation:
    allocationTimestamp: "<time>"
    devices:
      results:
      - device: gpu-<n>
        driver: gpu.example.com
        pool: <node1>
        request: some-gpu
    nodeSelector:
      nodeSelectorTerms:
      - matchFields:
        - key: metadata.name
          operator: In
          values:
          - <node1>
  reservedFor:
  - name: pod0
    resource: pods
    uid: <uid>
"""
_PREPARED = {
    "2025": """
<klog> NodePrepareResource is called: number of claims: 1
<klog> Returning newly prepared devices for claim '<uid1>': [&Device{RequestNames:[some-gpu],PoolName:<node1>,DeviceName:gpu-<n1>,CDIDeviceIDs:[k8s.gpu.example.com/gpu=common k8s.gpu.example.com/gpu=<uid1>-gpu-<n1>],}]
""",
    "latest": """
<klog> "PrepareResourceClaims is called"<any> numClaims=1
<klog> "Returning newly prepared devices for claim"<any> uid="<uid1>" devices=[{"Requests":["some-gpu"],"PoolName":"<node1>","DeviceName":"gpu-<n1>","CDIDeviceIDs":["k8s.gpu.example.com/gpu=common","k8s.gpu.example.com/gpu=<uid1>-gpu-<n1>"],"ShareID":null,"Metadata":null}]
""",
}
_UNPREPARED = {
    "2025": "<klog> NodeUnPrepareResource is called: number of claims: 1",
    "latest": '<klog> "UnprepareResourceClaims is called"<any> numClaims=1',
}
_OLD_VERSION = "The warning is what Kubernetes 1.36 adds for a version that is on its way out."
_PREFERRED = (
    "The page shows a List in v1beta2, as kubectl and Kubernetes printed it then; 1.36 prefers v1, names the time of "
    "allocation and leaves out fields that are null."
)


def steps(edition: Edition) -> list[Step]:
    """Every step of one edition of the page, in order."""
    return [
        *_initial(),
        *_install(edition),
        *_confirm(),
        *_deploy(edition),
        *_remove(edition),
        *_cleanup(),
    ]


def _initial() -> list[Step]:
    return [
        Step(INITIAL, "kubectl get deviceclasses", _NOTHING),
        Step(INITIAL, "kubectl get resourceslices", _NOTHING),
        Step(INITIAL, "kubectl get resourceclaims -A", _NOTHING),
        Step(INITIAL, "kubectl get resourceclaimtemplates -A", _NOTHING),
    ]


def _apply(section: str, file: str, applied: str, warning: str = "") -> Step:
    command = f"kubectl apply --server-side -f {MANIFEST_URL}/{file}"
    expected = f"{warning}\n{applied} serverside-applied" if warning else f"{applied} serverside-applied"
    return Step(section, command, expected, remark=_OLD_VERSION if warning else "")


def _install(edition: Edition) -> list[Step]:
    old = edition == "2025"
    image = f"registry.k8s.io/dra-example-driver/dra-example-driver:{'v0.1.0' if old else 'v0.4.0'}"
    warning = (
        "Warning: resource.k8s.io/v1beta1 DeviceClass is deprecated in v1.35+, unavailable in v1.38+"
        if old
        else ""
    )
    priority = _apply(
        INSTALL, "priorityclass.yaml", "priorityclass.scheduling.k8s.io/dra-driver-high-priority"
    )
    return [
        Step(INSTALL, f"kubectl create namespace {NAMESPACE}", f"namespace/{NAMESPACE} created"),
        Step(
            INSTALL,
            f"docker pull {image}",
            is_explained_only=True,
            remark="Not run: nodes of dray pull no images. A container is a process of this machine, and the driver's "
            "program, dra-example-kubeletplugin, comes with dray.",
        ),
        _apply(INSTALL, "deviceclass.yaml", "deviceclass.resource.k8s.io/gpu.example.com", warning),
        _apply(INSTALL, "serviceaccount.yaml", "serviceaccount/dra-example-driver-service-account"),
        _apply(INSTALL, "clusterrole.yaml", "clusterrole.rbac.authorization.k8s.io/dra-example-driver-role"),
        _apply(
            INSTALL,
            "clusterrolebinding.yaml",
            "clusterrolebinding.rbac.authorization.k8s.io/dra-example-driver-role-binding",
        ),
        *([] if old else [priority]),
        _apply(INSTALL, "daemonset.yaml", "daemonset.apps/dra-example-driver-kubeletplugin"),
    ]


def _confirm() -> list[Step]:
    select = "kubectl get pod -l app.kubernetes.io/name=dra-example-driver"
    return [
        Step(
            CONFIRM,
            select,
            "No resources found in default namespace.",
            remark="The page forgets the namespace here; a real cluster answers the same. With it:",
        ),
        Step(CONFIRM, f"{select} -n {NAMESPACE}", _DRIVER_PODS, wait_seconds=20, corrects=True),
        Step(
            CONFIRM,
            "kubectl get resourceslices",
            _SLICES,
            wait_seconds=20,
            remark="Drivers since 2026 put a number and the driver first in the name.",
        ),
    ]


def _deploy(edition: Edition) -> list[Step]:
    old = edition == "2025"
    warning = (
        "Warning: resource.k8s.io/v1beta2 ResourceClaim is deprecated in v1.36+, unavailable in v1.39+"
        if old
        else ""
    )
    grep = 'grep -E "GPU_DEVICE_[0-9]+=" | grep -v "RESOURCE_CLAIM"'
    return [
        _apply(DEPLOY, "example/resourceclaim.yaml", "resourceclaim.resource.k8s.io/some-gpu", warning),
        _apply(DEPLOY, "example/pod.yaml", "pod/pod0"),
        Step(
            DEPLOY,
            f"kubectl get pod pod0 -n {NAMESPACE}",
            "NAME READY STATUS RESTARTS AGE\npod0 1/1 Running 0 <age>",
            wait_seconds=20,
        ),
        Step(
            DEPLOY,
            f"kubectl logs pod0 -c ctr0 -n {NAMESPACE} | {grep}",
            'declare -x GPU_DEVICE_<n1>="gpu-<n1>"',
            wait_seconds=5,
        ),
        Step(
            DEPLOY,
            f"kubectl get resourceclaims -n {NAMESPACE}",
            "NAME STATE AGE\nsome-gpu allocated,reserved <age>",
        ),
        Step(DEPLOY, f"kubectl get resourceclaim some-gpu -n {NAMESPACE} -o yaml", _CLAIM, remark=_PREFERRED),
        Step(
            DEPLOY,
            f"kubectl logs -l app.kubernetes.io/name=dra-example-driver -n {NAMESPACE}",
            _PREPARED[edition],
            in_part=True,
        ),
    ]


def _remove(edition: Edition) -> list[Step]:
    return [
        Step(REMOVE, f"kubectl delete pod pod0 -n {NAMESPACE}", """pod "pod0" deleted<any>"""),
        Step(
            REMOVE,
            f"kubectl get resourceclaims -n {NAMESPACE}",
            "NAME STATE AGE\nsome-gpu pending <age>",
            wait_seconds=5,
        ),
        Step(
            REMOVE,
            f"kubectl logs -l app.kubernetes.io/name=dra-example-driver -n {NAMESPACE}",
            _UNPREPARED[edition],
            in_part=True,
        ),
    ]


def _cleanup() -> list[Step]:
    return [
        Step(CLEANUP, f"kubectl delete namespace {NAMESPACE}", f'namespace "{NAMESPACE}" deleted'),
        Step(
            CLEANUP,
            "kubectl delete deviceclass gpu.example.com",
            'deviceclass.resource.k8s.io "gpu.example.com" deleted',
        ),
    ]
