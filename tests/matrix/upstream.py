"""The real API server, as a kubeconfig names it."""

from __future__ import annotations

import base64
import json
import os
import ssl
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp
import yaml

MERGE_PATCH = "application/merge-patch+json"


class AnswerError(Exception):
    """The API server refused a request of the stage."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code


class Upstream:
    """One authenticated session with the API server; proxies and stages share it."""

    def __init__(self, url: str, headers: Mapping[str, str], context: ssl.SSLContext | None) -> None:
        self.url = url.rstrip("/")
        self._headers = dict(headers)
        self._context = context
        self._session: aiohttp.ClientSession | None = None

    @classmethod
    def from_kubeconfig(cls, path: str) -> Upstream:
        """Read the current context: a token or a client certificate."""
        config = yaml.safe_load(Path(path).read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        headers = {"Authorization": f"Bearer {user['token']}"} if user.get("token") else {}
        return cls(cluster["server"], headers, _tls(cluster, user))

    async def __aenter__(self) -> Upstream:
        connector = aiohttp.TCPConnector(limit=0, ssl=self._context if self._context is not None else True)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        self._session = aiohttp.ClientSession(
            connector=connector, headers=self._headers, timeout=timeout, auto_decompress=False, trust_env=False
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._session is not None
        await self._session.close()

    def forward(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> aiohttp.client._RequestContextManager:
        """Send a request as it is; `path` has the query in it."""
        assert self._session is not None
        # Large answers would come packed, and nothing here unpacks: lines of a watch are read, and edited.
        plain = {**headers, "Accept-Encoding": "identity"}
        return self._session.request(method, self.url + path, headers=plain, data=body or None)

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, kind: str = "application/json"
    ) -> dict[str, Any]:
        """One request of the stage's own; raises AnswerError."""
        data = json.dumps(body).encode() if body is not None else b""
        headers = {"Content-Type": kind, "Accept": "application/json"}
        async with self.forward(method, path, headers, data) as response:
            text = await response.read()
            document: dict[str, Any] = json.loads(text) if text else {}
            if response.status >= 300:
                raise AnswerError(response.status, str(document.get("message", text[:200])))
            return document


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any]) -> ssl.SSLContext | None:
    if not str(cluster["server"]).startswith("https"):
        return None
    context = ssl.create_default_context()
    authority = _content(cluster, "certificate-authority")
    if authority is not None:
        context.load_verify_locations(cadata=authority.decode())
    if cluster.get("insecure-skip-tls-verify"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    certificate, key = _content(user, "client-certificate"), _content(user, "client-key")
    if certificate is not None and key is not None:
        # ssl takes a client certificate from a file only.
        with tempfile.NamedTemporaryFile(delete=False) as pair:
            pair.write(certificate + b"\n" + key)
        context.load_cert_chain(pair.name)
        os.unlink(pair.name)
    return context


def _content(entry: Mapping[str, Any], name: str) -> bytes | None:
    if entry.get(f"{name}-data"):
        return base64.b64decode(entry[f"{name}-data"])
    return Path(entry[name]).read_bytes() if entry.get(name) else None
