"""Ephemeral containers are added and never changed; what would have changed is shown as kube-apiserver 1.36.2 shows it."""

from dray.api.meta import Object
from dray.api.validation.pod.update import validate_ephemeral_update


def pod(*ephemeral: Object) -> Object:
    container = {"name": "c", "image": "i", "imagePullPolicy": "Always", "terminationMessagePolicy": "File"}
    spec = {"containers": [container], "restartPolicy": "Always", "dnsPolicy": "ClusterFirst"}
    return {
        "metadata": {"name": "p", "resourceVersion": "1"},
        "spec": {**spec, "ephemeralContainers": list(ephemeral)},
    }


def debugger(image: str) -> Object:
    more = {"imagePullPolicy": "Always", "terminationMessagePolicy": "File", "resources": {}}
    return {"name": "d", "image": image, **more}


def test_a_changed_container_is_shown_as_a_difference() -> None:
    (found,) = validate_ephemeral_update(pod(debugger("j")), pod(debugger("i")))
    assert str(found) == (
        'spec.ephemeralContainers: Forbidden: existing ephemeral containers "d" may not be changed\n'
        "@@ -1,6 +1,6 @@\n"
        " {\n"
        '  "Name": "d",\n'
        '- "Image": "i",\n'
        '+ "Image": "j",\n'
        '  "Command": null,\n'
        '  "Args": null,\n'
        '  "WorkingDir": "",\n'
    )


def test_a_container_is_not_taken_away() -> None:
    (found,) = validate_ephemeral_update(pod(), pod(debugger("i")))
    text = 'Forbidden: existing ephemeral containers "d" may not be removed\n'
    assert str(found) == f"spec.ephemeralContainers: {text}"


def test_one_more_may_be_added() -> None:
    other = {**debugger("k"), "name": "e"}
    assert validate_ephemeral_update(pod(debugger("i"), other), pod(debugger("i"))) == []
