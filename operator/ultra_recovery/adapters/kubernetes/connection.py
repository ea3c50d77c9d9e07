"""One connection to the API server: where it is, who we are, how long we wait."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.config import load_incluster_config, load_kube_config

from ultra_recovery.adapters.kubernetes.errors import translate

FIELD_MANAGER = "ultra-recovery"
MERGE_PATCH = "application/merge-patch+json"
_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_CONNECTIONS = 50
_READ = aiohttp.ClientTimeout(total=15, sock_connect=5)
_PROMPT = aiohttp.ClientTimeout(total=4, sock_connect=4)


def in_pod() -> bool:
    """Whether a service account is mounted."""
    return _TOKEN.is_file()


class Connection:
    """An open connection; an async context manager that closes it.

    Attributes:
        api_client: the client underneath, for what `request` cannot do.
    """

    def __init__(self, configuration: Configuration) -> None:
        configuration.connection_pool_maxsize = _CONNECTIONS
        # The client would otherwise send its requests through a proxy named in the environment, token included.
        configuration.client_session_kwargs = {"trust_env": False}
        self.api_client = ApiClient(configuration)
        self.api_client.user_agent = FIELD_MANAGER

    @classmethod
    async def open(cls, kubeconfig: str | None = None, context: str | None = None) -> Connection:
        """Find the API server: the pod's own when a service account is mounted, else that of a kubeconfig.

        In a pod the client reads the token again when its copy is a minute old, so rotation needs nothing here.

        Args:
            kubeconfig: path of a kubeconfig, None for the usual place.
            context: a context in it, None for the current one.

        Raises:
            Unavailable: neither can be read.
        """
        configuration = Configuration()
        with translate():
            if in_pod():
                load_incluster_config(configuration)  # type: ignore[no-untyped-call]
            else:
                await load_kube_config(  # type: ignore[no-untyped-call]
                    kubeconfig, context, configuration, persist_config=False
                )
            return cls(configuration)

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all sockets."""
        await self.api_client.rest_client.close()

    def server_addresses(self) -> list[str]:
        """Hosts of the API server, without ports: nothing that users write may make us probe them."""
        host = urlsplit(self.api_client.configuration.host).hostname
        return [host] if host else []

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = "application/json",
        prompt: bool = False,
    ) -> dict[str, Any]:
        """Send one request, once, and return the document that answers it.

        Args:
            method: the HTTP method.
            path: the path on the server.
            query: query parameters.
            body: a JSON document.
            content_type: its type.
            prompt: fail after 4 s even though it is a read. Mutations always do: our right to act is a Lease that
                may have run out by then.

        Raises:
            ApiError: the request failed.
        """
        mutates = method != "GET"
        parameters = {**({"fieldManager": FIELD_MANAGER} if mutates and method != "DELETE" else {}), **(query or {})}
        client = self.api_client
        url = f"{client.configuration.host}{path}{'?' if parameters else ''}{urlencode(parameters)}"
        headers = {"Accept": "application/json", "Content-Type": content_type, **client.default_headers}
        with translate():
            await client.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
            response = await client.call_api(
                method, url, headers, body, _request_timeout=_PROMPT if mutates or prompt else _READ
            )
            data = await response.response.read()
            if not 200 <= response.status < 300:
                raise ApiException(
                    response.status, response.reason, http_resp=response, body=data.decode(errors="replace")
                )
            document: dict[str, Any] = json.loads(data)
            return document
