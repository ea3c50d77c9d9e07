"""callHook: one call of an endpoint of the application, whose answer is the result.

Once, unless the endpoint is declared idempotent: a call whose answer was lost may have acted, so it is not repeated and
the run ends Inconclusive. The Idempotency-Key is the same for the same run and step in any case.
"""

from __future__ import annotations

import json

from ultra_recovery.actions.performer import Errand, Toolbox
from ultra_recovery.apis.action import Action, CallHook
from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus
from ultra_recovery.core.action import EffectClass, Proposal, Settlement, Sighting, StepView, Traits
from ultra_recovery.core.call import Call, CallOutcome
from ultra_recovery.core.errors import Unavailable
from ultra_recovery.core.naming import effect_key
from ultra_recovery.core.step_gates import ActionClass

CALL_HOOK = "CallHook"


class CallHookAction:
    """Calls an endpoint once per step."""

    def traits(self, action: Action) -> Traits:
        """As the step declares."""
        hook = _hook(action)
        breakers = (hook.breaker,) if hook.breaker else ()
        repeat = EffectClass.IDEMPOTENT if hook.idempotent else EffectClass.ONCE
        return Traits(ActionClass(hook.action_class), repeat, breakers)

    def propose(self, view: StepView) -> Proposal | None:
        """One call for the step."""
        if view.step.effects:
            return None
        hook = _hook(view.action)
        where = f"{hook.service_ref.name}:{hook.service_ref.port}{hook.path}" if hook.service_ref else hook.url or ""
        key = effect_key(view.run.meta.uid, view.rung.name)
        return Proposal(EffectStatus(kind=CALL_HOOK, object=where[:253], id=key, intent_at=view.now))

    def look(self, effect: EffectStatus, view: StepView) -> Sighting:
        """Nobody can tell whether a call arrived."""
        del effect, view
        return Sighting()

    def settled(self, effect: EffectStatus, view: StepView) -> Settlement | None:
        """The answer was the consequence."""
        del effect, view
        return Settlement()

    def undo(self, view: StepView) -> None:
        """A call is not taken back."""
        del view

    async def observe(self, errand: Errand, tools: Toolbox) -> None:
        """There is nothing to see."""
        del errand, tools

    async def perform(self, errand: Errand, tools: Toolbox) -> Sighting:
        """Call the endpoint.

        Raises:
            Unavailable: the answer of an idempotent endpoint was lost: it may be called again.
        """
        hook, effect = _hook(errand.rung.action), errand.effect
        call = Call(
            hook, hook.method, _body(errand), hook.timeout.total_seconds(), headers={"Idempotency-Key": effect.id}
        )
        result = await tools.caller.call(errand.namespace, call)
        if result.outcome is CallOutcome.DONE:
            return Sighting(EffectOutcome.CALLED, message=result.message)
        if result.outcome is CallOutcome.REFUSED:
            return Sighting(EffectOutcome.FAILED, message=result.message)
        if hook.idempotent:
            raise Unavailable(f"no answer of the hook: {result.message}")
        return Sighting(EffectOutcome.UNKNOWN, message=f"{result.message}; it may have acted, so it is not repeated")


def _hook(action: Action) -> CallHook:
    if action.call_hook is None:
        raise ValueError("not a callHook step")
    return action.call_hook


def _body(errand: Errand) -> bytes:
    run, spec, target = errand.run, errand.run.spec, errand.run.status.target
    document = {
        "run": run.meta.key.name,
        "namespace": errand.namespace,
        "step": errand.rung.name,
        "policy": spec.policy_name if spec else "",
        "cause": spec.cause if spec else "",
        "errorType": spec.error_type if spec else None,
        "target": {"kind": target.kind, "name": target.name} if target else None,
        "context": dict((spec.context if spec else None) or {}),
    }
    return json.dumps(document, ensure_ascii=False).encode()
