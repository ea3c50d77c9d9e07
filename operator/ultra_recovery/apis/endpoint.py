"""Where requests go: a Service of the namespace, or an allowed address. Probes and calls share it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.config import JsonValue

from ultra_recovery.apis.meta import ApiType, LabelName, patterned

URL = r"^https?://[A-Za-z0-9\[][^\s@#]*$"
_URL_MESSAGE = "must be an absolute http or https address without user, password or fragment, such as https://host/hook"
PATH = r"^/[^\s#]*$"
_PATH_MESSAGE = "must start with '/' and contain neither spaces nor '#', such as /hook"
_PORT = r"(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})"
_HOST = r"([A-Za-z0-9][-.A-Za-z0-9]*|\[[0-9A-Fa-f:.]+\])"
_ADDRESS = rf"^{_HOST}:{_PORT}$"
_ADDRESS_MESSAGE = "must be host:port with a port from 1 to 65535, such as db.example.com:5432 or [2001:db8::1]:5432"

ENDPOINT_RULES: list[JsonValue] = [
    {
        "rule": "has(self.serviceRef) != has(self.url)",
        "message": "set exactly one of serviceRef (a Service of this namespace) and url",
    },
    {
        "rule": "!has(self.url) || self.path == '/'",
        "message": "path goes with serviceRef; write the path into url instead",
        "fieldPath": ".path",
    },
]


Scheme = Annotated[
    Literal["HTTP", "HTTPS"],
    Field(
        description="HTTP or HTTPS towards serviceRef. HTTPS does not verify the pod's certificate, as the kubelet's "
        "own probes do not. Default: HTTP."
    ),
]
"""How a Service is spoken to."""


class ServiceRef(ApiType):
    """A Service of the object's own namespace."""

    name: LabelName = Field(description="Name of a Service in the object's own namespace. Example: orders.")
    port: int = Field(ge=1, le=65535, description="Port number of the Service, 1 to 65535. Example: 8080.")


class SocketTarget(ApiType):
    """A server that is connected to: behind a Service of the breaker's own namespace, or at an allowed address."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "has(self.serviceRef) != has(self.address)",
                    "message": "set exactly one of serviceRef (a Service of this namespace) and address",
                }
            ]
        }
    )

    service_ref: ServiceRef | None = Field(
        default=None,
        description="Service of the breaker's own namespace; the probe goes to one of its ready pods, in turn. "
        "Its endpoints must be pods of this namespace.",
    )
    address: Annotated[str, patterned(_ADDRESS, _ADDRESS_MESSAGE, max_length=270)] | None = Field(
        default=None,
        description="Host and port. Works only where the administrator's allow-list permits it (setting "
        "ULTRA_PROBE_ALLOW). Example: db.example.com:5432.",
    )


class HttpEndpoint(ApiType):
    """Where a request goes. Redirects are never followed, and no credential of the operator goes along."""

    service_ref: ServiceRef | None = Field(
        default=None,
        description="Service of the policy's own namespace; the request goes to one of its ready pods. "
        "Its endpoints must be pods of this namespace.",
    )
    url: Annotated[str, patterned(URL, _URL_MESSAGE, max_length=1024)] | None = Field(
        default=None,
        description="Absolute http or https address. Works only where the administrator's allow-list permits it "
        "(setting ULTRA_PROBE_ALLOW). Example: https://alerts.example.com/recovery.",
    )
    path: Annotated[str, patterned(PATH, _PATH_MESSAGE, max_length=1024)] = Field(
        default="/", description="Path and query of the request to serviceRef. Default: /. Example: /admin/reset-pool."
    )
    scheme: Scheme = "HTTP"
