"""What the end-to-end tests say of an outage is what the requests say."""

from __future__ import annotations

import pytest

from e2e.traffic import LedgerCheck, Outage, Result, check_ledger, outage, per_second, settled

BEGIN = 1000.0


def sent(fates: str, every: float = 1.0) -> list[Result]:
    """One request after the other: `+` acknowledged, `-` not."""
    return [Result(f"run-{number}", BEGIN + number * every, 0.1, fate == "+", "") for number, fate in enumerate(fates)]


@pytest.mark.parametrize(
    ("fates", "expected"),
    [
        pytest.param("", Outage(0, 0, None, 0.0), id="nothing was sent"),
        pytest.param("++++++", Outage(6, 0, None, 0.0), id="nothing failed"),
        pytest.param("++--", Outage(4, 2, 2.0, None), id="it still fails"),
        pytest.param("+--++", Outage(5, 2, 1.0, None), id="too early to call it a recovery"),
        pytest.param("+--++++", Outage(7, 2, 1.0, 3.0), id="it recovered"),
        pytest.param("+-++++-++++", Outage(11, 2, 1.0, 7.0), id="a recovery that does not last is none"),
    ],
)
def test_an_outage_is_told_from_the_requests(fates: str, expected: Outage):
    assert outage(sent(fates), BEGIN) == expected


def test_requests_before_and_after_the_span_do_not_count():
    assert outage(sent("--+++-"), BEGIN + 2, BEGIN + 5) == Outage(3, 0, None, 0.0)


def test_results_may_become_known_in_any_order():
    assert outage(reversed(sent("+--++++")), BEGIN) == outage(sent("+--++++"), BEGIN)


def test_what_was_sent_after_an_order_whose_fate_is_unknown_is_not_settled():
    results = sent("+--+++++")
    del results[4]
    assert settled(reversed(results)) == sent("+--+")
    assert outage(settled(results), BEGIN).recovered is None
    assert settled(sent("+-+")) == sent("+-+")


def test_the_rate_is_the_share_that_was_acknowledged():
    assert outage(sent("+--+"), BEGIN).rate == 0.5
    assert outage([], BEGIN).rate == 1.0


def test_each_second_has_its_own_rate():
    assert per_second(sent("++--+-", every=0.5), BEGIN) == [1.0, 0.0, 0.5]


@pytest.mark.parametrize(
    ("acknowledged", "rows", "balanced", "expected", "holds"),
    [
        pytest.param("ab", "ab", True, LedgerCheck(2, [], [], 0, True), True, id="all are there"),
        pytest.param("ab", "abc", True, LedgerCheck(2, [], [], 1, True), True, id="an answer got lost"),
        pytest.param("ab", "a", True, LedgerCheck(2, ["b"], [], 0, True), False, id="a commit got lost"),
        pytest.param("ab", "abb", True, LedgerCheck(2, [], ["b"], 0, True), False, id="one is there twice"),
        pytest.param("ab", "ab", False, LedgerCheck(2, [], [], 0, False), False, id="half a transaction was kept"),
    ],
)
def test_the_ledger_holds_when_every_acknowledged_order_is_there_once(acknowledged, rows, balanced, expected, holds):
    check = check_ledger(acknowledged, list(rows), balanced=balanced)

    assert check == expected
    assert check.holds == holds
