"""Every option of the processes, once: name, default, meaning. Read from the environment by the wiring alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Scope = Literal["cluster", "namespace"]
_NAMESPACE_FILE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class SettingsError(ValueError):
    """A setting cannot be used; the message names it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Options of the operator.

    Attributes:
        namespace: ULTRA_NAMESPACE. Where the leader's Lease lives. Default: the pod's own namespace, else "default".
        scope: ULTRA_SCOPE. "cluster", or "namespace": everything works with Roles in the watched namespaces, without
            any ClusterRole. Default: cluster.
        watch_namespaces: ULTRA_WATCH_NAMESPACES. Names separated by commas; empty: the whole cluster, or with the
            scope "namespace" the own one.
        check_creator: ULTRA_CHECK_CREATOR. "true": a policy acts only if the ServiceAccount that it names may do
            itself what its ladder does. Default: false.
        identity: ULTRA_IDENTITY. Name of this process in the Lease. Default: the host name, which is the pod's.
        pod_ips: ULTRA_POD_IPS. The pod's own addresses, separated by commas: never probed.
        probe_allow: ULTRA_PROBE_ALLOW. Addresses outside the namespace that breakers may probe and that hooks and
            webhooks may be sent to: host patterns, IP addresses or ranges, each with an optional port, separated by
            commas. Default: none. Example: "*.example.com:443,10.20.0.0/16".
        paused: ULTRA_PAUSED. "true": nothing is started anywhere, and what runs finishes its step. Default: false.
        budget_workload: ULTRA_BUDGET_WORKLOAD. Runs with an effect on one workload within an hour. Default: 6.
        budget_namespace: ULTRA_BUDGET_NAMESPACE. Likewise in one namespace. Default: 30.
        budget_cluster: ULTRA_BUDGET_CLUSTER. Likewise in the whole cluster. Default: 120.
        image: ULTRA_IMAGE. The operator's own image, which Jobs of database actions run. Default: none, and database
            actions say so.
        service_account: ULTRA_SERVICE_ACCOUNT. Name of the operator's ServiceAccount, for the manifests that grant it
            a Secret. Default: ultra-recovery.
        ops_port: ULTRA_OPS_PORT. Port of /metrics, /livez and /readyz. Default: 8080.
        log_level: ULTRA_LOG_LEVEL. DEBUG, INFO, WARNING or ERROR. Default: INFO.
        kubeconfig: KUBECONFIG. Used only outside a pod. Default: the usual place.
    """

    namespace: str
    scope: Scope
    watch_namespaces: tuple[str, ...]
    check_creator: bool
    identity: str
    pod_ips: tuple[str, ...]
    probe_allow: str
    paused: bool
    budget_workload: int
    budget_namespace: int
    budget_cluster: int
    image: str
    service_account: str
    ops_port: int
    log_level: str
    kubeconfig: str | None

    @classmethod
    def read(cls, environment: Mapping[str, str], hostname: str) -> Settings:
        """Read the settings.

        Raises:
            SettingsError: a value cannot be used.
        """
        scope, namespace = _scope(environment), environment.get("ULTRA_NAMESPACE") or _own_namespace()
        return cls(
            namespace=namespace,
            scope=scope,
            watch_namespaces=_watched(environment, scope, namespace),
            check_creator=_switch(environment, "ULTRA_CHECK_CREATOR"),
            identity=environment.get("ULTRA_IDENTITY") or hostname,
            pod_ips=_names(environment.get("ULTRA_POD_IPS", "")),
            probe_allow=environment.get("ULTRA_PROBE_ALLOW", ""),
            paused=_switch(environment, "ULTRA_PAUSED"),
            budget_workload=_count(environment, "ULTRA_BUDGET_WORKLOAD", 6),
            budget_namespace=_count(environment, "ULTRA_BUDGET_NAMESPACE", 30),
            budget_cluster=_count(environment, "ULTRA_BUDGET_CLUSTER", 120),
            image=environment.get("ULTRA_IMAGE", ""),
            service_account=environment.get("ULTRA_SERVICE_ACCOUNT") or "ultra-recovery",
            ops_port=_port(environment, "ULTRA_OPS_PORT", "8080"),
            log_level=_level(environment),
            kubeconfig=environment.get("KUBECONFIG") or None,
        )


@dataclass(frozen=True, slots=True)
class ApiSettings:
    """Options of the recovery API.

    Attributes:
        scope: ULTRA_SCOPE. "cluster", or "namespace": as for the operator. Callers are then known by the file of
            tokens alone. Default: cluster.
        namespace: ULTRA_NAMESPACE. Watched with the scope "namespace", where ULTRA_WATCH_NAMESPACES names no other.
            Default: the pod's own namespace, else "default".
        watch_namespaces: ULTRA_WATCH_NAMESPACES. Names separated by commas; empty: the whole cluster, or with the
            scope "namespace" the own one.
        port: ULTRA_API_PORT. Where it listens. Default: 8085.
        tokens: ULTRA_API_TOKENS. File of tokens, from a mounted Secret. Default: none.
        audience: ULTRA_API_AUDIENCE. Tokens of the cluster that were made for this audience are accepted, and the
            cluster's own rights decide. Default: none.
        tls: ULTRA_API_TLS. Folder with tls.crt and tls.key, as a mounted Secret of type kubernetes.io/tls: HTTPS, at
            least TLS 1.2. A certificate that is replaced counts within ten seconds. Default: none, plain HTTP.
        log_level: ULTRA_LOG_LEVEL. DEBUG, INFO, WARNING or ERROR. Default: INFO.
        kubeconfig: KUBECONFIG. Used only outside a pod. Default: the usual place.
    """

    scope: Scope
    namespace: str
    watch_namespaces: tuple[str, ...]
    port: int
    tokens: Path | None
    audience: str
    tls: Path | None
    log_level: str
    kubeconfig: str | None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> ApiSettings:
        """Read the settings.

        Raises:
            SettingsError: a value cannot be used, or nothing says who may use the API.
        """
        tokens, audience = environment.get("ULTRA_API_TOKENS", ""), environment.get("ULTRA_API_AUDIENCE", "")
        if not tokens and not audience:
            raise SettingsError(
                "nothing says who may use the API, and there is no default token: set ULTRA_API_TOKENS to the file of "
                "a mounted Secret, or ULTRA_API_AUDIENCE to accept tokens of the cluster that were made for it"
            )
        scope, namespace = _scope(environment), environment.get("ULTRA_NAMESPACE") or _own_namespace()
        if audience and scope == "namespace":
            raise SettingsError(
                "ULTRA_API_AUDIENCE cannot be used with ULTRA_SCOPE=namespace: to ask whose token a caller sends takes "
                "a ClusterRole; unset it and give callers tokens of the file that ULTRA_API_TOKENS names"
            )
        tls = environment.get("ULTRA_API_TLS", "")
        return cls(
            scope=scope,
            namespace=namespace,
            watch_namespaces=_watched(environment, scope, namespace),
            port=_port(environment, "ULTRA_API_PORT", "8085"),
            tokens=Path(tokens) if tokens else None,
            audience=audience,
            tls=Path(tls) if tls else None,
            log_level=_level(environment),
            kubeconfig=environment.get("KUBECONFIG") or None,
        )


@dataclass(frozen=True, slots=True)
class DrillSettings:
    """Options of the drill.

    Attributes:
        namespace: ULTRA_NAMESPACE. Where it takes place. Default: the pod's own namespace, else "default".
        image: ULTRA_DRILL_IMAGE. What the pods that are broken run: the image of the operator. Required.
        pull_policy: ULTRA_DRILL_PULL_POLICY. When nodes pull it. Default: IfNotPresent.
        pull_secrets: ULTRA_DRILL_PULL_SECRETS. Names of Secrets for pulling it, separated by commas. Default: none.
        name: ULTRA_DRILL_NAME. What the names of everything that is built begin with. Default: ultra-recovery-drill.
        account: ULTRA_DRILL_ACCOUNT. ServiceAccount that answers for the policy, where creators are checked.
            Default: none.
        within: ULTRA_DRILL_WITHIN. Seconds from the break to the recovery, 10 to 600. Default: 60.
        pod: ULTRA_IDENTITY. Name of the drill's own pod, which owns what it builds. Default: none.
        pod_uid: ULTRA_POD_UID. UID of that pod. Default: none.
        kubeconfig: KUBECONFIG. Used only outside a pod. Default: the usual place.
    """

    namespace: str
    image: str
    pull_policy: str
    pull_secrets: tuple[str, ...]
    name: str
    account: str
    within: float
    pod: str
    pod_uid: str
    kubeconfig: str | None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> DrillSettings:
        """Read the settings.

        Raises:
            SettingsError: a value cannot be used, or the image is not named.
        """
        image = environment.get("ULTRA_DRILL_IMAGE", "")
        if not image:
            raise SettingsError("ULTRA_DRILL_IMAGE must name the image that the pods of the drill run")
        within = _count(environment, "ULTRA_DRILL_WITHIN", 60)
        if not 10 <= within <= 600:
            raise SettingsError(f"ULTRA_DRILL_WITHIN must be from 10 to 600 seconds, not {within}")
        return cls(
            namespace=environment.get("ULTRA_NAMESPACE") or _own_namespace(),
            image=image,
            pull_policy=environment.get("ULTRA_DRILL_PULL_POLICY") or "IfNotPresent",
            pull_secrets=_names(environment.get("ULTRA_DRILL_PULL_SECRETS", "")),
            name=environment.get("ULTRA_DRILL_NAME") or "ultra-recovery-drill",
            account=environment.get("ULTRA_DRILL_ACCOUNT", ""),
            within=float(within),
            pod=environment.get("ULTRA_IDENTITY", ""),
            pod_uid=environment.get("ULTRA_POD_UID", ""),
            kubeconfig=environment.get("KUBECONFIG") or None,
        )


def _port(environment: Mapping[str, str], name: str, default: str) -> int:
    port = environment.get(name) or default
    if not (port.isascii() and port.isdigit()) or not 0 <= int(port) <= 65535:
        raise SettingsError(f"{name} must be a port number, not {port!r}")
    return int(port)


def _level(environment: Mapping[str, str]) -> str:
    level = environment.get("ULTRA_LOG_LEVEL", "INFO").upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise SettingsError(f"ULTRA_LOG_LEVEL must be DEBUG, INFO, WARNING or ERROR, not {level!r}")
    return level


def _scope(environment: Mapping[str, str]) -> Scope:
    text = environment.get("ULTRA_SCOPE") or "cluster"
    if text == "cluster":
        return "cluster"
    if text == "namespace":
        return "namespace"
    raise SettingsError(f"ULTRA_SCOPE must be cluster or namespace, not {text!r}")


def _watched(environment: Mapping[str, str], scope: Scope, own: str) -> tuple[str, ...]:
    named = _names(environment.get("ULTRA_WATCH_NAMESPACES", ""))
    return named or ((own,) if scope == "namespace" else ())


def _switch(environment: Mapping[str, str], name: str) -> bool:
    text = environment.get(name, "").lower()
    if text not in ("", "true", "false"):
        raise SettingsError(f"{name} must be true or false, not {text!r}")
    return text == "true"


def _count(environment: Mapping[str, str], name: str, default: int) -> int:
    text = environment.get(name, "")
    if text and not (text.isascii() and text.isdigit() and 0 < int(text) <= 100_000):
        raise SettingsError(f"{name} must be a whole number from 1 to 100000, not {text!r}")
    return int(text) if text else default


def _own_namespace() -> str:
    return _NAMESPACE_FILE.read_text().strip() if _NAMESPACE_FILE.exists() else "default"


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())
