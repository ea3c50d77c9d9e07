"""What happens in scenarios beyond a single fault, what ends it, and what must be true afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable

from e2e import database_faults as faults
from e2e.databases import APP, APP_LIMIT, POSTGRES, Server, refused_logins, sql
from e2e.kube import Kube, condition, status, wait_for

Act = Callable[[Kube], object]
AWAY = 8.0
LONG_AWAY = 6.0
MOST_REFUSED = 2


def nothing(kube: Kube) -> None:
    """It ends by itself."""
    del kube


def leave(seconds: float) -> Act:
    """The server goes away for a while, long enough for a breaker to open."""

    def act(kube: Kube) -> None:
        faults.take_away(kube, POSTGRES)
        time.sleep(seconds)
        faults.bring_back(kube, POSTGRES)

    return act


def terminate(server: Server) -> Act:
    """Every session of the app is ended."""
    return lambda kube: faults.terminate_backends(kube, server)


def refresh(kube: Kube) -> None:
    """The app's own hook on every replica."""
    for pod in kube.pods(APP):
        kube.post(pod, "/pool/refresh")


def use_up(kube: Kube) -> None:
    """One replica takes all connections that the app may have."""
    faults.reach_connection_limit(kube)


def use_up_for_everybody(kube: Kube) -> None:
    """One replica takes all connections that the database has, and takes more as soon as some are free."""
    # One for somebody else's session; the probe and the app come too late for any.
    sql(kube, POSTGRES, f"ALTER DATABASE orders CONNECTION LIMIT {APP_LIMIT + 1}")
    faults.reach_connection_limit(kube, 50)


def give_back(kube: Kube) -> None:
    """What was taken is given back."""
    faults.release(kube)
    sql(kube, POSTGRES, "ALTER DATABASE orders CONNECTION LIMIT -1")


def kill_first_job(kube: Kube) -> None:
    """The pod of the first Job dies as soon as it runs."""

    def running() -> str:
        pods = kube.list("pods", "-l", "batch.kubernetes.io/job-name")
        return next((pod["metadata"]["name"] for pod in pods if status(pod).get("phase") == "Running"), "")

    pod = wait_for(running, "a Job runs")
    kube.run("delete", "pod", pod, "--force", "--grace-period=0")


def change_password(kube: Kube) -> None:
    """The server wants another password of the probe than its Secret has."""
    sql(kube, POSTGRES, "ALTER ROLE probe PASSWORD 'another'")


def restore_password(kube: Kube) -> None:
    """The password of examples/databases/postgres.yaml."""
    sql(kube, POSTGRES, "ALTER ROLE probe PASSWORD 'probe-example'")


def no_login_was_repeated(kube: Kube) -> None:
    """What was refused is not tried again at every probe, and the breaker says why it knows nothing."""
    assert condition(kube.get("cb", POSTGRES.name), "TargetHealthy")["reason"] == "CredentialsRefused"
    assert refused_logins(kube) <= MOST_REFUSED


def no_job_was_repeated(kube: Kube) -> None:
    """The Job whose pod died has failed with it: there was no second pod, and so no second effect."""
    jobs = [status(job) for job in kube.list("jobs") if job["metadata"]["name"].startswith("killed-1-1-")]
    assert [(job.get("failed"), job.get("succeeded"), job.get("active")) for job in jobs] == [(1, None, None)], jobs
