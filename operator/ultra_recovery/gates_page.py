"""The reference page of the gates, drawn from the lists that the engine asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta

from ultra_recovery.apis.reasons import REASON_SENTENCES, Reason
from ultra_recovery.apis.recovery_run import Cause, RecoveryRunSpec
from ultra_recovery.apis.reference import HEADER, table
from ultra_recovery.core.gate_table import LATER_REASONS, RUN_GATE_REASONS, STEP_GATE_FACTS
from ultra_recovery.core.refusal import Refusal
from ultra_recovery.core.run_gates import RUN_GATES, SKIPPED, RunGate
from ultra_recovery.core.run_pending import waits_for
from ultra_recovery.core.step_gates import FORCED_GATES, STEP_GATES, StepGate

_EXPLAINED = "What to do about each: [why was nothing done?](../how-to/why-nothing-was-done.md).\n"
_RUN_TEXT = (
    "Asked in this order before a run is created, and again before a run that exists starts. The first that refuses\n"
    "is the reason. Causes in the third column are not asked. A run by hand waits until `spec.expiresAfter` where the\n"
    "last column says so; any other run that is refused ends `Cancelled` with the reason of the gate.\n"
)
_STEP_TEXT = (
    "Asked in this order before a step begins and before every single effect of it; those of the first step also\n"
    "before a run is created. A refused step waits, as long as it and its verification still fit into\n"
    "`limits.timeout`. A `notify` step passes them all. A run with `spec.force` is not asked where the last column\n"
    "says so.\n"
)


def gates_page() -> str:
    """Every gate in its order, in the words of its own docstring."""
    run_rows = [_run_row(number, gate) for number, gate in enumerate(RUN_GATES, start=1)]
    step_rows = [_step_row(number, gate) for number, gate in enumerate(STEP_GATES, start=1)]
    later = [(f"`{reason}`", text) for reason, text in LATER_REASONS.items()]
    return "\n".join(
        [
            HEADER,
            "# Gates\n",
            _EXPLAINED,
            "## Before a run\n",
            _RUN_TEXT,
            table(("", "Reason", "Not asked for cause", "Refuses when", "A run by hand"), run_rows),
            "## Before a step and before every effect\n",
            _STEP_TEXT,
            table(("", "Reason", "For classes", "Refuses when", "With `force`"), step_rows),
            "## After the gates\n",
            table(("Reason", "The step waits, or ends, when"), later),
        ]
    )


def _run_row(number: int, gate: RunGate) -> tuple[str, ...]:
    passes = [cause for cause in Cause if gate in SKIPPED[cause]]
    asked_by_hand = gate not in SKIPPED[Cause.MANUAL]
    return (
        str(number),
        _reasons(RUN_GATE_REASONS[gate]),
        ", ".join(passes),
        _words(gate, RUN_GATE_REASONS[gate]),
        (_by_hand(RUN_GATE_REASONS[gate][0]) if asked_by_hand else "passes"),
    )


def _by_hand(reason: Reason) -> str:
    spec = RecoveryRunSpec(policy_name="any", cause=Cause.MANUAL, expires_after=timedelta(minutes=10))
    return "waits" if waits_for(spec, Refusal(reason, "")) else "is cancelled"


def _step_row(number: int, gate: StepGate) -> tuple[str, ...]:
    facts = STEP_GATE_FACTS[gate]
    forced = "skipped" if gate in FORCED_GATES else "asked"
    return (str(number), _reasons(facts.reasons), ", ".join(facts.classes), _words(gate, facts.reasons), forced)


def _reasons(reasons: Iterable[Reason]) -> str:
    return ", ".join(f"`{reason}`" for reason in reasons)


def _words(gate: Callable[..., object], reasons: tuple[Reason, ...]) -> str:
    """The first line of a docstring; where a gate has several reasons, also what each of them means."""
    words = (gate.__doc__ or "").strip().splitlines()[0]
    if len(reasons) == 1:
        return words
    return words + "".join(f" `{reason}`: {REASON_SENTENCES[reason]}" for reason in reasons)
