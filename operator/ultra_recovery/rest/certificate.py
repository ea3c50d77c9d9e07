"""The API's own certificate, from a mounted Secret. It is read again while we run: certificates do not live long."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from ultra_recovery.ports import Clock

log = logging.getLogger(__name__)

REREAD_AFTER = 10.0
"""Seconds. The kubelet needs up to a minute for a changed Secret; what we add to it stays small."""


class CertificateError(ValueError):
    """There is no certificate that could be used; the message names the folder."""


class Certificate:
    """A certificate and its key, and the TLS context that serves them.

    Args:
        folder: holds tls.crt and tls.key, as a Secret of type kubernetes.io/tls does.
        clock: the time.

    Attributes:
        context: for the server. Connections that begin after a certificate was replaced get the new one.

    Raises:
        CertificateError: they cannot be used.
    """

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock
        self._loaded: tuple[bytes, bytes] | None = None
        self._complained = False
        self.context = _new_context()
        self.refresh()

    def refresh(self) -> bool:
        """Read the files if they changed; whether they did.

        Raises:
            CertificateError: they cannot be used. What was served before is served on.
        """
        # The kubelet replaces all files of a Secret at once, by another folder behind a link: both from the same one.
        folder = self._folder / "tls.crt"
        try:
            folder = folder.resolve(strict=True).parent
            found = (folder / "tls.crt").read_bytes(), (folder / "tls.key").read_bytes()
            if found == self._loaded:
                return False
            # A key that does not fit would be noticed only after the certificate was taken: try it on another one.
            _new_context().load_cert_chain(folder / "tls.crt", folder / "tls.key", password=_no_password)
            self.context.load_cert_chain(folder / "tls.crt", folder / "tls.key", password=_no_password)
        except (OSError, ValueError) as error:
            raise CertificateError(f"{self._folder}: tls.crt and tls.key cannot be used: {error}") from error
        self._loaded = found
        return True

    async def run(self) -> None:
        """Look for a new certificate, for ever."""
        while True:
            await self._clock.sleep(REREAD_AFTER)
            try:
                if self.refresh():
                    log.info("the certificate was replaced")
                self._complained = False
            except CertificateError as error:
                if not self._complained:
                    log.error("the certificate is not replaced: %s", error)  # noqa: TRY400 - the sentence says it all
                self._complained = True


def _new_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _no_password() -> str:
    """An encrypted key would make the library ask at the terminal."""
    raise ValueError("tls.key is encrypted")
