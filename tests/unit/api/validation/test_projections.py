"""Projected volumes, and volumes in containers, in the words of kube-apiserver 1.36.2."""

import pytest

from dray.api.fields import Path
from dray.api.meta import Object
from dray.api.validation.pod.mounts import validate_volume_devices, validate_volume_mounts
from dray.api.validation.pod.volumes import validate_volumes

KEY: Object = {"signerName": "e.x/y", "keyType": "ED25519", "keyPath": "k"}
BUNDLE: Object = {"name": "b", "path": "p"}
SUBDOMAIN = "a lowercase RFC 1123 subdomain must consist of"
SIGNER = "must be a fully qualified domain and path of the form 'example.com/signer-name'"


def told(*sources: Object) -> list[str]:
    volume = {"name": "v", "projected": {"sources": list(sources)}}
    _, errors = validate_volumes([volume], Path("volumes"), is_pod=True)
    return [str(error).removeprefix("volumes[0].projected") for error in errors]


def of_bundle(**fields: object) -> list[str]:
    given = {name: value for name, value in {"path": "p", **fields}.items() if value is not None}
    return [
        text.removeprefix(".sources[0].clusterTrustBundle") for text in told({"clusterTrustBundle": given})
    ]


def of_certificate(**fields: object) -> list[str]:
    given = {name: value for name, value in {**KEY, **fields}.items() if value is not None}
    return [text.removeprefix(".sources[0].podCertificate") for text in told({"podCertificate": given})]


@pytest.mark.parametrize("name", ["b", "a.b:c:d", "example.com:foo:bar", "a:b"])
def test_a_bundle_has_its_own_name_or_one_that_begins_with_its_signers(name: str) -> None:
    assert of_bundle(name=name) == []


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("A_", SUBDOMAIN),
        ("example.com:foo:A_", SUBDOMAIN),
        (":", 'ClusterTrustBundle without signer name must not have ":" in its name'),
    ],
)
def test_another_name_is_none(name: str, why: str) -> None:
    (found,) = of_bundle(name=name)
    assert found.startswith(f'.name: Invalid value: "{name}": not a valid clustertrustbundlename: {why}')


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, [": Required value: either name or signerName must be specified"]),
        (
            {"name": "a", "signerName": "e.x/y"},
            [
                ': Invalid value: {"Name":"a","SignerName":"e.x/y","LabelSelector":null,"Optional":null,"Path":"p"}: only '
                "one of name and signerName may be used"
            ],
        ),
        (
            {"name": "a", "labelSelector": {}},
            [".labelSelector: Invalid value: {}: labelSelector must be unset if name is specified"],
        ),
        (
            {"signerName": ""},
            [".signerName: Required value: must be a valid signer name", ".signerName: Required value"],
        ),
        ({"signerName": "x"}, [f'.signerName: Invalid value: "x": {SIGNER}']),
        ({"signerName": "e.x/y", "path": None}, [".path: Required value"]),
        ({"name": "a", "path": "..x"}, [""".path: Invalid value: "..x": must not start with '..'"""]),
    ],
)
def test_bundles_are_of_one_name_or_one_signer(fields: Object, found: list[str]) -> None:
    assert of_bundle(**fields) == found


def test_a_certificate_says_who_signs_it_what_key_it_is_of_and_where_it_goes() -> None:
    kinds = '"RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"'
    assert of_certificate() == []
    assert of_certificate(signerName=None, keyType=None, keyPath=None) == [
        ".signerName: Required value",
        f'.keyType: Unsupported value: "": supported values: {kinds}',
        ": Required value: specify at least one of credentialBundlePath, keyPath, and certificateChainPath",
    ]


@pytest.mark.parametrize(
    ("signer", "seconds", "bound"),
    [
        ("e.x/y", 3600, ""),
        ("e.x/y", 3599, ">= 3600"),
        ("e.x/y", 7862400, ""),
        ("e.x/y", 7862401, "<= 7862400"),
        ("kubernetes.io/y", 86400, ""),
        ("kubernetes.io/y", 86401, "<= 86400"),
        ("a.kubernetes.io/y", 86401, "<= 86400"),
        ("a.k8s.io/y", 86401, ""),
    ],
)
def test_certificates_of_kubernetes_own_signers_end_sooner(signer: str, seconds: int, bound: str) -> None:
    text = (
        f".maxExpirationSeconds: Invalid value: {seconds}: if provided, maxExpirationSeconds must be {bound}"
    )
    assert of_certificate(signerName=signer, maxExpirationSeconds=seconds) == ([text] if bound else [])


