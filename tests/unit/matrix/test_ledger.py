"""When an experiment is over: nothing is under way, and nobody waits because it was asked to."""

from __future__ import annotations

import itertools

import pytest

from tests.matrix.ledger import Ledger

PATH = "/apis/recovery.ultra.dev/v1alpha1/namespaces/shop/recoverypolicies/web/status"


@pytest.mark.parametrize(
    ("retry_after", "after", "quiet"),
    [(0, 1, False), (0, 1.5, True), (2, 1.5, False), (2, 3, False), (2, 3.5, True)],
    ids=["too early", "long enough", "asked to wait", "about to come again", "was to come again and did not"],
)
def test_it_is_quiet_a_while_after_the_last_request_could_have_been_repeated(
    retry_after: float, after: float, quiet: bool
):
    now = itertools.chain([0.0, 0.0, 0.0], itertools.repeat(after))
    ledger = Ledger(lambda: next(now))
    entry = ledger.open("PATCH", PATH, b"{}")
    entry.retry_after = retry_after
    ledger.leave(entry)
    assert ledger.quiet_for(1.2) is quiet


def test_another_request_does_not_make_it_quiet_earlier():
    now = itertools.chain([0.0, 0.0, 0.0, 0.0, 0.0], itertools.repeat(1.5))
    ledger = Ledger(lambda: next(now))
    refused, other = ledger.open("PATCH", PATH, b"{}"), ledger.open("DELETE", PATH, b"{}")
    refused.retry_after = 2
    ledger.leave(refused)
    ledger.leave(other)
    assert not ledger.quiet_for(1.2)


def test_it_is_not_quiet_while_a_request_is_under_way():
    ledger = Ledger(iter(range(100)).__next__)
    ledger.open("PATCH", PATH, b"{}")
    assert not ledger.quiet_for(1.2)
