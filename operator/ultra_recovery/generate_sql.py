"""``ultra-recovery generate sql``: the least that has to be installed on a server before actions can work on it."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from importlib.resources import files

_PLACE = re.compile(r"@([a-z_]+)@")
_NAME = re.compile(r"[^\0-\x1f\x7f]{1,63}")


def main(argv: Sequence[str]) -> int:
    """Print the script; 0, or 2 for arguments that cannot be used."""
    parser = argparse.ArgumentParser(
        prog="ultra-recovery generate sql",
        description="Print the roles and functions that probes of a database and actions on it need. The script holds "
        "no password, changes nothing of the application's, and may be run again.",
    )
    parser.add_argument("--engine", choices=("postgres", "mysql"), required=True, help="kind of the server")
    parser.add_argument("--database", required=True, help="database that the application uses")
    parser.add_argument("--app-user", required=True, help="role of the application: only its sessions may be ended")
    parser.add_argument("--role", default="recovery", help="role that acts (default: recovery)")
    parser.add_argument("--probe-role", default="recovery_probe", help="role that probes (default: recovery_probe)")
    options = parser.parse_args(argv)
    names = {
        "database": options.database,
        "app_user": options.app_user,
        "role": options.role,
        "probe_role": options.probe_role,
    }
    for name, value in names.items():
        if not _NAME.fullmatch(value):
            parser.error(f"--{name.replace('_', '-')}: a name of 1 to 63 characters without control characters")
    sys.stdout.write(script(options.engine, names))
    return 0


def script(engine: str, names: dict[str, str]) -> str:
    """The script for one engine.

    Args:
        engine: postgres or mysql.
        names: database, app_user, role and probe_role; each is quoted for the place where it stands.
    """
    template = files("ultra_recovery.sql").joinpath(f"{engine}.sql").read_text(encoding="utf-8")
    quote = '"' if engine == "postgres" else "`"

    def fill(match: re.Match[str]) -> str:
        place = match.group(1)
        if place.endswith("_text"):
            return _text(names[place.removesuffix("_text")], engine)
        return quote + names[place].replace(quote, quote * 2) + quote

    return _PLACE.sub(fill, template)


def _text(value: str, engine: str) -> str:
    """A literal: where a backslash has a meaning it is doubled."""
    doubled = value.replace("'", "''")
    if "\\" not in doubled:
        return f"'{doubled}'"
    escaped = doubled.replace("\\", "\\\\")
    return f" E'{escaped}'" if engine == "postgres" else f"'{escaped}'"
