"""notify: tell people. At least once per incident and cause; what comes of it never decides a run."""

from __future__ import annotations

from ultra_recovery.actions.performer import Errand, Toolbox
from ultra_recovery.apis.action import Action
from ultra_recovery.apis.meta import RESET_ANNOTATION
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus
from ultra_recovery.core.action import EffectClass, Proposal, Settlement, Sighting, StepView, Traits
from ultra_recovery.core.call import Delivery, Message
from ultra_recovery.core.naming import effect_key
from ultra_recovery.core.step_gates import ActionClass

NOTIFY = "Notify"
_TRAITS = Traits(ActionClass.NOTIFY, EffectClass.IDEMPOTENT)


class NotifyAction:
    """Tells by an Event, and posts to a webhook where there is one. The dedupe key is run UID and step."""

    def traits(self, action: Action) -> Traits:
        """No gate forbids it, and it may be repeated with the same key."""
        del action
        return _TRAITS

    def propose(self, view: StepView) -> Proposal | None:
        """One message, unless an earlier run of the incident has told the same cause."""
        if view.step.effects or view.cause in view.notified:
            return None
        key = effect_key(view.run.meta.uid, view.rung.name)
        return Proposal(EffectStatus(kind=NOTIFY, object=view.cause, id=key, intent_at=view.now))

    def look(self, effect: EffectStatus, view: StepView) -> Sighting:
        """Where the message stands; a process that was started anew does not know it and sends it again."""
        seen = view.observations.get(effect.id)
        if seen is Delivery.DELIVERED:
            return Sighting(EffectOutcome.DELIVERED)
        if seen is Delivery.FAILED:
            return Sighting(EffectOutcome.FAILED, message="the webhook did not take the message")
        return Sighting(under_way=seen is Delivery.WAITING)

    def settled(self, effect: EffectStatus, view: StepView) -> Settlement | None:
        """Nothing follows from a message."""
        del effect, view
        return Settlement()

    def undo(self, view: StepView) -> None:
        """A message is not taken back."""
        del view

    async def observe(self, errand: Errand, tools: Toolbox) -> object | None:
        """Where the message stands."""
        return tools.messenger.delivery(errand.effect.id)

    async def perform(self, errand: Errand, tools: Toolbox) -> Sighting:
        """Hand the message over; the Event is posted with its outcome."""
        notify = errand.rung.action.notify
        if notify is None or notify.webhook is None:
            return Sighting(EffectOutcome.DELIVERED)
        message = Message(
            key=errand.effect.id,
            namespace=errand.namespace,
            endpoint=notify.webhook,
            subject=f"{errand.namespace}/{errand.run.meta.key.name}",
            data=_data(errand),
        )
        return Sighting(under_way=tools.messenger.send(message))


def _data(errand: Errand) -> dict[str, object]:
    """What, why, what we did, what came of it, and how to go on."""
    run, spec, status = errand.run, errand.run.spec, errand.run.status
    policy = spec.policy_name if spec else ""
    notify = errand.rung.action.notify
    return {
        "namespace": errand.namespace,
        "policy": policy,
        "run": run.meta.key.name,
        "incident": spec.incident if spec else None,
        "target": {"kind": status.target.kind, "name": status.target.name} if status.target else None,
        "cause": errand.effect.object,
        "severity": notify.severity if notify else "Warning",
        "message": (notify.message if notify else None) or "",
        "steps": [
            {"name": step.name, "result": step.result, "reason": step.reason, "message": step.message}
            for step in status.steps
            if step.result is not None
        ],
        "reset": f'kubectl -n {errand.namespace} annotate rp {policy} {RESET_ANNOTATION}="$(date +%s)" --overwrite',
    }
