"""The plan of the experiments and the closing table."""

from __future__ import annotations

import pytest

from tests.matrix.campaign import FULL, SHORT, Row, plan, succeeded, table
from tests.matrix.catalogue import RUN_KINDS
from tests.matrix.experiment import Report
from tests.matrix.faults import KILLS, Blow, Fault, WatchFault
from tests.matrix.times import seconds_of

SCENARIO = RUN_KINDS[0]


def test_the_full_form_kills_before_and_after_every_request_and_tries_every_wire_fault_there():
    faults = plan(FULL, 7, SCENARIO)
    for blow in Blow:
        assert {fault.index for fault in faults if fault.blow is blow and fault.watch is None} == set(range(1, 8))
    assert {fault.watch for fault in faults if not fault.index} == set(WatchFault)


@pytest.mark.parametrize(("requests", "killed_at"), [(7, {1, 4, 7}), (8, {2, 5, 8})])
def test_the_short_form_kills_at_every_third_request_and_has_each_kind_of_fault(requests: int, killed_at: set[int]):
    faults = plan(SHORT, requests, SCENARIO)
    assert {fault.index for fault in faults if fault.blow in KILLS} == killed_at
    assert set(Blow) <= {fault.blow for fault in faults if fault.blow}
    assert Fault(watch=WatchFault.FREEZE) in faults


def test_the_short_form_waits_for_frozen_watches_with_few_run_kinds_only():
    frozen = [item.name for item in RUN_KINDS if Fault(watch=WatchFault.FREEZE) in plan(SHORT, 7, item)]
    assert frozen == ["evict one", "disruption budget"]


def test_run_kinds_have_names_of_their_own():
    names = [scenario.name for scenario in RUN_KINDS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize(
    ("report", "good"),
    [
        pytest.param(Report("a", Fault(Blow.KILL_AFTER, 1)), True, id="holds"),
        pytest.param(Report("a", Fault(Blow.KILL_AFTER, 9), reached=False), True, id="not-reached"),
        pytest.param(Report("a", Fault(Blow.KILL_AFTER, 1), violations=["double eviction"]), False, id="violated"),
        pytest.param(Report("a", Fault(Blow.KILL_AFTER, 1), broken="503"), False, id="broken"),
    ],
)
def test_one_violation_or_broken_experiment_is_enough_to_fail(report: Report, good: bool):
    assert succeeded([Row("a", 3, [Report("a", Fault()), report])]) is good


def test_nothing_tried_is_not_success():
    assert not succeeded([Row("a")])


def test_the_table_ends_with_the_number_of_experiments_and_violations():
    rows = [Row("evict one", 24, [Report("evict one", Fault()), Report("evict one", Fault(), violations=["x"])])]
    assert table(rows).splitlines()[-1] == "2 experiments, 1 violations"


@pytest.mark.parametrize(("text", "seconds"), [("1m30s", 90.0), ("5m0s", 300.0), ("2h", 7200.0), (None, None)])
def test_durations_are_read(text: str | None, seconds: float | None):
    assert seconds_of(text) == seconds
