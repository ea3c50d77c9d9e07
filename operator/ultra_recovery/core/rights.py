"""Rights in a cluster: what an action needs, and what is said when somebody does not have it. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ultra_recovery.apis.meta import GROUP
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.refusal import Problem

_RBAC = "rbac.authorization.k8s.io"
_MAX_MESSAGE = 1024
"""Of a condition. A manifest that was cut off would be worse than none."""


@dataclass(frozen=True, slots=True, order=True)
class Right:
    """Something that somebody may or may not do.

    Attributes:
        verb: the verb, as RBAC has it.
        resource: a plural; with a subresource, "/" and its name.
        group: the API group; "" is the core group.
    """

    verb: str
    resource: str
    group: str = GROUP

    def __str__(self) -> str:
        """As people say it: create pods/eviction, create jobs.batch."""
        return f"{self.verb} {self.resource}{f'.{self.group}' if self.group else ''}"


@dataclass(frozen=True, slots=True)
class Account:
    """A ServiceAccount that answers for a policy."""

    namespace: str
    name: str

    @property
    def username(self) -> str:
        """Its name in questions about rights."""
        return f"system:serviceaccount:{self.namespace}:{self.name}"

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that the API server puts it into."""
        return ("system:serviceaccounts", f"system:serviceaccounts:{self.namespace}", "system:authenticated")


def unnamed(namespace: str) -> Problem:
    """The policy names nobody who answers for it."""
    message = (
        "spec.serviceAccountName is not set, and this operator acts only for policies that name a ServiceAccount which "
        f"may do what their ladder does: set it to one of namespace {namespace}"
    )
    return Problem(Reason.SERVICE_ACCOUNT_UNSET, message)


def forbidden(account: Account, missing: Sequence[Right]) -> Problem:
    """The account may not do what the ladder does; the message holds the manifest that would grant it."""
    what = " and ".join(str(right) for right in missing)
    manifest = json.dumps(grant(account, missing), separators=(",", ":"))
    message = f"ServiceAccount {account.name} may not {what} in namespace {account.namespace}"
    whole = f"{message}. To grant it, apply: {manifest}"
    return Problem(Reason.FORBIDDEN, whole if len(whole) <= _MAX_MESSAGE else f"{message}: bind a Role that allows it")


def grant(account: Account, missing: Sequence[Right]) -> dict[str, Any]:
    """A List of the Role and the RoleBinding that give an account its missing rights.

    Their name follows from what they give, so that applying one never takes away what another gave.
    """
    name = "-".join(["recovery", account.name, *(right.resource.rpartition("/")[2] for right in missing)])
    rules = [{"apiGroups": [right.group], "resources": [right.resource], "verbs": [right.verb]} for right in missing]
    meta = {"name": name, "namespace": account.namespace}
    role = {"apiVersion": f"{_RBAC}/v1", "kind": "Role", "metadata": meta, "rules": rules}
    subject = {"kind": "ServiceAccount", "name": account.name, "namespace": account.namespace}
    binding = {
        "apiVersion": f"{_RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": meta,
        "roleRef": {"apiGroup": _RBAC, "kind": "Role", "name": name},
        "subjects": [subject],
    }
    return {"apiVersion": "v1", "kind": "List", "items": [role, binding]}
