"""The command line: `ultra-recovery operator`, `api`, `drill`, `generate`."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import sys
from collections.abc import Sequence

from ultra_recovery import __version__
from ultra_recovery.settings import ApiSettings, DrillSettings, Settings, SettingsError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one sub-command; the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="ultra-recovery", description=__doc__)
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("operator", help="probe, decide and act: what the operator's pod runs")
    commands.add_parser("api", help="serve the recovery API: what the pod's second container runs")
    commands.add_parser("generate", help="write crds/ and the reference pages from the types", add_help=False)
    commands.add_parser("drill", help="break a throw-away service and see that the operator mends it: `helm test`")
    target = commands.add_parser("drill-target", help="the service that a drill breaks")
    target.add_argument("--port", type=int, default=8080, help="where it listens (default: 8080)")
    options, rest = parser.parse_known_args(arguments)
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
    return {"api": _api, "drill": _drill}.get(options.command, _operator)()


def _operator() -> int:
    # Imported here: `generate` must not need a Kubernetes client.
    from ultra_recovery.wiring import run_operator  # noqa: PLC0415

    try:
        settings = Settings.read(os.environ, socket.gethostname())
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - logging is not configured yet
        return 2
    return asyncio.run(run_operator(settings))


def _api() -> int:
    # Imported here: the operator needs no web framework.
    from ultra_recovery.wiring_api import run_api  # noqa: PLC0415

    try:
        settings = ApiSettings.read(os.environ)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - logging is not configured yet
        return 2
    return asyncio.run(run_api(settings))


def _drill() -> int:
    # Imported here: no other command needs it.
    from ultra_recovery.wiring_drill import run_drill  # noqa: PLC0415

    try:
        settings = DrillSettings.read(os.environ)
    except SettingsError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - logging is not configured yet
        return 2
    return asyncio.run(run_drill(settings))


if __name__ == "__main__":
    sys.exit(main())
