"""The reference page of database errors, drawn from the tables that judge them."""

from __future__ import annotations

from collections.abc import Sequence

from ultra_recovery.apis.reference import HEADER, table
from ultra_recovery.core.database_errors import MYSQL_ROWS, POSTGRES_ROWS, VERDICTS, FaultClass, Row


def database_errors_page() -> str:
    """Every row of both tables, and what each class of errors means."""
    return "\n".join(
        [
            HEADER,
            "# Errors of databases\n",
            "What a probe makes of an error of a server. The first row whose code and text fit is taken; any other",
            "error is a failure with reason ProbeFailed. The words of the server itself are never repeated.",
            "How databases are probed: [databases](../explanation/databases.md).\n",
            "## Classes\n",
            table(("Class", "Outcome of the probe", "Reason"), [_class_cells(kind) for kind in FaultClass]),
            "\n## PostgreSQL and PgBouncer\n",
            _errors("SQLSTATE", POSTGRES_ROWS),
            "\n## MySQL and MariaDB\n",
            _errors("Error", MYSQL_ROWS),
        ]
    )


def _class_cells(kind: FaultClass) -> tuple[str, str, str]:
    verdict = VERDICTS[kind]
    return (kind, verdict.outcome, verdict.reason)


def _errors(title: str, rows: Sequence[Row]) -> str:
    cells = [(row.code, row.text, row.kind.value, row.sentence) for row in rows]
    return table((title, "Its text contains", "Class", "Meaning"), cells)
