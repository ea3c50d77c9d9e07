"""What a breaker watches: HTTP, TCP, a database, a Prometheus query, a workload's readiness, or what callers report."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from ultra_recovery.apis.breaker_reports import ExternalTarget
from ultra_recovery.apis.database import MysqlTarget, PostgresTarget
from ultra_recovery.apis.endpoint import ENDPOINT_RULES, PATH, URL, Scheme, ServiceRef, SocketTarget
from ultra_recovery.apis.meta import ApiType, ObjectName, Percent, patterned

_URL_MESSAGE = (
    "must be an absolute http or https address without user, password or fragment, such as https://host/health"
)
_PATH_MESSAGE = "must start with '/' and contain neither spaces nor '#', such as /healthz"
_BASE_URL = r"^https?://[A-Za-z0-9\[][^\s@#?]*$"
_BASE_URL_MESSAGE = (
    "must be an absolute http or https address without user, password, query or fragment, such as https://host/prefix"
)
_BASE_PATH = r"^/[^\s#?]*$"
_BASE_PATH_MESSAGE = "must start with '/' and contain neither spaces nor '#' nor '?', such as /prometheus"
_NUMBER = r"^-?[0-9]{1,15}(\.[0-9]{1,15})?$"
_NUMBER_MESSAGE = "must be a decimal number in quotes, such as '0.05' or '100'"
_CODES = r"^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"
_CODES_MESSAGE = "must be a status code or a range of them from 100 to 599, such as 200 or 200-399"


class HttpTarget(ApiType):
    """Something that answers HTTP."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                *ENDPOINT_RULES,
                {
                    "rule": "self.successCodes.size() != 7 "
                    "|| self.successCodes.substring(0, 3) <= self.successCodes.substring(4)",
                    "message": "a range of status codes goes from the lower to the higher, such as 200-399",
                    "fieldPath": ".successCodes",
                },
            ]
        }
    )

    service_ref: ServiceRef | None = Field(
        default=None,
        description="Service of the breaker's own namespace; the probe goes to one of its ready pods, in turn. "
        "Its endpoints must be pods of this namespace.",
    )
    url: Annotated[str, patterned(URL, _URL_MESSAGE, max_length=1024)] | None = Field(
        default=None,
        description="Absolute http or https address. Works only where the administrator's allow-list permits it "
        "(setting ULTRA_PROBE_ALLOW). Example: https://status.example.com/health.",
    )
    path: Annotated[str, patterned(PATH, _PATH_MESSAGE, max_length=1024)] = Field(
        default="/", description="Path and query of the request to serviceRef. Default: /. Example: /healthz?full=1."
    )
    scheme: Scheme = "HTTP"
    method: Literal["GET", "HEAD"] = Field(default="GET", description="Request method, GET or HEAD. Default: GET.")
    success_codes: Annotated[str, patterned(_CODES, _CODES_MESSAGE, max_length=7)] = Field(
        default="200-399",
        description="Status code, or range of codes, that counts as success. 429 never counts either way. "
        "Redirects are not followed. Default: 200-399.",
    )


class TcpTarget(SocketTarget):
    """Something that accepts TCP connections."""


class Comparison(StrEnum):
    """How a sample is compared with a threshold."""

    BELOW = "Below"
    AT_MOST = "AtMost"
    ABOVE = "Above"
    AT_LEAST = "AtLeast"


class PrometheusTarget(ApiType):
    """A query to a Prometheus server; the target is healthy while every sample is on the right side of a threshold."""

    model_config = ConfigDict(json_schema_extra={"x-kubernetes-validations": ENDPOINT_RULES})

    service_ref: ServiceRef | None = Field(
        default=None,
        description="Service of the breaker's own namespace in front of Prometheus; its endpoints must be pods of this "
        "namespace.",
    )
    url: Annotated[str, patterned(_BASE_URL, _BASE_URL_MESSAGE, max_length=1024)] | None = Field(
        default=None,
        description="Absolute http or https address of Prometheus, without /api/v1/query. Works only where the "
        "administrator's allow-list permits it (setting ULTRA_PROBE_ALLOW). Example: http://prometheus.monitoring:9090.",
    )
    path: Annotated[str, patterned(_BASE_PATH, _BASE_PATH_MESSAGE, max_length=1024)] = Field(
        default="/",
        description="Path before /api/v1/query at serviceRef, where Prometheus has a route prefix. Default: /. "
        "Example: /prometheus.",
    )
    scheme: Scheme = "HTTP"
    query: Annotated[str, Field(min_length=1, max_length=2048)] = Field(
        description="PromQL instant query. It should yield few samples: an answer above 64 KiB is an error. No sample, "
        "or NaN, is an error, which never moves the breaker. Example: sum(rate(errors_total[1m])).",
    )
    comparison: Comparison = Field(
        description="Success when every sample is Below, AtMost, Above or AtLeast the threshold. Example: Below."
    )
    threshold: Annotated[str, patterned(_NUMBER, _NUMBER_MESSAGE, max_length=32)] = Field(
        description="Number to compare with, as a text: numbers in Kubernetes objects are whole. Example: 0.05."
    )


class WorkloadTarget(ApiType):
    """A workload of the breaker's own namespace, judged by its own readiness."""

    kind: Literal["Deployment", "StatefulSet"] = Field(
        description="Kind of the workload: Deployment or StatefulSet. Example: StatefulSet."
    )
    name: ObjectName = Field(description="Name of the workload in the breaker's own namespace. Example: orders-db.")
    min_ready: Percent = Field(
        default="50%",
        description="Share of spec.replicas, rounded up and at least one, that must be Ready. Scaled to zero counts as "
        "failure. Default: 50%. Example: 100%.",
    )


class BreakerTarget(ApiType):
    """What is watched: exactly one of the kinds."""

    model_config = ConfigDict(
        json_schema_extra={
            "x-kubernetes-validations": [
                {
                    "rule": "[has(self.http), has(self.tcp), has(self.prometheus), has(self.workload), "
                    "has(self.postgres), has(self.mysql), has(self.external)].filter(x, x).size() == 1",
                    "message": "set exactly one target: http, tcp, prometheus, workload, postgres, mysql or external",
                }
            ]
        }
    )

    http: HttpTarget | None = Field(
        default=None, description="An HTTP request to a Service of this namespace, or to an allowed address."
    )
    tcp: TcpTarget | None = Field(
        default=None, description="A TCP connection to a Service of this namespace, or to an allowed address."
    )
    prometheus: PrometheusTarget | None = Field(
        default=None, description="A query to a Prometheus server, each sample compared with a threshold."
    )
    workload: WorkloadTarget | None = Field(
        default=None, description="A Deployment or StatefulSet of this namespace, judged by its ready replicas."
    )
    postgres: PostgresTarget | None = Field(
        default=None, description="A PostgreSQL server, judged by a login and a query, with the figures of its pool."
    )
    mysql: MysqlTarget | None = Field(
        default=None,
        description="A MySQL or MariaDB server, judged by a login and a query, with the figures of its connections.",
    )
    external: ExternalTarget | None = Field(
        default=None,
        description="Nothing is probed: callers report how their calls went, through the recovery API. Example: {}.",
    )

    @property
    def server(self) -> PostgresTarget | MysqlTarget | None:
        """The database server, if it is one."""
        return self.postgres or self.mysql

    @property
    def kind(self) -> str:
        """The name of the kind that is set; "unknown" for one of a newer version."""
        for name in ("http", "tcp", "prometheus", "workload", "postgres", "mysql", "external"):
            if getattr(self, name) is not None:
                return name
        return "unknown"
