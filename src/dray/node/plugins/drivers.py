"""The DRA drivers that are registered on the node: which one to call, and who is told when that changes.

Several instances of one driver may be registered during a rolling update. Calls go to the newest that is connected,
or to the newest of all when none is.
"""

from collections.abc import Callable
from pathlib import Path

from dray.node.config import NodePaths
from dray.node.metrics import NodeMetrics
from dray.node.plugins.connection import DriverConnection, DriverFailure
from dray.wire.kubelet import SERVICE_DRA

Listener = Callable[[str], object]
"""Called with a driver's name after its instances, or their connections, changed."""


class RegistrationRefused(Exception):
    """A plugin cannot be registered; the text goes back to it."""


class Drivers:
    def __init__(self, paths: NodePaths, metrics: NodeMetrics) -> None:
        self._paths = paths
        self._metrics = metrics
        self._instances: dict[str, list[DriverConnection]] = {}
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def _tell(self, driver: str) -> None:
        for listener in self._listeners:
            listener(driver)

    def register(self, driver: str, endpoint: str, services: tuple[str, ...]) -> DriverConnection:
        """Raises RegistrationRefused with the kubelet's words."""
        version = validate(driver, endpoint, services)
        instances = self._instances.setdefault(driver, [])
        if any(instance.endpoint == endpoint for instance in instances):
            raise RegistrationRefused(
                f"endpoint {endpoint} already registered for DRA driver plugin {driver}"
            )
        path = self._locate(endpoint)
        if not path.parent.is_dir():
            raise RegistrationRefused(
                f"the directory of endpoint {endpoint} of DRA driver plugin {driver} does not exist"
            )
        connection = DriverConnection(
            driver,
            endpoint,
            path,
            version,
            services,
            self._metrics,
            lambda changed: self._tell(changed.driver),
        )
        instances.append(connection)
        connection.start()
        self._tell(driver)
        return connection

    def _locate(self, endpoint: str) -> Path:
        """A driver that sees the node's directories under their usual names says those."""
        path = Path(endpoint)
        return path if self._paths.root in path.parents else self._paths.host(endpoint)

    async def deregister(self, connection: DriverConnection) -> None:
        instances = self._instances.get(connection.driver, [])
        if connection in instances:
            instances.remove(connection)
            if not instances:
                del self._instances[connection.driver]
        await connection.close()
        self._tell(connection.driver)

    def names(self) -> list[str]:
        return sorted(self._instances)

    def instances(self, driver: str) -> list[DriverConnection]:
        """Oldest first."""
        return list(self._instances.get(driver, ()))

    def is_registered(self, driver: str) -> bool:
        return driver in self._instances

    def is_usable(self, driver: str) -> bool:
        """Registered, and connected."""
        return any(instance.is_connected for instance in self._instances.get(driver, ()))

    def find(self, driver: str) -> DriverConnection:
        """The instance to call. Raises DriverFailure when there is none."""
        instances = self._instances.get(driver)
        if not instances:
            raise DriverFailure(f"DRA driver {driver} is not registered")
        return next((instance for instance in reversed(instances) if instance.is_connected), instances[-1])


def validate(driver: str, endpoint: str, services: tuple[str, ...]) -> str:
    """The API version to speak: the first of the plugin's own list that the node knows."""
    if not driver:
        raise RegistrationRefused("DRA driver name is empty")
    prefix = f"invalid supported gRPC versions of DRA driver plugin {driver} at endpoint {endpoint}: "
    if not services:
        raise RegistrationRefused(f"{prefix}empty list of supported gRPC services (aka supported versions)")
    known = {service: version for version, service in SERVICE_DRA.items()}
    for service in services:
        if service in known:
            return known[service]
    raise RegistrationRefused(
        f"{prefix}none of services supported by the plugin ([{' '.join(services)}]) are supported by the "
        f"kubelet ([{' '.join(known)}])"
    )
