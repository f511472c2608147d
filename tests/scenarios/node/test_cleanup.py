"""A driver in a pod of its own, and pods that need it, deleted together: everybody gets to the end."""

import pytest
from node_story import NODE, NodeStory, shell, with_claim

from dray.api.meta import Object
from dray.node.pods import table

DRIVER = "gpu.example.com"


def driver_containers() -> Object:
    """The example driver as its DaemonSet runs it, without an API server to publish to."""
    variables = {
        "NODE_NAME": NODE,
        "CDI_ROOT": "/var/run/cdi",
        "KUBELET_REGISTRAR_DIRECTORY_PATH": "/var/lib/kubelet/plugins_registry",
        "KUBELET_PLUGINS_DIRECTORY_PATH": "/var/lib/kubelet/plugins",
        "NUM_DEVICES": "3",
        "KUBECONFIG": "/kubeconfig",
    }
    mounts = ["/var/lib/kubelet/plugins_registry", "/var/lib/kubelet/plugins", "/var/run/cdi"]
    container = {
        "name": "plugin",
        "image": "dra-example-driver:v0.4.0",
        "command": ["dra-example-kubeletplugin"],
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "volumeMounts": [
            *({"name": f"v{number}", "mountPath": path} for number, path in enumerate(mounts)),
            {"name": "kubeconfig", "mountPath": "/kubeconfig"},
        ],
    }
    volumes = [{"name": f"v{number}", "hostPath": {"path": path}} for number, path in enumerate(mounts)]
    return {"container": container, "volumes": volumes}


async def start_driver(story: NodeStory) -> None:
    config = story.api.write_kubeconfig(story.root.with_name("kubeconfig"))
    parts = driver_containers()
    volumes = [*parts["volumes"], {"name": "kubeconfig", "hostPath": {"path": str(config)}}]
    await story.create_pod("driver", parts["container"], volumes=volumes)
    await story.until_registered(DRIVER)


async def start_user(story: NodeStory, name: str = "user") -> None:
    script = "env | grep GPU_DEVICE; trap 'sleep 0.3; exit 0' TERM; sleep 600 & wait"
    pod = await story.create_pod(
        name,
        with_claim(shell(script)),
        resourceClaims=[{"name": "gpu", "resourceClaimName": f"{name}-claim"}],
    )
    await story.create_claim(f"{name}-claim", pod, DRIVER, "gpu-1")
    await story.until_ready(name)


async def test_the_driver_stops_after_the_pods_that_need_it(story: NodeStory) -> None:
    await start_driver(story)
    await start_user(story)
    await story.until_logged("user", "GPU_DEVICE_1=gpu-1")
    # The worst order: the driver first, as a namespace's deletion may choose.
    await story.delete_pod("driver")
    await story.delete_pod("user")
    await story.until_gone("user")
    await story.until_gone("driver")
    reasons = [reason for reason, _ in await story.events("user")]
    assert "FailedUnprepareDynamicResources" not in reasons
    assert "AbandonedDynamicResources" not in reasons


async def test_a_driver_that_is_gone_for_good_is_given_up(
    story: NodeStory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "GIVE_UP_SECONDS", 1.0)
    await start_driver(story)
    await start_user(story)
    await story.delete_pod("driver")
    await story.until_gone("driver")
    await story.delete_pod("user")
    text = await story.until_told("user", "FailedUnprepareDynamicResources")
    assert text == (
        "Failed to unprepare dynamic resources: unprepare dynamic resources: "
        "DRA driver gpu.example.com is not registered"
    )
    text = await story.until_told("user", "AbandonedDynamicResources")
    assert text.startswith("ResourceClaim default/user-claim is given up: gpu.example.com is not registered")
    await story.until_gone("user")
