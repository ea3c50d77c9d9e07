"""What is wrong with a database's breaker or with what it is given: a reason, an Event, and nobody's session ended."""

from __future__ import annotations

import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from e2e import databases as db
from e2e.audit import PROVOKED, Refusal
from e2e.bystander import Bystander
from e2e.databases import POSTGRES
from e2e.install import OPERATOR_NAMESPACE, PROJECT, make_namespace, read
from e2e.kube import Kube, condition, status, wait_for
from e2e.records import await_end, events_of, results
from e2e.small import Manifest, apply, policy, run_by_hand, workload

EXOTIC = "o'rd\"ers $ü 1"
GRANTED = ("orders-db-probe", "orders-db-recovery", "silent", "half", "wrong", "exotic", "powerless")
WRONG: dict[str, tuple[dict[str, Any], str, str]] = {
    "no-secret": ({"credentialsSecretRef": {"name": "none"}}, "SecretForbidden|SecretNotFound", "none"),
    "no-consent": ({"credentialsSecretRef": {"name": "silent"}}, "SecretNotAllowed", "kubectl annotate secret silent"),
    "half-a-secret": ({"credentialsSecretRef": {"name": "half"}}, "SecretInvalid", "password"),
    "wrong-password": ({"credentialsSecretRef": {"name": "wrong"}}, "CredentialsRefused", ""),
    "no-database": ({"database": "elsewhere"}, "CredentialsRefused", ""),
    "no-service": ({"serviceRef": {"name": "none", "port": 5432}}, "TargetNotFound", "Service none does not exist"),
    "nobody-there": ({"serviceRef": {"name": "empty", "port": 5432}}, "ProbeFailed", ""),
    "no-tls": ({"tls": {"mode": "Require"}}, "TargetInvalid", ""),
    "not-ours": ({"serviceRef": None, "address": "192.0.2.7:5432"}, "TargetNotAllowed", ""),
}
"""Name of the breaker → what is wrong with its target, the reason that it gives, and words of its message."""


def breaker(name: str, target: dict[str, Any]) -> Manifest:
    """A breaker of the server; what is None is left out."""
    base = {
        "serviceRef": {"name": "orders-db", "port": 5432},
        "database": "orders",
        "appUser": "app",
        "credentialsSecretRef": {"name": "orders-db-probe"},
    }
    server = {key: value for key, value in {**base, **target}.items() if value is not None}
    probe = {"interval": "1s", "timeout": "2s", "trialInterval": "1s"}
    spec = {"target": {"postgres": server}, "probe": probe, "failureThreshold": 3}
    return {
        "apiVersion": "recovery.ultra.dev/v1alpha1",
        "kind": "CircuitBreaker",
        "metadata": {"name": name},
        "spec": spec,
    }


def secret(name: str, *, consent: bool = True, **data: str) -> Manifest:
    """A Secret that every breaker of this test may use."""
    names = ",".join([*WRONG, "exotic", "powerless", "ungranted"])
    annotations = {"recovery.ultra.dev/allow-breakers": names} if consent else {}
    meta = {"name": name, "annotations": annotations}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": data}


def grant(*names: str) -> list[Manifest]:
    """What lets the operator read these Secrets: the example's Role, with other names."""
    documents = list(yaml.safe_load_all(read("examples/databases/recovery.yaml")))
    role, binding = (next(item for item in documents if item["kind"] == kind) for kind in ("Role", "RoleBinding"))
    role["rules"][0]["resourceNames"] = list(names)
    return [role, binding]


@pytest.fixture(scope="module")
def shop(operator: Kube) -> Iterator[Kube]:
    """A database with somebody else's session on it, and everything that is wrong."""
    del operator
    kube = make_namespace(f"e2e-{uuid.uuid4().hex[:8]}")
    # Two breakers name Secrets that the operator may not get.
    PROVOKED.add(
        Refusal(f"system:serviceaccount:{OPERATOR_NAMESPACE}:ultra-recovery", ("", "secrets", "get"), kube.namespace)
    )
    db.start_postgres(kube)
    apply(
        kube,
        *grant(*GRANTED),
        secret("orders-db-probe", username="probe", password="probe-example"),
        secret("silent", consent=False, username="probe", password="probe-example"),
        secret("half", username="probe"),
        secret("wrong", username="probe", password="mistaken"),
        secret("powerless", username="powerless", password="powerless-example"),
        secret("ungranted", username="probe", password="probe-example"),
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": "empty"},
            "spec": {"selector": {"app": "none"}, "ports": [{"port": 5432}]},
        },
        *workload("shop", replicas=1),
        *(breaker(name, target) for name, (target, _, _) in WRONG.items()),
    )
    with Bystander(kube, POSTGRES):
        yield kube
    kube.run("delete", "namespace", kube.namespace, "--wait=false", "--ignore-not-found")


