"""TLS towards servers that are reached by address, and whose certificates carry a name."""

from __future__ import annotations

import ssl

from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError


def unverified() -> ssl.SSLContext:
    """Encrypted, with any certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def verified(authority: str) -> ssl.SSLContext:
    """Encrypted; the certificate must be signed by `authority` (PEM) and carry the name that the client passes.

    Raises:
        SpecError: the authority cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata=authority)
    except (ssl.SSLError, ValueError) as error:
        message = "key ca.crt of credentialsSecretRef holds no certificate in PEM form"
        raise SpecError(Reason.SECRET_INVALID, message) from error
    return context
