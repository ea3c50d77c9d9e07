"""How large a run may become, and what is left out first when it would become larger.

In this order, each from the oldest step to the newest, until it fits:

1. the evidence of steps that are done, except the newest there is, which later steps may look into;
2. effects of steps that are done, except the newest three;
3. messages of steps that are done and of their effects: 128 characters are left;
4. the rest of the effects of steps that are done;
5. messages of the current step, of its effects and of the run: 256 characters are left;
6. the rest of the evidence;
7. all messages: 64 characters are left;
8. effects of the current step, except the newest three.

Never left out: the plan, the steps, their times and results, `effectCount`, and effects that are needed to resume or
to undo, which are those without an outcome, those that failed, and those whose consequence was not seen yet. Should
these alone be larger, they are written as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from ultra_recovery.apis.run_status import EffectOutcome, EffectStatus, RecoveryRunStatus, StepState, StepStatus
from ultra_recovery.core.objects import encode_status

MAX_BYTES = 32 * 1024
"""Of the status of a run, as compact JSON in ASCII, which is how it is sent."""
_NEWEST = 3
_WITHOUT_CONSEQUENCE = (EffectOutcome.WITHDRAWN, EffectOutcome.DELIVERED, EffectOutcome.DRY_RUN)

_Reduction = Callable[[StepStatus], StepStatus]


def size_of(status: RecoveryRunStatus) -> int:
    """Bytes of a status as it is sent."""
    return len(encode_status(status.to_wire()))


def bounded(status: RecoveryRunStatus) -> RecoveryRunStatus:
    """The status, with as much left out as is needed to stay within `MAX_BYTES`."""
    smaller = status
    for smaller in _ever_smaller(status):
        if size_of(smaller) <= MAX_BYTES:
            break
    return smaller


def _ever_smaller(status: RecoveryRunStatus) -> Iterator[RecoveryRunStatus]:
    yield status
    steps = status.steps
    every = range(len(steps))
    done = [index for index in every[:-1] if steps[index].state is StepState.DONE]
    current = [index for index in every if index not in done]
    with_evidence = [index for index in done if steps[index].evidence is not None]
    stages: list[tuple[_Reduction, Sequence[int], int | None]] = [
        (_without_evidence, with_evidence[:-1], None),
        (partial(_with_fewer_effects, newest=_NEWEST), done, None),
        (partial(_with_short_messages, most=128), done, None),
        (partial(_with_fewer_effects, newest=0), done, None),
        (partial(_with_short_messages, most=256), current, 256),
        (_without_evidence, every, None),
        (partial(_with_short_messages, most=64), every, 64),
        (partial(_with_fewer_effects, newest=_NEWEST), current, None),
    ]
    for reduce, indexes, most in stages:
        for index in indexes:
            changed = [*status.steps[:index], reduce(status.steps[index]), *status.steps[index + 1 :]]
            status = status.model_copy(update={"steps": changed})
            yield status
        if most is not None:
            status = status.model_copy(update={"message": _short(status.message, most)})
            yield status


def _without_evidence(step: StepStatus) -> StepStatus:
    # Half a JSON document would be worth less than none.
    return step.model_copy(update={"evidence": None})


def _with_fewer_effects(step: StepStatus, newest: int) -> StepStatus:
    over = [effect for effect in step.effects if not _needed(effect)]
    dropped = {id(effect) for effect in over[: max(len(over) - newest, 0)]}
    return step.model_copy(update={"effects": [effect for effect in step.effects if id(effect) not in dropped]})


def _needed(effect: EffectStatus) -> bool:
    """Whether resuming or undoing may have to know this effect."""
    if effect.outcome is None:
        return True
    return effect.settled_at is None and effect.outcome not in _WITHOUT_CONSEQUENCE


def _with_short_messages(step: StepStatus, most: int) -> StepStatus:
    effects = [effect.model_copy(update={"message": _short(effect.message, most)}) for effect in step.effects]
    return step.model_copy(update={"message": _short(step.message, most), "effects": effects})


def _short(text: str | None, most: int) -> str | None:
    return text if text is None or len(text) <= most else text[: most - 1] + "…"
