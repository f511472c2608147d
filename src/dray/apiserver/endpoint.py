"""Where another server is reached, and why it was not, in Go's words."""

import dataclasses
import os
import ssl


@dataclasses.dataclass(frozen=True, slots=True)
class Endpoint:
    host: str
    port: int
    ssl_context: ssl.SSLContext | None = dataclasses.field(default=None, compare=False)

    @property
    def authority(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def url(self, path: str) -> str:
        return f"{'https' if self.ssl_context else 'http'}://{self.authority}{path}"


def dial_failure(endpoint: Endpoint, error: BaseException) -> str:
    place = f"dial tcp {endpoint.authority}"
    if isinstance(error, TimeoutError):
        return f"{place}: i/o timeout"
    if isinstance(error, ssl.SSLError):
        return f"tls: {error.reason or error}"
    number = error.errno if isinstance(error, OSError) else None
    return f"{place}: connect: {os.strerror(number).lower()}" if number else f"{place}: {error}"
