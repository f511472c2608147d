"""A node agent in a process of its own, which a test can kill: `run_agent.py ROOT KUBECONFIG`."""

import asyncio
import sys
from pathlib import Path

from dray.api.features import FeatureGates
from dray.client.config import load_config
from dray.client.http import HttpClient
from dray.kits.clock import SystemClock
from dray.node.agent import NodeAgent
from dray.node.config import NodeConfig


async def main(root: str, kubeconfig: str) -> None:
    config = load_config(kubeconfig)
    async with HttpClient(config, user_agent="kubelet", field_manager="kubelet") as client:
        node = NodeConfig(name="node-a", root=Path(root))
        agent = NodeAgent(node, client, clock=SystemClock(), features=FeatureGates())
        running = asyncio.create_task(agent.run())
        await agent.ready.wait()
        print("ready", flush=True)
        await running


asyncio.run(main(*sys.argv[1:]))
