"""Where the API server is and who we are: a pod's service account, or a kubeconfig."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import ConfigException, load_kube_config

from ultra_recovery.core.errors import ApiError

ACCOUNT_DIRECTORY = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_REREAD_AFTER = 60.0
_RELOAD_AFTER = 30.0


class Credentials(Protocol):
    """Keeps a client configuration's token fresh."""

    async def refresh(self, configuration: Configuration) -> None:
        """Called before every request."""

    def refused(self) -> None:
        """The API server answered 401: what we have is not good any more."""


class ServiceAccount:
    """The token that the kubelet mounts. It is replaced about once an hour and must be read again.

    The client's own loader reads it again too, but by the wall clock, which somebody may set back.
    """

    def __init__(self, token_file: Path) -> None:
        self._file = token_file
        self._read_at = float("-inf")

    async def refresh(self, configuration: Configuration) -> None:
        """Read the token at most once a minute; keep the old one while the file cannot be read."""
        now = asyncio.get_running_loop().time()
        if now - self._read_at < _REREAD_AFTER:
            return
        try:
            token = self._file.read_text().strip()
        except OSError:
            return
        if token:
            self._read_at = now
            configuration.api_key["BearerToken"] = f"Bearer {token}"

    def refused(self) -> None:
        """Read the file at the next request."""
        self._read_at = float("-inf")


class Kubeconfig:
    """A kubeconfig with a token, a client certificate or a plugin. It is loaded again after a 401."""

    def __init__(self, path: str | None, context: str | None = None) -> None:
        self._path, self._context = path, context
        self._loaded_at = float("-inf")
        self._wanted = True

    async def refresh(self, configuration: Configuration) -> None:
        """Load the file if that is due.

        Raises:
            ApiError: the first load failed.
        """
        now = asyncio.get_running_loop().time()
        if not self._wanted or now - self._loaded_at < _RELOAD_AFTER:
            return
        first = self._loaded_at == float("-inf")
        self._loaded_at, self._wanted = now, False
        try:
            await load_kube_config(  # type: ignore[no-untyped-call]
                self._path, self._context, configuration, persist_config=False
            )
        except (ConfigException, OSError, ValueError, KeyError) as error:
            if first:
                raise ApiError(f"the kubeconfig cannot be used: {error}") from error

    def refused(self) -> None:
        """Load the file at the next request, unless that was just done."""
        self._wanted = True


def account_configuration(environment: Mapping[str, str], directory: Path) -> Configuration | None:
    """The configuration of a pod with a service account; None outside of one."""
    host, port = environment.get("KUBERNETES_SERVICE_HOST"), environment.get("KUBERNETES_SERVICE_PORT")
    if not host or not port or not (directory / "token").is_file():
        return None
    configuration = Configuration(host=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}")
    configuration.ssl_ca_cert = str(directory / "ca.crt")
    return configuration


async def load(
    kubeconfig: str | None,
    context: str | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    directory: Path = ACCOUNT_DIRECTORY,
) -> tuple[Configuration, Credentials]:
    """The pod's service account where there is one, else the kubeconfig (None: the usual place).

    Raises:
        ApiError: neither can be used.
    """
    configuration = account_configuration(os.environ if environment is None else environment, directory)
    credentials: Credentials
    if configuration is not None:
        credentials = ServiceAccount(directory / "token")
    else:
        configuration, credentials = Configuration(), Kubeconfig(kubeconfig, context)
    await credentials.refresh(configuration)
    # The client knows hooks that are coroutines; only its own type says None.
    configuration.refresh_api_key_hook = credentials.refresh  # type: ignore[assignment]
    return configuration, credentials
