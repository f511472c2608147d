"""Who answers what is not this server's to answer: kubelets, and whatever a proxied request is for."""

import dataclasses

from dray.apiserver.http.kubelet import Kubelets
from dray.apiserver.http.proxy.forwarding import Proxies


@dataclasses.dataclass(frozen=True, slots=True)
class Backends:
    kubelets: Kubelets
    proxies: Proxies

    async def close(self) -> None:
        await self.kubelets.close()
        await self.proxies.close()
