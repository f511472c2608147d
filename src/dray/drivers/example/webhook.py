"""`dra-example-webhook`: refuses claims whose configuration for the example driver is wrong, when they are written.

Without it a wrong configuration is found when a pod starts, which is late and far from who wrote it.
"""

import asyncio
import logging
import os
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aiohttp import web

from dray.client.config import ConfigError, load_config
from dray.client.http import HttpClient
from dray.drivers.example.profiles.kinds import PROFILES, decoder_of
from dray.drivers.example.self_signed import SelfSigned
from dray.drivers.example.validation import NotAReview, review
from dray.kits import klog
from dray.kits.clock import SystemClock
from dray.sdk.options import Flag, OptionError, parse

log = logging.getLogger("dray.drivers.example.webhook")

PROGRAM: Final = "dra-example-webhook"
PATH: Final = "/validate-resource-claim-parameters"
CERTIFICATE_CHECK_SECONDS: Final = 30.0
SELF_SIGNED: Final = web.AppKey("self_signed", SelfSigned)
FLAGS: Final = (
    Flag("tls-cert-file", "TLS_CERT_FILE", Path(), "certificate of the webhook, PEM", Path),
    Flag("tls-private-key-file", "TLS_PRIVATE_KEY_FILE", Path(), "its private key, PEM", Path),
    Flag("port", "PORT", 443, "port to serve on, 0 for any free one", int),
    Flag("bind-address", "BIND_ADDRESS", "", "address to serve on; empty means every one"),
    Flag("device-profile", "DEVICE_PROFILE", "gpu", "kind of devices: cpu, gpu or net"),
    Flag("driver-name", "DRIVER_NAME", "", "name of the driver; empty means <profile>.example.com"),
    Flag(
        "self-signed-for",
        "SELF_SIGNED_FOR",
        "",
        "<service>.<namespace>.svc: make a certificate for it, in place of the two files above",
    ),
    Flag(
        "webhook-configuration",
        "WEBHOOK_CONFIGURATION",
        "",
        "the ValidatingWebhookConfiguration that is told of that certificate",
    ),
    Flag(
        "kubeconfig", "KUBECONFIG", "", "kubeconfig file for that; inside a pod its service account is used"
    ),
    Flag("logging-format", "LOGGING_FORMAT", "text", "text (klog) or json"),
    Flag("v", "V", 0, "log verbosity", int),
)


def main() -> None:
    """Serve until a signal; the exit code is 1 when it cannot."""
    try:
        values = parse(FLAGS, sys.argv[1:], os.environ, PROGRAM)
        klog.configure(json_format=values["logging_format"] == "json", level=logging.INFO)
        application = new_application(values["device_profile"], values["driver_name"])
        context = certify(application, values)
    except OptionError as error:
        sys.exit(f"Error: {error}")
    try:
        web.run_app(
            application,
            host=values["bind_address"] or None,
            port=values["port"],
            ssl_context=context,
            print=lambda text: log.info("%s", text.splitlines()[0]),
            access_log=None,
        )
    except OSError as error:
        sys.exit(f"Error: port {values['port']} cannot be served: {error.strerror or error}")


def certify(application: web.Application, values: Mapping[str, Any]) -> ssl.SSLContext:
    """TLS with the certificate that the flags ask for, kept fresh while `application` runs. Raises OptionError."""
    if not values["self_signed_for"]:
        certificate = Certificate(values["tls_cert_file"], values["tls_private_key_file"])
        application.cleanup_ctx.append(certificate.renewed)
        return certificate.context
    if not values["webhook_configuration"]:
        raise OptionError("--self-signed-for needs --webhook-configuration")
    try:
        config = load_config(values["kubeconfig"] or None, in_cluster_first=True)
    except ConfigError as error:
        raise OptionError(str(error)) from error
    client = HttpClient(config, user_agent=PROGRAM, field_manager=PROGRAM)
    own = SelfSigned(values["self_signed_for"], values["webhook_configuration"], client, SystemClock())

    async def connected(application: web.Application) -> Any:
        async with client:
            yield

    application.cleanup_ctx.extend((connected, own.announced))
    application[SELF_SIGNED] = own
    return own.context


def new_application(profile: str, driver_name: str = "") -> web.Application:
    """The webhook for one profile and driver. Raises OptionError for a profile that does not exist."""
    if profile not in PROFILES:
        raise OptionError(f"invalid device profile {profile!r}, valid profiles are {list(PROFILES)}")
    driver = driver_name or f"{profile}.example.com"
    decode = decoder_of(profile, driver)

    async def validate(request: web.Request) -> web.Response:
        if request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType(
                text=f"contentType={request.content_type}, expect application/json"
            )
        try:
            body: Any = await request.json()
            answer = review(body, driver, decode)
        except (ValueError, NotAReview) as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        verdict = answer["response"]
        if not verdict["allowed"]:
            log.info("Refused", extra=klog.kv(uid=verdict["uid"], why=verdict["status"]["message"]))
        return web.json_response(answer)

    async def ready(request: web.Request) -> web.Response:
        own = application.get(SELF_SIGNED)
        if own is not None and not own.is_known:
            raise web.HTTPServiceUnavailable(text="the API server does not know the certificate yet")
        return web.Response(text="ok")

    application = web.Application()
    application.add_routes([web.post(PATH, validate), web.get("/readyz", ready)])
    return application


class Certificate:
    """A server certificate in files that somebody renews. Raises OptionError when there is none to begin with."""

    def __init__(self, certificate: Path, key: Path) -> None:
        if certificate == Path() or key == Path():
            raise OptionError("--tls-cert-file and --tls-private-key-file are both needed")
        self._files = (certificate, key)
        self.context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        try:
            self._seen = self._times()
            self.context.load_cert_chain(*self._files)
        except OSError as error:
            raise OptionError(
                f"the certificate {certificate} with key {key} cannot be used: {error}"
            ) from error

    def _times(self) -> tuple[int, ...]:
        return tuple(path.stat().st_mtime_ns for path in self._files)

    def reload(self) -> bool:
        """Use the files' present content for connections to come; whether it is new."""
        try:
            times = self._times()
            if times == self._seen:
                return False
            self.context.load_cert_chain(*self._files)
        except OSError as error:
            # A renewal half done: the next look finds it whole.
            log.warning("The renewed certificate cannot be used yet", extra=klog.kv(err=error))
            return False
        self._seen = times
        return True

    async def renewed(self, application: web.Application) -> Any:
        """For `cleanup_ctx`: look for renewed files as long as the application runs."""

        async def watch() -> None:
            while True:
                await asyncio.sleep(CERTIFICATE_CHECK_SECONDS)
                if self.reload():
                    log.info("The certificate was renewed")

        task = asyncio.create_task(watch())
        yield
        task.cancel()


if __name__ == "__main__":
    main()
