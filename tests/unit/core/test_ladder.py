"""What follows a step: the next rung or the end. Every result of the table."""

from __future__ import annotations

import pytest

from ultra_recovery.apis.action import Action, Notify, OnError, RestartPods, Step
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.run_status import RunPhase, StepResult, StepState, StepStatus
from ultra_recovery.core.ladder import CLIMBS, cause_of, ending_of, next_rung

R = StepResult


def rung(name: str, *, tells: bool = False, on_error: OnError = OnError.CONTINUE) -> Step:
    action = Action(notify=Notify()) if tells else Action(restart_pods=RestartPods())
    return Step(name=name, action=action, on_error=on_error)


def done(*results: StepResult, reason: Reason | None = None) -> list[StepStatus]:
    return [
        StepStatus(name=f"s{index}", state=StepState.DONE, result=result, reason=reason)
        for index, result in enumerate(results)
    ]


ACTS = [rung("s0"), rung("s1"), rung("s2")]
PAGES = [rung("s0"), rung("s1"), rung("page", tells=True)]


@pytest.mark.parametrize(
    ("ladder", "results", "expected"),
    [
        pytest.param(ACTS, [R.UNVERIFIED], 1, id="unverified: the next rung"),
        pytest.param(ACTS, [R.NOTHING_TO_DO], 1, id="nothing to do: the next rung"),
        pytest.param(ACTS, [R.ERROR], 1, id="error: the next rung"),
        pytest.param([rung("s0", on_error=OnError.STOP), rung("s1")], [R.ERROR], None, id="error with Stop: the end"),
        pytest.param(ACTS, [R.VERIFIED], None, id="verified: the end"),
        pytest.param(ACTS, [R.BLOCKED], None, id="blocked: the end"),
        pytest.param(ACTS, [R.INCONCLUSIVE], None, id="inconclusive: the end"),
        pytest.param(ACTS, [R.UNKNOWN], None, id="unknown: the end"),
        pytest.param(ACTS, [R.UNVERIFIED] * 3, None, id="the last rung: the end"),
        pytest.param(PAGES, [R.BLOCKED], 2, id="blocked: people are told all the same"),
        pytest.param(PAGES, [R.UNKNOWN], 2, id="unknown: people are told"),
        pytest.param(PAGES, [R.INCONCLUSIVE], 2, id="inconclusive: people are told"),
        pytest.param(PAGES, [R.UNVERIFIED, R.UNVERIFIED], 2, id="exhausted: people are told"),
        pytest.param(PAGES, [R.VERIFIED], None, id="verified: nobody needs to be told"),
        pytest.param(PAGES, [R.BLOCKED, R.SKIPPED, R.NOTIFIED], None, id="told: the end"),
        pytest.param([rung("page", tells=True), rung("s1")], [R.NOTIFIED], 1, id="told first: then the next rung"),
        pytest.param([rung("page", tells=True), rung("s1")], [R.ERROR], 1, id="an untold message stops nothing"),
    ],
)
def test_which_rung_follows(ladder, results, expected):
    assert next_rung(ladder, done(*results)) == expected


@pytest.mark.parametrize(
    ("ladder", "results", "phase"),
    [
        pytest.param(ACTS, [R.VERIFIED], RunPhase.SUCCEEDED, id="verified"),
        pytest.param(ACTS, [R.UNVERIFIED, R.VERIFIED], RunPhase.SUCCEEDED, id="the second rung helped"),
        pytest.param(ACTS, [R.UNVERIFIED], RunPhase.FAILED, id="tried and still unhealthy"),
        pytest.param(ACTS, [R.UNVERIFIED, R.ERROR], RunPhase.FAILED, id="tried, then an error"),
        pytest.param(ACTS, [R.ERROR], RunPhase.ERROR, id="could not be carried out"),
        pytest.param(ACTS, [R.INCONCLUSIVE], RunPhase.INCONCLUSIVE, id="could not be judged"),
        pytest.param(ACTS, [R.UNKNOWN], RunPhase.INCONCLUSIVE, id="an outcome that nobody knows"),
        pytest.param(ACTS, [R.BLOCKED], RunPhase.CANCELLED, id="a gate"),
        pytest.param(ACTS, [R.NOTHING_TO_DO], RunPhase.FAILED, id="nothing found"),
        pytest.param(PAGES, [R.BLOCKED, R.SKIPPED, R.NOTIFIED], RunPhase.CANCELLED, id="a gate, and told"),
        pytest.param(PAGES, [R.BLOCKED, R.SKIPPED, R.ERROR], RunPhase.CANCELLED, id="a gate, and not even told"),
        pytest.param(PAGES, [R.UNVERIFIED, R.UNVERIFIED, R.NOTIFIED], RunPhase.FAILED, id="exhausted, and told"),
        pytest.param([rung("page", tells=True)], [R.NOTIFIED], RunPhase.FAILED, id="told, and nothing else"),
        pytest.param(
            [rung("s0"), rung("s1", on_error=OnError.STOP)],
            [R.UNVERIFIED, R.ERROR],
            RunPhase.ERROR,
            id="an error that stops",
        ),
    ],
)
def test_how_a_run_ends(ladder, results, phase):
    assert ending_of(ladder, done(*results)).phase is phase


def test_every_result_says_whether_the_next_rung_is_tried():
    assert set(CLIMBS) == set(StepResult)


def test_the_cause_of_a_message_is_the_latest_step_that_decides():
    steps = done(R.UNVERIFIED, reason=Reason.UNVERIFIED)
    assert cause_of(PAGES, steps) == Reason.UNVERIFIED
    assert cause_of(PAGES, []) == Reason.RUN_STARTED
