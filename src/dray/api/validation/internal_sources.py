"""The sources of volumes that pods and persistent volumes share, in the server's internal types."""

from typing import Final

SOURCES: Final = """
GCEPersistentDiskVolumeSource:
  PDName pdName string
  FSType fsType string
  Partition partition int
  ReadOnly readOnly bool
AWSElasticBlockStoreVolumeSource:
  VolumeID volumeID string
  FSType fsType string
  Partition partition int
  ReadOnly readOnly bool
HostPathVolumeSource:
  Path path string
  Type type any
NFSVolumeSource:
  Server server string
  Path path string
  ReadOnly readOnly bool
QuobyteVolumeSource:
  Registry registry string
  Volume volume string
  ReadOnly readOnly bool
  User user string
  Group group string
  Tenant tenant string
FCVolumeSource:
  TargetWWNs targetWWNs []any
  Lun lun any
  FSType fsType string
  ReadOnly readOnly bool
  WWIDs wwids []any
FlockerVolumeSource:
  DatasetName datasetName string
  DatasetUUID datasetUUID string
VsphereVirtualDiskVolumeSource:
  VolumePath volumePath string
  FSType fsType string
  StoragePolicyName storagePolicyName string
  StoragePolicyID storagePolicyID string
AzureDiskVolumeSource:
  DiskName diskName string
  DataDiskURI diskURI string
  CachingMode cachingMode any
  FSType fsType any
  ReadOnly readOnly any
  Kind kind any
PhotonPersistentDiskVolumeSource:
  PdID pdID string
  FSType fsType string
PortworxVolumeSource:
  VolumeID volumeID string
  FSType fsType string
  ReadOnly readOnly bool
VolumeResourceRequirements:
  Limits limits map[any]
  Requests requests map[any]
TypedLocalObjectReference:
  APIGroup apiGroup any
  Kind kind string
  Name name string
TypedObjectReference:
  APIGroup apiGroup any
  Kind kind string
  Name name string
  Namespace namespace any
"""