def test_annotations_of_a_certificate_have_a_domain() -> None:
    assert of_certificate(userAnnotations={"e.x/a": "b"}) == []
    assert of_certificate(userAnnotations={"a": "b"}) == [
        '.userAnnotations: Invalid value: "a": must be a domain-prefixed key (such as "acme.io/foo")'
    ]


def test_no_two_files_of_a_volume_come_to_one_place() -> None:
    taken = ': Invalid value: "p": conflicting duplicate paths'
    secret = {"secret": {"name": "s", "items": [{"key": "k", "path": "p"}]}}
    certificate = {"podCertificate": {**KEY, "certificateChainPath": "p"}}
    assert told(secret, {"clusterTrustBundle": BUNDLE}) == [taken]
    assert told({"clusterTrustBundle": BUNDLE}, certificate) == [taken]
    assert told({"podCertificate": {**KEY, "certificateChainPath": "k"}}) == [
        ': Invalid value: "k": conflicting duplicate paths'
    ]


def test_an_image_is_missed_in_pods_and_not_in_templates() -> None:
    volumes = [{"name": "v", "image": {}}]
    _, errors = validate_volumes(volumes, Path("volumes"), is_pod=True)
    assert [str(error) for error in errors] == ["volumes[0].image.reference: Required value"]
    assert validate_volumes(volumes, Path("volumes"))[1] == []


VOLUMES: Object = {"p": {"persistentVolumeClaim": {"claimName": "x"}}, "e": {"emptyDir": {}}}


def of_devices(devices: list[tuple[str, str]], mounts: list[tuple[str, str]] | None = None) -> list[str]:
    container = {
        "volumeDevices": [{"name": name, "devicePath": path} for name, path in devices],
        "volumeMounts": [{"name": name, "mountPath": path} for name, path in mounts or []],
    }
    found = validate_volume_mounts(container, VOLUMES, Path("volumeMounts"))
    found += validate_volume_devices(container, VOLUMES, Path("volumeDevices"))
    return [str(error) for error in found]


@pytest.mark.parametrize(
    ("devices", "found"),
    [
        ([("p", "/a")], []),
        ([("e", "/a")],
         ['volumeDevices[0].name: Invalid value: "e": can only use volume source type of PersistentVolumeClaim or '
          "Ephemeral for block mode"]),
        ([("", "")],
         ["volumeDevices[0].name: Required value", 'volumeDevices[0].name: Not found: ""',
          "volumeDevices[0].devicePath: Required value"]),
        ([("p", "/a"), ("p", "/a")],
         ['volumeDevices[1].name: Invalid value: "p": must be unique',
          'volumeDevices[1].devicePath: Invalid value: "/a": must be unique']),
        ([("p", "/x/../y")],
         ["""volumeDevices[0].devicePath: Invalid value: "/x/../y": can not contain backsteps ('..')"""]),
    ],
)  # fmt: skip
def test_raw_devices_are_of_claims_and_have_places_of_their_own(
    devices: list[tuple[str, str]], found: list[str]
) -> None:
    assert of_devices(devices) == found


def test_a_volume_is_mounted_or_a_device_and_never_at_one_place_with_another() -> None:
    assert of_devices([("p", "/a")], [("p", "/a")]) == [
        'volumeMounts[0].name: Invalid value: "p": must not already exist in volumeDevices',
        'volumeMounts[0].mountPath: Invalid value: "/a": must not already exist as a path in volumeDevices',
        'volumeDevices[0].name: Invalid value: "p": must not already exist in volumeMounts',
        'volumeDevices[0].devicePath: Invalid value: "/a": must not already exist as a path in volumeMounts',
    ]


def test_of_mounts_of_one_volume_only_the_last_is_looked_at_for_devices() -> None:
    assert of_devices([("p", "/a")], [("e", "/a"), ("e", "/b")]) == [
        'volumeMounts[0].mountPath: Invalid value: "/a": must not already exist as a path in volumeDevices'
    ]
