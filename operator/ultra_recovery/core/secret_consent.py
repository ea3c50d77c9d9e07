"""Whether a Secret may be used for a breaker, and the manifest that lets the operator read it. Pure."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from ultra_recovery.apis.meta import ALLOW_BREAKERS_ANNOTATION
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import SpecError

MAX_VALUE = 64 * 1024
"""Bytes of one value."""


def open_secret(document: Mapping[str, Any], breaker: str) -> dict[str, str]:
    """The data of a Secret whose owner names the breaker in its annotation; values that are no text are left out.

    Raises:
        SpecError: the owner has not named the breaker.
    """
    meta = document.get("metadata") or {}
    allowed = str((meta.get("annotations") or {}).get(ALLOW_BREAKERS_ANNOTATION) or "")
    if breaker not in [name.strip() for name in allowed.split(",")]:
        message = (
            f"the owner of Secret {meta.get('name')} has not allowed breaker {breaker} to use it: "
            f"kubectl annotate secret {meta.get('name')} {ALLOW_BREAKERS_ANNOTATION}={breaker}"
        )
        raise SpecError(Reason.SECRET_NOT_ALLOWED, message)
    values = {str(key): _text(value) for key, value in (document.get("data") or {}).items()}
    return {key: value for key, value in values.items() if value is not None}


def _text(value: object) -> str | None:
    try:
        raw = base64.b64decode(str(value), validate=True)
        return raw.decode() if len(raw) <= MAX_VALUE else None
    except (binascii.Error, UnicodeDecodeError):
        return None


def login_of(name: str, data: Mapping[str, str]) -> tuple[str, str]:
    """User and password of a Secret.

    Raises:
        SpecError: a key is missing or empty.
    """
    missing = [key for key in ("username", "password") if not data.get(key)]
    if missing:
        message = f"Secret {name} needs the key {' and '.join(missing)}, as text"
        raise SpecError(Reason.SECRET_INVALID, message)
    return data["username"], data["password"]


def grant(namespace: str, secret: str, account: str, account_namespace: str) -> str:
    """The manifest that lets the operator read one Secret, in one line that kubectl takes."""
    name = f"ultra-recovery-{secret}"[:253]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": [secret], "verbs": ["get"]}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": account_namespace}],
    }
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [role, binding]}, separators=(",", ":"))
