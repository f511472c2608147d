"""What a server warns of is told once, however often the server says it."""

import asyncio

from dray.api.resources import DEVICE_CLASSES, NODES
from dray.apiserver.registry.catalog import catalog
from dray.apiserver.server import ApiServer
from dray.client.config import ClientConfig
from dray.client.http import HttpClient


def test_each_warning_is_told_once_in_the_life_of_a_client() -> None:
    async def scenario() -> list[str]:
        server, told = ApiServer.in_memory(catalog()), list[str]()
        await server.start()
        try:
            config = ClientConfig(f"http://{server.address}")
            async with HttpClient(config, on_warning=told.append) as client:
                for resource in (NODES, DEVICE_CLASSES.at("v1beta1"), DEVICE_CLASSES.at("v1beta2")) * 2:
                    await client.list(resource)
        finally:
            await server.stop()
        return told

    assert asyncio.run(scenario()) == [
        "resource.k8s.io/v1beta1 DeviceClass is deprecated in v1.35+, unavailable in v1.38+",
        "resource.k8s.io/v1beta2 DeviceClass is deprecated in v1.36+, unavailable in v1.39+",
    ]
