"""The volumes of a pod in the server's internal types, one of each kind that there ever was."""

from typing import Final

VOLUMES: Final = """
Volume:
  Name name string
  HostPath hostPath *HostPathVolumeSource
  EmptyDir emptyDir *EmptyDirVolumeSource
  GCEPersistentDisk gcePersistentDisk *GCEPersistentDiskVolumeSource
  AWSElasticBlockStore awsElasticBlockStore *AWSElasticBlockStoreVolumeSource
  GitRepo gitRepo *GitRepo
  Secret secret *SecretVolumeSource
  NFS nfs *NFSVolumeSource
  ISCSI iscsi *ISCSI
  Glusterfs glusterfs *Glusterfs
  PersistentVolumeClaim persistentVolumeClaim *PersistentVolumeClaimVolumeSource
  RBD rbd *RBD
  Quobyte quobyte *QuobyteVolumeSource
  FlexVolume flexVolume *FlexVolume
  Cinder cinder *Cinder
  CephFS cephfs *CephFS
  Flocker flocker *FlockerVolumeSource
  DownwardAPI downwardAPI *DownwardAPIVolumeSource
  FC fc *FCVolumeSource
  AzureFile azureFile *AzureFile
  ConfigMap configMap *ConfigMapVolumeSource
  VsphereVolume vsphereVolume *VsphereVirtualDiskVolumeSource
  AzureDisk azureDisk *AzureDiskVolumeSource
  PhotonPersistentDisk photonPersistentDisk *PhotonPersistentDiskVolumeSource
  Projected projected *ProjectedVolumeSource
  PortworxVolume portworxVolume *PortworxVolumeSource
  ScaleIO scaleIO *ScaleIO
  StorageOS storageos *StorageOS
  CSI csi *CSIVolumeSource
  Ephemeral ephemeral *EphemeralVolume
  Image image *ImageVolumeSource
EmptyDirVolumeSource:
  Medium medium string
  SizeLimit sizeLimit any
SecretVolumeSource:
  SecretName secretName string
  Items items []KeyToPath
  DefaultMode defaultMode any
  Optional optional any
ConfigMapVolumeSource:
  Name name string
  Items items []KeyToPath
  DefaultMode defaultMode any
  Optional optional any
KeyToPath:
  Key key string
  Path path string
  Mode mode any
PersistentVolumeClaimVolumeSource:
  ClaimName claimName string
  ReadOnly readOnly bool
DownwardAPIVolumeSource:
  Items items []DownwardAPIVolumeFile
  DefaultMode defaultMode any
DownwardAPIVolumeFile:
  Path path string
  FieldRef fieldRef *ObjectFieldSelector
  ResourceFieldRef resourceFieldRef *ResourceFieldSelector
  Mode mode any
ProjectedVolumeSource:
  Sources sources []VolumeProjection
  DefaultMode defaultMode any
VolumeProjection:
  Secret secret *SecretProjection
  DownwardAPI downwardAPI *DownwardAPIProjection
  ConfigMap configMap *ConfigMapProjection
  ServiceAccountToken serviceAccountToken *ServiceAccountTokenProjection
  ClusterTrustBundle clusterTrustBundle *ClusterTrustBundle
  PodCertificate podCertificate *PodCertificate
SecretProjection:
  Name name string
  Items items []KeyToPath
  Optional optional any
ConfigMapProjection:
  Name name string
  Items items []KeyToPath
  Optional optional any
DownwardAPIProjection:
  Items items []DownwardAPIVolumeFile
ServiceAccountTokenProjection:
  Audience audience string
  ExpirationSeconds expirationSeconds int
  Path path string
CSIVolumeSource:
  Driver driver string
  ReadOnly readOnly any
  FSType fsType any
  VolumeAttributes volumeAttributes map[any]
  NodePublishSecretRef nodePublishSecretRef *LocalObjectReference
ImageVolumeSource:
  Reference reference string
  PullPolicy pullPolicy string
GitRepo:
  Repository repository string
  Revision revision string
  Directory directory string
ISCSI:
  TargetPortal targetPortal string
  IQN iqn string
  Lun lun int
  ISCSIInterface iscsiInterface string
  FSType fsType string
  ReadOnly readOnly bool
  Portals portals []any
  DiscoveryCHAPAuth chapAuthDiscovery bool
  SessionCHAPAuth chapAuthSession bool
  SecretRef secretRef *LocalObjectReference
  InitiatorName initiatorName any
Glusterfs:
  EndpointsName endpoints string
  Path path string
  ReadOnly readOnly bool
RBD:
  CephMonitors monitors []any
  RBDImage image string
  FSType fsType string
  RBDPool pool string
  RadosUser user string
  Keyring keyring string
  SecretRef secretRef *LocalObjectReference
  ReadOnly readOnly bool
FlexVolume:
  Driver driver string
  FSType fsType string
  SecretRef secretRef *LocalObjectReference
  ReadOnly readOnly bool
  Options options map[any]
Cinder:
  VolumeID volumeID string
  FSType fsType string
  ReadOnly readOnly bool
  SecretRef secretRef *LocalObjectReference
CephFS:
  Monitors monitors []any
  Path path string
  User user string
  SecretFile secretFile string
  SecretRef secretRef *LocalObjectReference
  ReadOnly readOnly bool
AzureFile:
  SecretName secretName string
  ShareName shareName string
  ReadOnly readOnly bool
ScaleIO:
  Gateway gateway string
  System system string
  SecretRef secretRef *LocalObjectReference
  SSLEnabled sslEnabled bool
  ProtectionDomain protectionDomain string
  StoragePool storagePool string
  StorageMode storageMode string
  VolumeName volumeName string
  FSType fsType string
  ReadOnly readOnly bool
StorageOS:
  VolumeName volumeName string
  VolumeNamespace volumeNamespace string
  FSType fsType string
  ReadOnly readOnly bool
  SecretRef secretRef *LocalObjectReference
EphemeralVolume:
  VolumeClaimTemplate volumeClaimTemplate *ClaimTemplate
ClaimTemplate:
  ObjectMeta metadata inline
  Spec spec ClaimSpec
ClaimSpec:
  AccessModes accessModes []any
  Selector selector meta
  Resources resources VolumeResourceRequirements
  VolumeName volumeName string
  StorageClassName storageClassName any
  VolumeMode volumeMode any
  DataSource dataSource *TypedLocalObjectReference
  DataSourceRef dataSourceRef *TypedObjectReference
  VolumeAttributesClassName volumeAttributesClassName any
ClusterTrustBundle:
  Name name any
  SignerName signerName any
  LabelSelector labelSelector meta
  Optional optional any
  Path path string
PodCertificate:
  SignerName signerName string
  KeyType keyType string
  MaxExpirationSeconds maxExpirationSeconds any
  CredentialBundlePath credentialBundlePath string
  KeyPath keyPath string
  CertificateChainPath certificateChainPath string
  UserAnnotations userAnnotations map[any]
"""
