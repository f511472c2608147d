"""What can go wrong in a driver, and who has to act.

ClaimError              this claim cannot be prepared or unprepared; the text reaches the pod's events
  ConfigError           the opaque configuration of the claim is not usable
BackgroundError         nothing the kubelet asked for; reported to `Driver.handle_error`
  PublishError          publishing failed and is retried, or waits for other devices
    DroppedFieldsError  the API server does not keep everything that was published: a feature gate is off
  ServingError          a gRPC server could not be kept up; fatal
  CheckpointError       the checkpoint could not be read; it was set aside
"""

from typing import ClassVar


class ClaimError(Exception):
    """Preparing or unpreparing one claim failed; the others of the same call are not affected.

    `retry` False says that trying again cannot help until somebody changes the claim or the node. The kubelet retries
    all the same, since its protocol has no way to say it, but the text and the metrics tell.
    """

    def __init__(self, message: str, *, retry: bool = True) -> None:
        super().__init__(message)
        self.retry = retry


class ConfigError(ClaimError):
    """The opaque parameters of a claim or class are not valid; the text names the field."""

    def __init__(self, message: str) -> None:
        super().__init__(message, retry=False)


class BackgroundError(Exception):
    fatal: ClassVar[bool] = False
    """Whether the driver cannot go on; the default `handle_error` then stops the process."""


class PublishError(BackgroundError):
    """ResourceSlices could not be brought up to date."""


class DroppedFieldsError(PublishError):
    """The API server silently dropped fields of a slice, as it does when their feature gate is off."""

    def __init__(self, pool: str, slice_index: int, fields: tuple[str, ...], gates: tuple[str, ...]) -> None:
        self.pool = pool
        self.slice_index = slice_index
        self.fields = fields
        self.gates = gates
        names = ", ".join(gates) or "unknown"
        super().__init__(
            f"pool {pool!r}, slice #{slice_index}: the API server dropped {', '.join(fields)}; "
            f"the devices are published without them. Probably disabled feature(s): {names}"
        )


class ServingError(BackgroundError):
    fatal = True


class CheckpointError(BackgroundError):
    """The checkpoint file was damaged or of an unknown format, and has been set aside."""
