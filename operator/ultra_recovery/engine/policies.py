"""Policies at work: gather, decide, record, start the run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from ultra_recovery.actions.registry import find_action
from ultra_recovery.apis.meta import API_VERSION, POLICY_LABEL, RESET_ANNOTATION
from ultra_recovery.apis.policy_status import IncidentState, RecoveryPolicyStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.apis.recovery_policy import RecoveryPolicySpec
from ultra_recovery.core.decide import Decision, DecisionKind, decide
from ultra_recovery.core.errors import AlreadyExists, ApiError, NotLeader, Unavailable
from ultra_recovery.core.facts import PolicyFacts
from ultra_recovery.core.naming import label_value
from ultra_recovery.core.objects import Key, Kind, Policy
from ultra_recovery.core.policy_status import invalid_status, status_of
from ultra_recovery.core.recent_runs import recent_runs
from ultra_recovery.core.refusal import Problem
from ultra_recovery.core.resets import ResetRequest, read_reset
from ultra_recovery.core.step_gates import ActionClass
from ultra_recovery.engine import policy_notices as notices
from ultra_recovery.engine.blocked import BlockedTeller
from ultra_recovery.engine.creators import FRESH, Creators
from ultra_recovery.engine.gather import Gatherer
from ultra_recovery.engine.leadership import Leadership
from ultra_recovery.engine.ledger import Ledger
from ultra_recovery.engine.queue import WorkQueue
from ultra_recovery.engine.record import Recorder
from ultra_recovery.engine.table import Table
from ultra_recovery.engine.target_lease import TargetLeases
from ultra_recovery.ports import Clock, Objects

_LEASE_LOOK = timedelta(seconds=2)
_OPEN_LOOK = timedelta(seconds=30)
"""While an incident is open its policy is looked at at least so often: some signals, such as kills, grow old unseen."""


class Policies:
    """Cares for all policies while this process leads."""

    def __init__(
        self,
        table: Table,
        gatherer: Gatherer,
        recorder: Recorder,
        leadership: Leadership,
        leases: TargetLeases,
        objects: Objects,
        ledger: Ledger,
        creators: Creators,
        blocked: BlockedTeller,
        clock: Clock,
    ) -> None:
        self._table = table
        self._gatherer = gatherer
        self._recorder = recorder
        self._leadership = leadership
        self._leases = leases
        self._objects = objects
        self._ledger = ledger
        self._creators = creators
        self._blocked = blocked
        self._clock = clock
        self.queue = WorkQueue("policies", self.look, clock)
        self.on_run: Callable[[Key], None] = _nobody

    async def look(self, key: Key) -> float | None:
        """Look at one policy; seconds to the next look."""
        policy = self._table.get(key)
        if not isinstance(policy, Policy) or policy.meta.deleting:
            self._gatherer.attend(key, ())
            return None
        spec = policy.spec
        if spec is None:
            await self._refuse(policy, self._clock.now())
            return None
        await self._creators.review(key.namespace, spec.service_account_name, spec.ladder)
        if self._table.get(key) is not policy:
            # It changed while we asked: nothing is decided by what it was.
            return 0.0
        now = self._clock.now()
        policy, request = self._take_reset(policy, now)
        facts = self._gatherer.policy(policy, spec)
        self._gatherer.attend(key, facts.signals)
        decision = decide(facts, first_class(spec), now)
        if decision.kind is not DecisionKind.START_RUN:
            told = await self._record(key, facts, decision, request, now)
            return self._delay(decision, told, facts, now)
        # The place in the budgets is taken before anything is awaited: nobody else can take it meanwhile.
        target = facts.target.workload
        name, uid = decision.run_name, target.meta.uid if target is not None else ""
        self._ledger.reserve(key.namespace, name, key.name, uid, now)
        try:
            facts = await self._ask_last(facts, spec)
            decision = decide(facts, first_class(spec), now)
            told = await self._record(key, facts, decision, request, now)
            if decision.kind is DecisionKind.START_RUN:
                await self._start(policy, decision)
        except Unavailable:
            # It may have been created: its place is kept until it shows itself.
            raise
        except (ApiError, NotLeader):
            self._ledger.release(key.namespace, name)
            raise
        if decision.kind is not DecisionKind.START_RUN:
            self._ledger.release(key.namespace, name)
        return self._delay(decision, told, facts, now)

    def _delay(self, decision: Decision, told: datetime | None, facts: PolicyFacts, now: datetime) -> float | None:
        lease = now + _LEASE_LOOK if decision.reason is Reason.TARGET_LEASED else None
        incident = decision.incident
        open_look = now + _OPEN_LOOK if incident is not None and incident.state is not IncidentState.CLOSED else None
        due = self._creators.due(facts.policy.meta.key.namespace, facts.spec.service_account_name, facts.spec.ladder)
        review = now + timedelta(seconds=due) if due is not None else None
        moments = [moment for moment in (decision.next_look, told, lease, open_look, review) if moment is not None]
        return max((min(moments) - now).total_seconds(), 0.0) if moments else None

    def _take_reset(self, policy: Policy, now: datetime) -> tuple[Policy, ResetRequest]:
        """A reset makes all earlier runs not count, from this moment on."""
        value = policy.meta.annotations.get(RESET_ANNOTATION)
        request = read_reset(value, policy.status.handled_resets or (), first_visit=not policy.visited)
        if not request.fire:
            return policy, request
        # Creation times are whole seconds: the next whole second keeps every earlier run out.
        reset_at = now.replace(microsecond=0)
        status = policy.status.model_copy(update={"reset_at": reset_at})
        return replace(policy, status=status), request

    async def _ask_last(self, facts: PolicyFacts, spec: RecoveryPolicySpec) -> PolicyFacts:
        """What costs a request is asked when all else agrees: the creator's rights anew, and the target's Lease."""
        namespace, account = facts.policy.meta.key.namespace, spec.service_account_name
        await self._creators.review(namespace, account, spec.ladder, within=FRESH)
        verdict = self._creators.verdict(namespace, account, spec.ladder)
        holder = await self._leases.holder(Key(Kind(spec.target_ref.kind), namespace, spec.target_ref.name))
        return replace(
            facts,
            problem=facts.problem or verdict.problem,
            rails=replace(facts.rails, creator=verdict.refusal),
            lease_holder=self._gatherer.name_of(namespace, holder) if holder else "",
        )

    async def _record(
        self, key: Key, facts: PolicyFacts, decision: Decision, request: ResetRequest, now: datetime
    ) -> datetime | None:
        """Write what was decided, and tell what is new; when to look again because of what was told."""
        stored = self._table.get(key)
        if not isinstance(stored, Policy):
            return None
        incident = decision.incident
        open_incident = incident.id if incident is not None and incident.state is not IncidentState.CLOSED else None
        recent = recent_runs(stored.status.recent_runs, facts.runs, now, open_incident)
        told = self._blocked.look(facts, decision, status_of(facts, decision, request.handled, recent, now), now)
        news = notices.of_policy(facts, decision, stored.status, told.status, reset=request.fire)
        if self._recorder.differs(stored, told.status):
            await self._recorder.write(stored, told.status)
        for notice in (*news, *([told.notice] if told.notice is not None else [])):
            self._recorder.tell(notice)
        return told.next_look

    async def _start(self, policy: Policy, decision: Decision) -> None:
        """Create the run: the intent, before anything is done. Its name makes creating it twice harmless."""
        self._leadership.check()
        if decision.run is None:
            return
        key = Key(Kind.RUN, policy.meta.key.namespace, decision.run_name)
        labels = {POLICY_LABEL: label_value(policy.meta.key.name)}
        document = {
            "apiVersion": API_VERSION,
            "kind": Kind.RUN.value,
            "metadata": {"name": key.name, "namespace": key.namespace, "labels": labels},
            "spec": decision.run.to_wire(),
        }
        try:
            created = await self._objects.create_run(key.namespace, document)
        except AlreadyExists:
            # An earlier look created it and its event has not reached us yet.
            return
        self._table.apply(Kind.RUN, created)
        self.on_run(key)

    async def _refuse(self, policy: Policy, now: datetime) -> None:
        """The spec cannot be read: nothing is done, and the object says why."""
        problem = Problem(Reason.INVALID_SPEC, policy.problem)
        status: RecoveryPolicyStatus = invalid_status(policy.status, policy.meta.generation, problem, now)
        if self._recorder.differs(policy, status):
            await self._recorder.write(policy, status)
            self._recorder.tell(notices.of_problem(policy, problem))


def first_class(spec: RecoveryPolicySpec) -> ActionClass:
    """The class of the ladder's first step, whose gates are asked before a run is created."""
    action = spec.ladder[0].action
    performer = find_action(action)
    return performer.traits(action).action_class if performer is not None else ActionClass.DISRUPTIVE


def _nobody(key: Key) -> None:
    """Until somebody listens."""
