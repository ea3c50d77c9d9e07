"""The command line: `ultra-recovery operator`, `api`, `job`, `drill`, `generate`."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ultra_recovery import __version__
from ultra_recovery.core.database_request import REQUEST_VARIABLE, SECRETS_FOLDER
from ultra_recovery.settings import ApiSettings, DrillSettings, Settings, SettingsError

_SettingsT = TypeVar("_SettingsT")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command; the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="ultra-recovery", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("operator", help="probe, decide and act: what the operator's pod runs")
    commands.add_parser("api", help="serve the recovery API: what the pod's second container runs")
    job = commands.add_parser("job", help="carry out one action on a database: what the pod of its Job runs")
    job.add_argument("--secrets", type=Path, default=Path(SECRETS_FOLDER), help="folder with the credentials")
    job.add_argument("--result", type=Path, default=Path("/dev/termination-log"), help="file that gets the answer")
    commands.add_parser("generate", help="write crds/ and the reference pages from the types", add_help=False)
    commands.add_parser("drill", help="break a throw-away service and see that the operator mends it: `helm test`")
    target = commands.add_parser("drill-target", help="the service that a drill breaks")
    target.add_argument("--port", type=int, default=8080, help="where it listens (default: 8080)")
    options, rest = parser.parse_known_args(arguments)
    if options.command == "generate" and rest[:1] == ["sql"]:
        # Imported here: an operator pod has no use for it.
        from ultra_recovery.generate_sql import main as generate_sql  # noqa: PLC0415

        return generate_sql(rest[1:])
    if options.command == "generate":
        # Imported here: an operator pod has no use for it.
        from ultra_recovery.generate import main as generate  # noqa: PLC0415

        return generate(rest)
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    if options.command == "drill-target":
        # Imported here: no other command serves it.
        from ultra_recovery.drill.target import serve  # noqa: PLC0415

        return asyncio.run(serve(options.port))
    if options.command == "job":
        return _job(options.secrets, options.result)
    return {"api": _api, "drill": _drill}.get(options.command, _operator)()


def _job(secrets: Path, result: Path) -> int:
    # Imported here: only Jobs need what it brings.
    from ultra_recovery.wiring_job import run_job  # noqa: PLC0415

    return asyncio.run(run_job(os.environ.get(REQUEST_VARIABLE, ""), secrets, result))


def _operator() -> int:
    # Imported here: `generate` must not need a Kubernetes client.
    from ultra_recovery.wiring import run_operator  # noqa: PLC0415

    return _start(lambda: Settings.read(os.environ, socket.gethostname()), run_operator)


def _api() -> int:
    # Imported here: the operator needs no web framework.
    from ultra_recovery.wiring_api import run_api  # noqa: PLC0415

    return _start(lambda: ApiSettings.read(os.environ), run_api)


def _drill() -> int:
    # Imported here: no other command needs it.
    from ultra_recovery.wiring_drill import run_drill  # noqa: PLC0415

    return _start(lambda: DrillSettings.read(os.environ), run_drill)


def _start(read: Callable[[], _SettingsT], run: Callable[[_SettingsT], Coroutine[Any, Any, int]]) -> int:
    """Run a process with its settings; 2 when one of them cannot be used."""
    try:
        settings = read()
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - logging is not configured yet
        return 2
    return asyncio.run(run(settings))


if __name__ == "__main__":
    sys.exit(main())
