"""The port Reviewer."""

from __future__ import annotations

from typing import Any

from ultra_recovery.adapters.kubernetes.connection import Connection
from ultra_recovery.adapters.kubernetes.paths import path
from ultra_recovery.core.errors import Rejected
from ultra_recovery.core.rights import Right
from ultra_recovery.ports import Reviewed

_TOKEN_REVIEWS = path("authentication.k8s.io/v1", "tokenreviews")
_ACCESS_REVIEWS = path("authorization.k8s.io/v1", "subjectaccessreviews")


class KubernetesReviewer:
    """TokenReview and SubjectAccessReview.

    Args:
        connection: the API server.
        local: ask by LocalSubjectAccessReview, which a Role may allow; only namespaces can be asked about then.
    """

    def __init__(self, connection: Connection, *, local: bool = False) -> None:
        self._connection = connection
        self._local = local

    async def authenticate(self, token: str, audience: str) -> Reviewed | None:
        """Whose token this is.

        The answer must name the audience: a server that knows none accepts a token that was made for somebody else.
        """
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token, "audiences": [audience]},
        }
        try:
            answer = await self._connection.request("POST", _TOKEN_REVIEWS, body=body)
        except Rejected:
            return None
        status: dict[str, Any] = answer.get("status") or {}
        user = status.get("user") or {}
        if status.get("authenticated") is not True or audience not in (status.get("audiences") or ()):
            return None
        if not user.get("username"):
            return None
        return Reviewed(
            user["username"], user.get("uid") or "", tuple(user.get("groups") or ()), dict(user.get("extra") or {})
        )

    async def allowed(self, who: Reviewed, right: Right, namespace: str) -> bool:
        """Whether somebody has a right."""
        resource, _, subresource = right.resource.partition("/")
        attributes = {
            "group": right.group,
            "verb": right.verb,
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace,
        }
        spec = {
            "user": who.username,
            "uid": who.uid,
            "groups": list(who.groups),
            "extra": {name: list(values) for name, values in who.extra.items()},
            "resourceAttributes": attributes,
        }
        body: dict[str, Any] = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
        where = _ACCESS_REVIEWS
        if self._local:
            body |= {"kind": "LocalSubjectAccessReview", "metadata": {"namespace": namespace}}
            where = path("authorization.k8s.io/v1", "localsubjectaccessreviews", namespace)
        answer = await self._connection.request("POST", where, body=body)
        status = answer.get("status") or {}
        return status.get("allowed") is True and not status.get("denied")
