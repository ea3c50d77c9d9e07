"""Somebody else's session on the same server: no recovery may end it."""

from __future__ import annotations

import subprocess
from types import TracebackType
from typing import Self

from e2e.databases import MARIADB, Server, sql
from e2e.kube import Kube, wait_for

WORD = "unharmed"


class Bystander:
    """A session of the user `reports`, idle in a transaction while the block runs; it must be alive after it."""

    def __init__(self, kube: Kube, server: Server) -> None:
        program = (
            ("mariadb", "--socket=/run/database/mariadb.sock", "--user=reports", "--batch", "--unbuffered")
            if server == MARIADB
            else ("psql", "--no-psqlrc", "--quiet", "--username=reports")
        )
        command = ["kubectl", "-n", kube.namespace, "exec", "--stdin", server.pod, "--", *program, "orders"]
        self._kube, self._server = kube, server
        self._session = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> Self:
        assert self._session.stdin
        self._session.stdin.write("BEGIN;\nSELECT 1;\n")
        self._session.stdin.flush()
        wait_for(self._seen, "the bystander's session is there")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            said, _ = self._session.communicate(f"SELECT '{WORD}';\nCOMMIT;\n", timeout=10)
        except (subprocess.TimeoutExpired, BrokenPipeError) as problem:
            self._session.kill()
            self._session.communicate()
            said = str(problem)
        assert kind or WORD in said, f"an innocent session was ended on {self._server.name}: {said}"

    def _seen(self) -> bool:
        table = "information_schema.processlist" if self._server == MARIADB else "pg_stat_activity"
        column = "user" if self._server == MARIADB else "usename"
        return sql(self._kube, self._server, f"SELECT count(*) FROM {table} WHERE {column} = 'reports'") != "0"
