"""Every fault befalls two shops at the same moment, one with the operator's help and one without.

The app's own success rate is the judge, and the ledger says whether a commit was lost. What comes of it is written down
for docs/reference/database-recoveries.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from e2e.database_table import record
from e2e.kube import Kube
from e2e.scenarios import LANES, SCENARIOS, Scenario
from e2e.shops import Comparison, Pair, open_pair


def compare(pair: Future[Pair], scenario: Scenario) -> Comparison:
    """Let it happen in both shops of a lane."""
    return pair.result().compare(scenario)


@pytest.fixture(scope="module")
def comparisons(operator: Kube, request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Comparison]]]:
    """What comes of every scenario asked for; those of a lane one after the other, the lanes at once."""
    del operator
    wanted = {item.callspec.params["name"] for item in request.session.items if item.path == request.path}
    found: dict[str, Future[Comparison]] = {}
    with ExitStack() as stack:
        for lane in LANES:
            scenarios = tuple(scenario for scenario in lane if scenario.name in wanted)
            if scenarios:
                worker = ThreadPoolExecutor(1)
                pair = worker.submit(open_pair, scenarios)
                stack.callback(lambda pair=pair: pair.exception() or pair.result().close())
                stack.callback(worker.shutdown, wait=False, cancel_futures=True)
                found |= {scenario.name: worker.submit(compare, pair, scenario) for scenario in scenarios}
        yield found


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_app_recovers_sooner_than_without_us_and_nothing_is_lost(
    comparisons: Mapping[str, Future[Comparison]], name: str
) -> None:
    scenario, found = SCENARIOS[name], comparisons[name].result()
    print(f"\n{found}")
    least = len(scenario.results) if scenario.lasts else min(len(found.results), len(scenario.results))
    assert found.results == scenario.results[:least], found
    assert found.helped.ledger.holds, found.helped.ledger
    assert found.alone.ledger.holds, found.alone.ledger
    if scenario.lasts:
        assert found.alone.outage.recovered is None, found.alone
    if scenario.recovers:
        assert found.helped.outage.recovered is not None, found.helped
    record(found.row())