def said(kube: Kube, name: str) -> tuple[str, str]:
    """Reason and message of what the last probe came to."""
    found = condition(kube.find("cb", name), "TargetHealthy")
    return (str(found.get("reason", "")), str(found.get("message", ""))) if found.get("status") != "True" else ("", "")


@pytest.mark.parametrize("name", WRONG)
def test_the_breaker_says_what_is_wrong(shop: Kube, name: str) -> None:
    _, reasons, words = WRONG[name]
    wait_for(
        lambda: said(shop, name)[0] in reasons.split("|"),
        f"breaker {name} says {reasons}",
        instead=lambda: status(shop.find("cb", name)),
    )
    assert words in said(shop, name)[1]
    wait_for(lambda: events_of(shop, name), "an Event says it too", seconds=15)


def test_a_wrong_password_is_not_tried_again_and_again(shop: Kube) -> None:
    wait_for(lambda: said(shop, "wrong-password")[0] == "CredentialsRefused", "it was tried")
    # A probe a second for minutes, and every other breaker too: what was refused waits for half a minute and more.
    assert db.refused_logins(shop) <= 6
    assert status(shop.get("cb", "wrong-password"))["state"] == "Closed"


def test_the_manifest_that_the_message_prints_is_all_that_is_missing(shop: Kube) -> None:
    apply(shop, breaker("ungranted", {"credentialsSecretRef": {"name": "ungranted"}}))
    wait_for(lambda: said(shop, "ungranted")[0] == "SecretForbidden", "the breaker says what is missing")
    message = said(shop, "ungranted")[1]
    manifest = message.partition("<<< '")[2].removesuffix("'")
    shop.apply(manifest)
    wait_for(
        lambda: condition(shop.get("cb", "ungranted"), "TargetHealthy").get("status") == "True",
        "the breaker is healed",
        seconds=90,
        instead=lambda: status(shop.get("cb", "ungranted")),
    )


def test_a_role_without_rights_is_told_what_it_lacks_and_ends_nobody(shop: Kube) -> None:
    db.sql(shop, POSTGRES, "CREATE ROLE powerless LOGIN PASSWORD 'powerless-example'")
    close(shop, "powerless", {"recoverySecretRef": {"name": "powerless"}})
    run = await_end(shop, "powerless")
    ((_, result),) = results(run)
    (step,) = status(run)["steps"]
    assert (result, "generate sql --engine postgres --database orders --app-user app" in str(step)) == ("Error", True)


def test_names_may_hold_whatever_the_server_allows(shop: Kube) -> None:
    name, quoted = EXOTIC.replace('"', '""'), EXOTIC.replace("'", "''")
    db.sql(shop, POSTGRES, f"CREATE ROLE \"{name}\" LOGIN PASSWORD '{quoted}'")
    db.sql(shop, POSTGRES, f'CREATE DATABASE "{name}" OWNER "{name}"')
    words = ("generate", "sql", "--engine=postgres", f"--database={EXOTIC}", f"--app-user={EXOTIC}")
    made = subprocess.run(
        [sys.executable, "-m", "ultra_recovery.cli", *words],
        capture_output=True,
        text=True,
        check=True,
        cwd=PROJECT / "operator",
    )
    psql = ("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--dbname=postgres")
    shop.run("exec", "--stdin", POSTGRES.pod, "--", *psql, text=made.stdout)
    apply(
        shop,
        secret("exotic", username="probe", password="probe-example"),
        secret("orders-db-recovery", username="recovery", password="recovery-example"),
    )
    idle = ("psql", "--no-psqlrc", "--quiet", "--username", EXOTIC, "--dbname", EXOTIC)
    session = subprocess.Popen(
        ["kubectl", "-n", shop.namespace, "exec", "--stdin", POSTGRES.pod, "--", *idle],
        stdin=subprocess.PIPE,
        text=True,
    )
    try:
        assert session.stdin
        session.stdin.write("BEGIN;\nSELECT 1;\n")
        session.stdin.flush()
        target = {"database": EXOTIC, "appUser": EXOTIC, "credentialsSecretRef": {"name": "exotic"}}
        close(shop, "exotic", {**target, "recoverySecretRef": {"name": "orders-db-recovery"}})
        (step,) = status(await_end(shop, "exotic"))["steps"]
        assert "ended 1 sessions" in str(step), step
    finally:
        session.kill()
        session.communicate()


def close(kube: Kube, name: str, target: dict[str, Any]) -> None:
    """Let sessions idle in a transaction be ended by hand, on a breaker with this target."""
    apply(kube, breaker(name, target))
    wait_for(
        lambda: condition(kube.get("cb", name), "TargetHealthy").get("status") == "True",
        f"breaker {name} is healthy",
        instead=lambda: status(kube.get("cb", name)),
    )
    closing = {"closeStaleConnections": {"breaker": name, "idleInTransactionFor": "1s"}}
    ladder = [{"name": "close", "action": closing, "timeout": "30s"}]
    apply(kube, policy(name, "shop", mode="Manual", ladder=ladder), run_by_hand(name, name))
