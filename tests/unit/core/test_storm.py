"""Storms: when so many targets fall ill that none is disrupted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.specs import SPECS
from ultra_recovery.apis.policy_status import IncidentState, IncidentStatus, RecoveryPolicyStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.core.objects import Key, Kind, Meta, Policy
from ultra_recovery.core.storm import CALM, WITHIN, OpenedIncident, namespace_storm, storm_refusal, threshold

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def opened(*ages: float) -> list[OpenedIncident]:
    """Incidents of different targets that opened so many seconds ago."""
    return [OpenedIncident(f"Deployment/web-{index}", NOW - timedelta(seconds=age)) for index, age in enumerate(ages)]


@pytest.mark.parametrize(
    ("policies", "targets"), [(0, 5), (1, 5), (12, 5), (13, 6), (15, 6), (16, 7), (100, 40), (101, 41)]
)
def test_a_storm_takes_five_targets_or_forty_percent_rounded_up(policies, targets):
    assert threshold(policies) == targets


@pytest.mark.parametrize(
    ("ages", "policies", "until"),
    [
        pytest.param([], 5, None, id="nothing happened"),
        pytest.param([0, 0, 0, 0], 5, None, id="four at once"),
        pytest.param([0, 0, 0, 0, 0], 5, 420, id="five at once: reached this moment"),
        pytest.param([119.9, 90, 60, 30, 0], 5, 300.1, id="five within less than two minutes"),
        pytest.param([120, 90, 60, 30, 0], 5, None, id="five within two minutes, the first is too old"),
        pytest.param([0, 0, 0, 0, 0], 13, None, id="five, where six are needed"),
        pytest.param([0] * 6, 13, 420, id="six, where six are needed"),
        pytest.param([419.9] * 5, 5, 0.1, id="a moment before it calms down"),
        pytest.param([420] * 5, 5, None, id="five minutes after it was last true"),
        pytest.param([400] * 5 + [10] * 4, 5, 20, id="later incidents too few to prolong it"),
        pytest.param([400] * 5 + [10] * 5, 5, 410, id="a second wave prolongs it"),
        pytest.param([200, 150, 140, 130, 120, 0], 5, 220, id="counted from the first that is part of it"),
    ],
)
def test_a_storm_lasts_until_five_minutes_after_it_was_last_true(ages, policies, until):
    refusal = storm_refusal(opened(*ages), policies, NOW)
    assert (refusal.next_look if refusal else None) == (NOW + timedelta(seconds=until) if until else None)


def test_several_policies_on_one_target_count_once():
    same = [OpenedIncident("Deployment/web", NOW) for _ in range(9)]
    assert storm_refusal(same, 9, NOW) is None
    assert storm_refusal([*same, *opened(0, 0, 0, 0)], 9, NOW) is not None


def test_a_storm_is_told_with_its_figures():
    refusal = storm_refusal(opened(*[60] * 7), 13, NOW)
    assert refusal is not None
    assert refusal.reason is Reason.STORM
    assert refusal.message == (
        "7 targets of the namespace fell ill within 2m; 6 make a storm (13 policies of mode Auto); "
        "nothing is disrupted before 12:06:00 UTC"
    )


@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 600)), max_size=14), st.integers(0, 16))
def test_a_storm_is_what_a_look_at_every_second_would_have_seen(drawn, policies):
    incidents = [OpenedIncident(str(target), NOW - timedelta(seconds=age)) for target, age in drawn]
    needed = threshold(policies)

    def raging(moment: datetime) -> bool:
        return len({item.target for item in incidents if moment - WITHIN < item.opened_at <= moment}) >= needed

    seen = any(raging(NOW - timedelta(seconds=back)) for back in range(int(CALM.total_seconds())))
    assert (storm_refusal(incidents, policies, NOW) is not None) is seen


def policy(index: int, mode: str, *, ill: bool) -> Policy:
    spec = {**SPECS["RecoveryPolicy"], "targetRef": {"kind": "Deployment", "name": f"web-{index}"}, "mode": mode}
    incident = IncidentStatus(id=1, state=IncidentState.CLOSED, fault_observed_at=NOW, opened_at=NOW)
    status = RecoveryPolicyStatus(incident=incident if ill else None)
    meta = Meta(Key(Kind.POLICY, "shop", f"web-{index}"), f"u{index}", "1")
    return Policy(meta, RecoveryPolicySpec.model_validate(spec), status)


@pytest.mark.parametrize(
    ("ill", "well", "storm"),
    [
        pytest.param(["Auto"] * 5, ["Auto"] * 7, True, id="five of twelve"),
        pytest.param(["Auto"] * 5, ["Auto"] * 8, False, id="five of thirteen"),
        pytest.param(["Auto"] * 5, ["Manual"] * 20, True, id="only Auto policies make up the share"),
        pytest.param(["DryRun"] * 5, [], True, id="the incidents of every policy count"),
    ],
)
def test_a_namespace_is_judged_by_all_its_policies(ill, well, storm):
    policies = [policy(index, mode, ill=index < len(ill)) for index, mode in enumerate([*ill, *well])]
    assert (namespace_storm(policies, NOW) is not None) is storm


def test_a_policy_that_cannot_be_read_is_left_out():
    unread = Policy(Meta(Key(Kind.POLICY, "shop", "x"), "x", "1"), None, RecoveryPolicyStatus())
    assert namespace_storm([unread], NOW) is None
