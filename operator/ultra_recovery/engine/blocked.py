"""Tells people, once per incident and gate, that a recovery has been refused for long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from ultra_recovery.apis.action import Notify
from ultra_recovery.apis.policy_status import RecoveryPolicyStatus
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.call import Delivery, Message
from ultra_recovery.core.decide import Decision, DecisionKind
from ultra_recovery.core.facts import PolicyFacts
from ultra_recovery.core.naming import effect_key
from ultra_recovery.core.notices import Notice, Topic
from ultra_recovery.ports import Messenger

BLOCKED_FOR = timedelta(minutes=5)
"""A recovery that is due and refused by the same gate for this long is told."""
_MAX_TOLD = 16
_LOOK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of a look.

    Attributes:
        status: the status to write; it remembers who was told.
        notice: what to tell after that is written.
        next_look: when to look again.
    """

    status: RecoveryPolicyStatus
    notice: Notice | None = None
    next_look: datetime | None = None


class BlockedTeller:
    """Sends the notification of a policy's own notify steps, with one key per incident and gate.

    The message is sent before it is remembered that it was: a crash in between sends it again with the same key.
    """

    def __init__(self, messenger: Messenger) -> None:
        self._messenger = messenger

    def look(self, facts: PolicyFacts, decision: Decision, status: RecoveryPolicyStatus, now: datetime) -> Told:
        """Tell, if the decision to refuse is old enough and was not told yet."""
        incident, last = status.incident, status.last_decision
        if decision.kind is not DecisionKind.HOLD or incident is None or last is None:
            return Told(status)
        if decision.reason in incident.notified:
            return Told(status)
        due = last.time + BLOCKED_FOR
        if now < due:
            return Told(status, next_look=due)
        if not self._deliver(facts, decision, incident.id):
            return Told(status, next_look=now + _LOOK)
        notified = [*incident.notified, str(decision.reason)][-_MAX_TOLD:]
        told = status.model_copy(update={"incident": incident.model_copy(update={"notified": notified})})
        return Told(told, notice=_notice(facts, decision, incident.id))

    def _deliver(self, facts: PolicyFacts, decision: Decision, incident: int) -> bool:
        """Whether every webhook has the message, or never will."""
        waiting = False
        for step in facts.spec.ladder:
            notify = step.action.notify
            if notify is None or notify.webhook is None:
                continue
            meta = facts.policy.meta
            key = effect_key(meta.uid, f"{step.name}/{incident}/{decision.reason}")
            where = self._messenger.delivery(key)
            if where is None:
                message = Message(
                    key=key,
                    namespace=meta.key.namespace,
                    endpoint=notify.webhook,
                    subject=f"{meta.key.namespace}/{meta.key.name}",
                    data=_data(facts, decision, incident, notify),
                )
                self._messenger.send(message)
            waiting = waiting or where in (None, Delivery.WAITING)
        return not waiting


def _data(facts: PolicyFacts, decision: Decision, incident: int, notify: Notify) -> dict[str, object]:
    reference = facts.spec.target_ref
    return {
        "namespace": facts.policy.meta.key.namespace,
        "policy": facts.policy.meta.key.name,
        "incident": incident,
        "target": {"kind": reference.kind, "name": reference.name},
        "cause": Reason.BLOCKED_FOR_LONG,
        "gate": decision.reason,
        "reason": decision.message,
        "severity": notify.severity,
        "message": notify.message or "",
    }


def _notice(facts: PolicyFacts, decision: Decision, incident: int) -> Notice:
    meta = facts.policy.meta
    minutes = int(BLOCKED_FOR.total_seconds() // 60)
    message = f"incident {incident}: a recovery is due and {decision.reason} refuses it for over {minutes} minutes: "
    labels = {"namespace": meta.key.namespace, "policy": meta.key.name}
    return Notice(
        Topic.NOTIFICATION,
        meta.key,
        meta.uid,
        Reason.BLOCKED_FOR_LONG,
        message + decision.message,
        warning=True,
        labels=labels,
    )
