"""The ledger: what it counts is what a naive count of everything that ever happened gives."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.runs import NOW, run
from tests.specs import SPECS
from ultra_recovery.apis.policy_status import RecoveryPolicyStatus
from ultra_recovery.apis.recovery_policy import Budget, RecoveryPolicySpec
from ultra_recovery.core.budget import HOUR, BudgetLevel, BudgetLimits, RunRecord, budget_refusal, counts
from ultra_recovery.core.objects import Key, Kind, Meta, Policy, Run
from ultra_recovery.core.recent_runs import recent_runs
from ultra_recovery.engine.ledger import RESERVED_FOR, Ledger

PER = timedelta(minutes=30)


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def boottime(self) -> float:
        return (self.time - NOW).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


def key(name: str, kind: Kind = Kind.RUN, namespace: str = "shop") -> Key:
    return Key(kind, namespace, name)


def ledger_of(*runs: Run) -> Ledger:
    ledger = Ledger(HandClock())
    for item in runs:
        ledger.changed(item.meta.key, item)
    return ledger


def policy(name: str, recents=(), namespace: str = "shop") -> Policy:
    meta = Meta(key(name, Kind.POLICY, namespace), f"uid-{name}", "1")
    spec = RecoveryPolicySpec.model_validate(SPECS["RecoveryPolicy"])
    return Policy(meta, spec, RecoveryPolicyStatus(recent_runs=list(recents)))


def figures(ledger: Ledger, target: str = "t1", waiting: str = "") -> dict[str, int]:
    found = ledger.usage("shop", "web", target, HOUR, NOW, waiting)
    return {level.value: len(records) for level, records in found.items()}


def test_a_run_counts_on_every_level_it_belongs_to():
    ledger = ledger_of(
        run("own"),
        run("other-policy", policy="api"),
        run("other-target", policy="api", target="t2"),
        run("other-namespace", namespace="bank", target="t3"),
        run("vain", effects=0),
        run("just-over", created=3600),
    )
    assert figures(ledger) == {"policy": 1, "workload": 2, "namespace": 3, "cluster": 4}
    assert figures(ledger, target="") == {"policy": 1, "namespace": 3, "cluster": 4}


def test_deleting_runs_gives_no_budget_back():
    ledger = ledger_of(run("a"), run("b", "Running", effects=0), run("c", "Pending", target="", effects=0))
    for name in "abc":
        ledger.changed(key(name), None)
    assert figures(ledger) == {"policy": 2, "workload": 2, "namespace": 2, "cluster": 2}


def test_a_new_leader_knows_deleted_runs_from_the_policy():
    gone = recent_runs([], [run("a"), run("b", "Running", effects=0)], NOW)
    ledger = Ledger(HandClock())
    ledger.changed(key("web", Kind.POLICY), policy("web", gone))
    assert figures(ledger) == {"policy": 2, "workload": 2, "namespace": 2, "cluster": 2}
    # Policies are listed before runs: one that exists after all goes on.
    ledger.changed(key("b"), run("b", "Running", effects=0))
    assert [record.completed for record in ledger.records_of_policy("shop", "web")] == [True, False]


def test_a_run_takes_over_its_reservation_and_its_target():
    ledger = ledger_of()
    ledger.reserve("shop", "web-1-1", "web", "t1", NOW)
    assert figures(ledger)["workload"] == 1
    ledger.changed(key("web-1-1"), run("web-1-1", "Pending", target=""))
    assert figures(ledger) == {"policy": 1, "workload": 1, "namespace": 1, "cluster": 1}
    ledger.release("shop", "web-1-1")
    ledger.reserve("shop", "web-1-1", "web", "t1", NOW)
    assert figures(ledger)["workload"] == 1
    ledger.changed(key("web-1-1"), run("web-1-1", "Cancelled", effects=0))
    assert figures(ledger) == {"policy": 0, "workload": 0, "namespace": 0, "cluster": 0}


def test_a_reservation_is_given_back_or_runs_out():
    ledger = ledger_of()
    ledger.reserve("shop", "a", "web", "t1", NOW)
    ledger.release("shop", "a")
    ledger.release("shop", "a")
    ledger.reserve("shop", "b", "web", "t1", NOW - RESERVED_FOR)
    assert figures(ledger)["cluster"] == 0
    assert list(ledger.records_of_policy("shop", "web")) == []


@pytest.mark.parametrize(("asks", "seen"), [("old", 1), ("young", 2), ("", 3)])
def test_a_run_that_waits_takes_no_place_from_itself_nor_from_those_before_it(asks, seen):
    waiting = {"phase": "Pending", "target": "", "cause": "Manual"}
    ledger = ledger_of(run("old", created=20, **waiting), run("young", created=10, **waiting), run("done"))
    assert figures(ledger, waiting=asks)["policy"] == seen


def test_five_hundred_policies_that_decide_at_once_never_exceed_a_budget():
    ledger = ledger_of()
    limits = BudgetLimits(Budget(), namespace_per_hour=30)
    started = []
    for index in range(500):
        used = ledger.usage("shop", f"p{index}", f"t{index}", HOUR, NOW)
        if budget_refusal(used, limits, NOW) is None:
            ledger.reserve("shop", f"r{index}", f"p{index}", f"t{index}", NOW)
            started.append(index)
    assert started == list(range(30))


def test_another_run_of_the_same_name_leaves_the_first_one_counted():
    ledger = ledger_of(run("a", "Running", uid="one"), run("a", "Pending", uid="two", target=""))
    assert [record.uid for record in ledger.records_of_policy("shop", "web")] == ["one", "two"]
    assert figures(ledger)["policy"] == 2


def test_records_are_told_by_policy_and_by_target():
    ledger = ledger_of(run("b", created=5), run("a", created=9), run("c", policy="api", created=7))
    assert [record.name for record in ledger.records_of_policy("shop", "web")] == ["a", "b"]
    assert [record.name for record in ledger.records_of_target("t1")] == ["a", "c", "b"]
    assert list(ledger.records_of_target("unknown")) == []


@pytest.mark.parametrize(("exists", "kept"), [pytest.param(True, 64, id="policy exists"), (False, 10)])
def test_what_is_old_is_forgotten_except_the_latest_of_a_policy(exists, kept):
    day = 24 * 3600
    old = [run(f"old-{index}", created=2 * day + index) for index in range(100)]
    ledger = ledger_of(*old, *[run(f"new-{index}", created=index) for index in range(10)])
    if exists:
        ledger.changed(key("web", Kind.POLICY), policy("web"))
    ledger.sweep(NOW)
    names = [record.name for record in ledger.records_of_policy("shop", "web")]
    assert len(names) == kept
    assert names[-1] == "new-0"


NAMES = st.sampled_from([f"run-{index}" for index in range(6)])
NAMESPACES = st.sampled_from(["shop", "bank"])
POLICIES = st.sampled_from(["web", "api"])
TARGETS = st.sampled_from(["t1", "t2"])


class Bookkeeping(RuleBasedStateMachine):
    """Runs come, change and go; policies remember them; every count equals one made from scratch."""

    @initialize()
    def open_the_books(self) -> None:
        self.clock = HandClock()
        self.ledger = Ledger(self.clock)
        self.existing: dict[tuple[str, str], Run] = {}
        self.history: dict[str, RunRecord] = {}
        self.reserved: dict[tuple[str, str], RunRecord] = {}
        self.count = 0

    def show(self, item: Run) -> None:
        name = (item.meta.key.namespace, item.meta.key.name)
        record = RunRecord.of_run(item)
        self.existing[name] = item
        self.reserved.pop(name, None)
        self.history[item.meta.uid] = record
        self.ledger.changed(item.meta.key, item)

    @rule(
        name=NAMES,
        namespace=NAMESPACES,
        policy=POLICIES,
        workload=TARGETS,
        phase=st.sampled_from(["Pending", "Running", "Succeeded"]),
        age=st.integers(0, 4000),
        effects=st.integers(0, 1),
        dry=st.booleans(),
    )
    def a_run_appears(self, name, namespace, policy, workload, phase, age, effects, dry) -> None:
        if (namespace, name) in self.existing or (namespace, name) in self.reserved:
            return
        self.count += 1
        late = (self.clock.now() - NOW).total_seconds()
        fields = {"policy": policy, "namespace": namespace, "target": workload, "effects": effects, "dryRun": dry}
        self.show(run(name, phase, created=age - late, uid=f"uid-{self.count}", **fields))

    @rule(name=NAMES, namespace=NAMESPACES, phase=st.sampled_from(["Running", "Failed"]), effects=st.integers(0, 1))
    def a_run_goes_on(self, name, namespace, phase, effects) -> None:
        item = self.existing.get((namespace, name))
        if item is None or item.completed:
            return
        start = (NOW - self.clock.now()).total_seconds()
        changed = run(name, phase, namespace=namespace, started=start, effects=effects, target=item.status.target.uid)
        self.show(replace(item, status=changed.status))

    @rule(name=NAMES, namespace=NAMESPACES)
    def a_run_is_deleted(self, name, namespace) -> None:
        item = self.existing.pop((namespace, name), None)
        if item is not None:
            self.history[item.meta.uid] = self.history[item.meta.uid].vanished(self.clock.now())
            self.ledger.changed(item.meta.key, None)

    @rule(name=NAMES, namespace=NAMESPACES, policy=POLICIES, workload=TARGETS)
    def a_place_is_reserved(self, name, namespace, policy, workload) -> None:
        now = self.clock.now()
        if (namespace, name) not in self.existing:
            self.reserved[namespace, name] = RunRecord(namespace, policy, name, "", "Trigger", now, target_uid=workload)
        self.ledger.reserve(namespace, name, policy, workload, now)

    @rule(name=NAMES, namespace=NAMESPACES)
    def a_place_is_given_back(self, name, namespace) -> None:
        self.reserved.pop((namespace, name), None)
        self.ledger.release(namespace, name)

    @rule(namespace=NAMESPACES, name=POLICIES)
    def a_policy_remembers(self, namespace, name) -> None:
        mine = [item for item in self.existing.values() if item.spec is not None and item.spec.policy_name == name]
        recents = recent_runs([], [item for item in mine if item.meta.key.namespace == namespace], self.clock.now())
        self.ledger.changed(key(name, Kind.POLICY, namespace), policy(name, recents, namespace))

    @rule(seconds=st.sampled_from([1, 60, 130, 1200, 4000]))
    def time_passes(self, seconds) -> None:
        self.clock.time += timedelta(seconds=seconds)
        soon = self.clock.now() - RESERVED_FOR
        self.reserved = {name: item for name, item in self.reserved.items() if item.created_at > soon}

    @invariant()
    def the_ledger_counts_as_a_count_from_scratch(self) -> None:
        now = self.clock.now()
        everything = [*self.history.values(), *self.reserved.values()]
        for namespace, name, target in [("shop", "web", "t1"), ("bank", "api", "t2")]:
            wanted = {
                BudgetLevel.POLICY: [r for r in everything if (r.namespace, r.policy) == (namespace, name)],
                BudgetLevel.WORKLOAD: [r for r in everything if r.target_uid == target],
                BudgetLevel.NAMESPACE: [r for r in everything if r.namespace == namespace],
                BudgetLevel.CLUSTER: everything,
            }
            found = self.ledger.usage(namespace, name, target, PER, now)
            for level, records in wanted.items():
                per = PER if level is BudgetLevel.POLICY else HOUR
                expected = sorted(r.order for r in records if counts(r, per, now))
                assert sorted(r.order for r in found[level]) == expected


TestBookkeeping = Bookkeeping.TestCase
TestBookkeeping.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
