"""python -m tests.matrix: the whole matrix, or a part of it, on the cluster that KUBECONFIG names."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.matrix.campaign import FULL, NOTHING, SHORT, Campaign, Form, Row, Say, succeeded, table
from tests.matrix.catalogue import RUN_KINDS
from tests.matrix.experiment import Experiment, Laboratory
from tests.matrix.faults import Blow, Fault, WatchFault
from tests.matrix.ground import prepared
from tests.matrix.operator_process import Nursery
from tests.matrix.scenarios import Scenario
from tests.matrix.upstream import Upstream

PARALLEL = 10


async def run_matrix(form: Form, scenarios: Sequence[Scenario], parallel: int, folder: Path, tell: Say) -> list[Row]:
    """Run the matrix; one row per scenario."""
    async with Upstream.from_kubeconfig(os.environ["KUBECONFIG"]) as upstream, Nursery() as nursery:
        return await Campaign(Laboratory(upstream, nursery, folder), form, parallel, tell).run(scenarios)


async def run_one(scenario: Scenario, fault: Fault, folder: Path) -> int:
    """One experiment with everything that can be said of it."""
    async with Upstream.from_kubeconfig(os.environ["KUBECONFIG"]) as upstream, Nursery() as nursery:
        laboratory = Laboratory(upstream, nursery, folder)
        reference = await Experiment(laboratory, scenario, Fault()).run()
        report = reference if fault == Fault() else await Experiment(laboratory, scenario, fault, reference.end).run()
    began = report.entries[0].at if report.entries else 0.0
    for entry in report.entries:
        if entry.index:
            say(f"{entry.at - began:7.2f} {entry}")
    say(report.log)
    for key, value in report.end.items():
        say(f"{key}: {value}")
    for text in [*report.violations, *([report.broken] if report.broken else [])]:
        say(f"! {text}")
    return 1 if report.violations or report.broken else 0


def say(text: str) -> None:
    """Print a line at once."""
    print(text, flush=True)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=__doc__)
    parser.add_argument("--short", action="store_true", help="the sample that `make test` takes")
    parser.add_argument("--no-faults", action="store_true", help="every run kind once, without a fault")
    parser.add_argument("--parallel", type=int, default=PARALLEL, help=f"experiments at a time, default {PARALLEL}")
    parser.add_argument("--scenario", action="append", help="only this run kind; may be repeated")
    parser.add_argument("--one", action="store_true", help="one experiment with its whole record")
    parser.add_argument("--blow", choices=[str(blow) for blow in Blow], help="with --one: what happens")
    parser.add_argument("--watch", choices=[str(fault) for fault in WatchFault], help="with --one: what happens")
    parser.add_argument("--index", type=int, default=0, help="with --one: at which request")
    return parser.parse_args()


def main() -> int:
    """The exit code: 1 when anything does not hold."""
    options = _arguments()
    if "KUBECONFIG" not in os.environ:
        say("error: KUBECONFIG is not set: run this through `make drill`")
        return 2
    scenarios = [item for item in RUN_KINDS if not options.scenario or item.name in options.scenario]
    if not scenarios:
        say(f"error: no such run kind; there are: {', '.join(item.name for item in RUN_KINDS)}")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="ultra-matrix-"))
    with prepared():
        return _run(options, scenarios, folder)


def _run(options: argparse.Namespace, scenarios: Sequence[Scenario], folder: Path) -> int:
    if options.one:
        blow = Blow(options.blow) if options.blow else None
        watch = WatchFault(options.watch) if options.watch else None
        return asyncio.run(run_one(scenarios[0], Fault(blow, options.index, watch), folder))
    form = NOTHING if options.no_faults else SHORT if options.short else FULL
    rows = asyncio.run(run_matrix(form, scenarios, options.parallel, folder, say))
    say(f"\n{table(rows)}\nlogs of the operators: {folder}")
    return 0 if succeeded(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
