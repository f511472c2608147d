"""How volumes, claims to them and what events are about look when a message shows one."""

from typing import Final

from dray.api.validation.internal_form import InternalForms
from dray.api.validation.internal_sources import SOURCES

FORMS: Final = InternalForms(
    """
EventSource:
  Component component string
  Host host string
ObjectReference:
  Kind kind string
  Namespace namespace string
  Name name string
  UID uid string
  APIVersion apiVersion string
  ResourceVersion resourceVersion string
  FieldPath fieldPath string
PersistentVolumeSource:
  GCEPersistentDisk gcePersistentDisk *GCEPersistentDiskVolumeSource
  AWSElasticBlockStore awsElasticBlockStore *AWSElasticBlockStoreVolumeSource
  HostPath hostPath *HostPathVolumeSource
  Glusterfs glusterfs *GlusterfsPersistentVolumeSource
  NFS nfs *NFSVolumeSource
  RBD rbd *RBDPersistentVolumeSource
  Quobyte quobyte *QuobyteVolumeSource
  ISCSI iscsi *ISCSIPersistentVolumeSource
  FlexVolume flexVolume *FlexPersistentVolumeSource
  Cinder cinder *CinderPersistentVolumeSource
  CephFS cephfs *CephFSPersistentVolumeSource
  FC fc *FCVolumeSource
  Flocker flocker *FlockerVolumeSource
  AzureFile azureFile *AzureFilePersistentVolumeSource
  VsphereVolume vsphereVolume *VsphereVirtualDiskVolumeSource
  AzureDisk azureDisk *AzureDiskVolumeSource
  PhotonPersistentDisk photonPersistentDisk *PhotonPersistentDiskVolumeSource
  PortworxVolume portworxVolume *PortworxVolumeSource
  ScaleIO scaleIO *ScaleIOPersistentVolumeSource
  Local local *LocalVolumeSource
  StorageOS storageos *StorageOSPersistentVolumeSource
  CSI csi *CSIPersistentVolumeSource
PersistentVolumeClaimSpec:
  AccessModes accessModes []any
  Selector selector any
  Resources resources VolumeResourceRequirements
  VolumeName volumeName string
  StorageClassName storageClassName any
  VolumeMode volumeMode any
  DataSource dataSource *TypedLocalObjectReference
  DataSourceRef dataSourceRef *TypedObjectReference
  VolumeAttributesClassName volumeAttributesClassName any
GlusterfsPersistentVolumeSource:
  EndpointsName endpoints string
  Path path string
  ReadOnly readOnly bool
  EndpointsNamespace endpointsNamespace any
RBDPersistentVolumeSource:
  CephMonitors monitors []any
  RBDImage image string
  FSType fsType string
  RBDPool pool string
  RadosUser user string
  Keyring keyring string
  SecretRef secretRef *SecretReference
  ReadOnly readOnly bool
ISCSIPersistentVolumeSource:
  TargetPortal targetPortal string
  IQN iqn string
  Lun lun int
  ISCSIInterface iscsiInterface string
  FSType fsType string
  ReadOnly readOnly bool
  Portals portals []any
  DiscoveryCHAPAuth chapAuthDiscovery bool
  SessionCHAPAuth chapAuthSession bool
  SecretRef secretRef *SecretReference
  InitiatorName initiatorName any
FlexPersistentVolumeSource:
  Driver driver string
  FSType fsType string
  SecretRef secretRef *SecretReference
  ReadOnly readOnly bool
  Options options map[any]
CinderPersistentVolumeSource:
  VolumeID volumeID string
  FSType fsType string
  ReadOnly readOnly bool
  SecretRef secretRef *SecretReference
CephFSPersistentVolumeSource:
  Monitors monitors []any
  Path path string
  User user string
  SecretFile secretFile string
  SecretRef secretRef *SecretReference
  ReadOnly readOnly bool
AzureFilePersistentVolumeSource:
  SecretName secretName string
  ShareName shareName string
  ReadOnly readOnly bool
  SecretNamespace secretNamespace any
ScaleIOPersistentVolumeSource:
  Gateway gateway string
  System system string
  SecretRef secretRef *SecretReference
  SSLEnabled sslEnabled bool
  ProtectionDomain protectionDomain string
  StoragePool storagePool string
  StorageMode storageMode string
  VolumeName volumeName string
  FSType fsType string
  ReadOnly readOnly bool
LocalVolumeSource:
  Path path string
  FSType fsType any
StorageOSPersistentVolumeSource:
  VolumeName volumeName string
  VolumeNamespace volumeNamespace string
  FSType fsType string
  ReadOnly readOnly bool
  SecretRef secretRef *ObjectReference
CSIPersistentVolumeSource:
  Driver driver string
  VolumeHandle volumeHandle string
  ReadOnly readOnly bool
  FSType fsType string
  VolumeAttributes volumeAttributes map[any]
  ControllerPublishSecretRef controllerPublishSecretRef *SecretReference
  NodeStageSecretRef nodeStageSecretRef *SecretReference
  NodePublishSecretRef nodePublishSecretRef *SecretReference
  ControllerExpandSecretRef controllerExpandSecretRef *SecretReference
  NodeExpandSecretRef nodeExpandSecretRef *SecretReference
SecretReference:
  Name name string
  Namespace namespace string
"""
    + SOURCES
)
