"""One run under any story: effects lost, leaders changed, gates opened and closed, people who change their minds.

What may happen stands here as tables and rules of the design, and not as the code has it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.core.breaker_scene import CLOSED, HALF_OPEN, OPEN
from tests.unit.core.run_ladders import LADDERS, POLICY, RUNS
from tests.unit.core.run_rules import FINAL, check_answer, check_effect, deadline_of, rung_of
from tests.unit.core.run_world import START, RunWorld
from ultra_recovery.actions.registry import find_action
from ultra_recovery.apis.meta import CANCEL_ANNOTATION
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import Mode, RecoveryPolicySpec
from ultra_recovery.apis.recovery_run import RecoveryRunSpec
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, RecoveryRunStatus, RunPhase
from ultra_recovery.core.budget import RunRecord
from ultra_recovery.core.call import Delivery
from ultra_recovery.core.effect_record import record_outcome
from ultra_recovery.core.job_document import JobResult, JobState
from ultra_recovery.core.probe import Outcome
from ultra_recovery.core.run import advance
from ultra_recovery.core.run_size import MAX_BYTES, bounded, size_of

P = RunPhase
APPLIED = {
    "Evict": EffectOutcome.EVICTED,
    "CreateJob": EffectOutcome.CREATED,
    "UndoJob": EffectOutcome.CREATED,
    "CallHook": EffectOutcome.CALLED,
    "Notify": EffectOutcome.DELIVERED,
}
SLACK = timedelta(seconds=10)
LOOK = timedelta(seconds=1)
FATES = ["done", "answer lost", "never sent", "crash before", "crash after", "refused", "failed"]

CHANGES = ["cancel", "delete policy", "pause", "edit", "roll out", "recreate", "scale"]
rarely = st.sampled_from([False] * 7 + [True])
STORY = {
    "ladder": st.sampled_from(sorted(LADDERS)),
    "run": st.sampled_from(["own"] * 6 + sorted(RUNS)),
    "replicas": st.integers(1, 4),
    "min_healthy": st.sampled_from(["0%", "50%", "100%"]),
    "ill": st.sampled_from([1, 2, 2, 2, 2, 0]),
    "start": st.sampled_from([START] * 5 + [START + timedelta(minutes=27)]),
}


class RunMachine(RuleBasedStateMachine):
    """One run, one world, and a count of what was asked for."""

    @initialize(**STORY)
    def begin(self, ladder: str, run: str, replicas: int, min_healthy: str, ill: int, start: datetime) -> None:
        policy = {**POLICY, "ladder": LADDERS[ladder]}
        policy["limits"] = {**policy["limits"], "minHealthy": min_healthy}
        spec = RecoveryRunSpec.model_validate(RUNS[run])
        self.world = RunWorld(RecoveryPolicySpec.model_validate(policy), spec, replicas, start)
        self.world.facts()
        for name in sorted(self.world.pods)[:ill]:
            self.world.change_pod(name, ready=False, ready_changed_at=self.world.now)
        for _ in range(3):
            self.world.second()
            self.world.facts()
        self.asked: dict[str, int] = {}
        self.touched = False
        self.lost = timedelta(0)
        self.fate = "done"
        self.looked_at = self.world.now

    def live(self, seconds: int) -> None:
        """Time passes, second by second."""
        self.work()
        for _ in range(seconds):
            self.world.second()
            self.work()

    def work(self) -> None:
        """Look until there is nothing to do at this moment, as the engine does."""
        world = self.world
        self.looked_at = world.now
        for _ in range(100):
            if world.status.phase in FINAL:
                return
            before = world.status
            answer = advance(world.facts(), find_action, world.now)
            check_answer(world, before, answer)
            if answer.effect is not None:
                check_effect(world, answer.effect, answer.status, answer.effect.id in self.asked)
            world.status = bounded(answer.status)
            if answer.effect is not None:
                if not self.perform(answer.effect):
                    return
            elif world.status == before:
                assert answer.next_look is not None or world.status.phase in FINAL, "nobody will look again"
                assert answer.next_look is None or answer.next_look > world.now - LOOK
                return
        raise AssertionError("the run does not come to rest")

    def perform(self, effect: EffectStatus) -> bool:
        """Carry an effect out as fate wants it; whether the same process looks again at once."""
        fate = self.fate
        if fate != "refused":
            # A disruption budget refuses again and again, everything else happens once.
            self.fate = "done"
        self.asked[effect.id] = self.asked.get(effect.id, 0) + 1
        world = self.world
        if fate in ("done", "answer lost", "crash after"):
            self.apply(effect)
        if fate.startswith("crash"):
            world.new_leader()
            return True
        outcome = {"done": APPLIED[effect.kind], "failed": EffectOutcome.FAILED}.get(fate)
        if outcome is None and effect.kind == "CallHook" and not self.repeatable():
            outcome = EffectOutcome.UNKNOWN
            self.touched = True
        if outcome is None:
            world.refuse(Reason.POD_DISRUPTION_BUDGET if fate == "refused" else Reason.API_UNAVAILABLE, 1)
            return False
        world.refused = None
        world.status = bounded(record_outcome(world.status, effect.id, outcome, "x" * 2000, world.now))
        return True

    def apply(self, effect: EffectStatus) -> None:
        world = self.world
        if effect.kind == "Evict":
            gone = effect.object not in world.pods or world.pods[effect.object].meta.uid != effect.id
            if not gone and not world.pods[effect.object].meta.deleting:
                world.delete_pod(effect.object)
        elif effect.kind in ("CreateJob", "UndoJob"):
            world.jobs.setdefault(effect.id, JobResult(JobState.RUNNING, "runs"))
        elif effect.kind == "Notify":
            world.messages[effect.id] = Delivery.DELIVERED
        self.touched |= effect.kind in ("Evict", "CallHook")

    def repeatable(self) -> bool:
        hook = rung_of(self.world.status).action.call_hook
        return hook is None or hook.idempotent

    @rule(seconds=st.sampled_from([1, 5, 10, 30, 60, 200]))
    def time_passes(self, seconds: int) -> None:
        self.live(seconds)

    @rule(fate=st.sampled_from(FATES), seconds=st.integers(0, 3))
    def the_next_effect_meets_its_fate(self, fate: str, seconds: int) -> None:
        self.fate = fate
        self.live(seconds)

    @precondition(lambda self: self.world.status.phase in FINAL)
    @rule(**STORY)
    def another_run_begins_elsewhere(self, **story: Any) -> None:
        self.begin(**story)

    @rule(seconds=st.integers(1, 400), rare=rarely)
    def nobody_leads_for_a_while(self, seconds: int, rare: bool) -> None:
        seconds = seconds if rare else 3
        self.world.now += timedelta(seconds=seconds)
        self.lost += timedelta(seconds=seconds)
        self.world.new_leader()
        self.work()

    @rule(sickly=rarely, asleep=rarely)
    def new_pods_are_sickly_or_do_not_come(self, sickly: bool, asleep: bool) -> None:
        self.world.sickly, self.world.kubelet_asleep = sickly, asleep
        self.live(2)

    @precondition(lambda self: self.world.pods)
    @rule(data=st.data(), what=st.sampled_from(["ill", "ill", "well", "deleted"]))
    def a_pod_changes(self, data: Any, what: str) -> None:
        name = data.draw(st.sampled_from(sorted(self.world.pods)))
        pod = self.world.pods[name]
        if what == "deleted":
            self.world.delete_pod(name)
        elif pod.phase == "Running" and not pod.meta.deleting:
            self.world.change_pod(name, ready=what == "well", ready_changed_at=self.world.now)
        self.live(2)

    @precondition(lambda self: any(job.state is JobState.RUNNING for job in self.world.jobs.values()))
    @rule(state=st.sampled_from(list(JobState)), changed=st.sampled_from([None, True, False]), data=st.data())
    def a_job_ends(self, state: JobState, changed: bool | None, data: Any) -> None:
        running = [name for name, job in self.world.jobs.items() if job.state is JobState.RUNNING]
        self.world.jobs[data.draw(st.sampled_from(running))] = JobResult(state, "said so", changed, "e" * 2048)
        self.touched |= state is not JobState.RUNNING and changed is not False
        self.live(1)

    @rule(state=st.sampled_from([CLOSED, CLOSED, CLOSED, OPEN, HALF_OPEN]), bad=rarely, data=st.data())
    def the_dependency_changes(self, state: Any, bad: bool, data: Any) -> None:
        self.world.breaker = replace(self.world.breaker, state=state)
        self.world.answers = data.draw(st.sampled_from(list(Outcome))) if bad else Outcome.SUCCESS
        self.live(1)

    @rule(
        what=st.sampled_from(["storm", "paused", "lease", "breaker lease", "none", "none", "none", "none", "none"]),
    )
    def what_holds_recoveries_changes(self, what: str) -> None:
        self.world.storm(there=what == "storm")
        self.world.pause(paused=what == "paused")
        self.world.lease, self.world.breaker_lease = what != "lease", what != "breaker lease"
        self.live(1)

    @precondition(lambda self: self.world.status.phase is P.AWAITING_APPROVAL)
    @rule(yes=st.sampled_from([True, True, False]))
    def a_person_answers(self, yes: bool) -> None:
        self.world.approve(yes=yes)
        self.live(1)

    @rule(
        what=st.sampled_from(["cancel", "delete policy", "pause", "edit", "roll out", "recreate", "scale"]), rare=rarely
    )
    def somebody_changes_something(self, what: str, rare: bool) -> None:
        world = self.world
        if not rare:
            return
        if what == "cancel":
            world.annotations[CANCEL_ANNOTATION] = "now"
        elif what == "delete policy":
            world.policy_deleted = True
        elif what == "pause":
            world.policy = world.policy.model_copy(update={"mode": Mode.PAUSED})
        elif what == "edit":
            world.policy = world.policy.model_copy(update={"ladder": world.policy.ladder[:1]})
        elif what == "roll out":
            world.roll_out(30)
        elif what == "recreate":
            world.recreate()
        else:
            world.replicas = world.replicas % 4 + 1
        self.live(1)

    @invariant()
    def a_run_ends_in_time(self) -> None:
        status = self.world.status
        if status.started_at is None or status.phase in FINAL or status.phase is P.AWAITING_APPROVAL:
            return
        late = sum((step.timeout + SLACK for step in status.plan.ladder), SLACK) if self.lost else SLACK
        # The kubelet and people act between two looks: only what was looked at counts.
        assert self.looked_at <= deadline_of(status) + self.lost + late

    @invariant()
    def an_attempt_is_a_run_with_an_effect(self) -> None:
        record = RunRecord.of_run(self.world.run)
        if not self.asked:
            assert not record.effective
        if self.touched and self.world.status.phase in FINAL:
            assert record.effective

    @invariant()
    def the_status_is_within_its_bounds(self) -> None:
        status = self.world.status
        RecoveryRunStatus.model_validate(status.to_wire())
        assert size_of(status) <= MAX_BYTES


RunMachine.TestCase.settings = settings(deadline=None)
TestRunMachine = RunMachine.TestCase
