"""Whether the ServiceAccount that a policy names may do what its ladder does. Asked anew again and again.

Rights may be withdrawn at any time: an answer is good for a policy for some minutes, and for an effect for seconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ultra_recovery.actions.registry import find_action
from ultra_recovery.apis.action import Step
from ultra_recovery.apis.reasons import Reason
from ultra_recovery.core.errors import ApiError, TooManyRequests, Unavailable
from ultra_recovery.core.refusal import Problem, Refusal
from ultra_recovery.core.rights import Account, Right, forbidden, unnamed
from ultra_recovery.ports import Clock, Reviewed, Reviewer

ALLOWED_FOR = 300.0
"""Seconds after which a policy whose account has all rights is asked about again."""
DENIED_FOR = 15.0
"""Likewise while a right is missing: whoever grants it does not want to wait."""
UNKNOWN_FOR = 5.0
"""Likewise while nobody answers."""
FRESH = 5.0
"""An effect follows an answer that is no older."""
_MOST = 10_000


@dataclass(frozen=True, slots=True)
class _Answer:
    """What was said, and when.

    Attributes:
        allowed: None: nobody could say.
        lasting: asking again will hardly help: somebody must mend something.
    """

    allowed: bool | None
    at: float
    message: str = ""
    lasting: bool = False

    @property
    def good_for(self) -> float:
        if self.allowed is None:
            return UNKNOWN_FOR
        return ALLOWED_FOR if self.allowed else DENIED_FOR


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the answers come to.

    Attributes:
        problem: why the policy cannot be enforced until somebody mends it.
        refusal: why nothing may be done now; set whenever anything is not known to be allowed.
    """

    problem: Problem | None = None
    refusal: Refusal | None = None


_FREE = Verdict()


class Creators:
    """Asks the API server, and keeps the answers.

    Args:
        reviewer: who is asked; None: what a policy may do is not asked at all.
        clock: the time.
    """

    def __init__(self, reviewer: Reviewer | None, clock: Clock) -> None:
        self._reviewer = reviewer
        self._clock = clock
        self._answers: dict[tuple[Account, Right], _Answer] = {}

    async def review(
        self, namespace: str, account: str | None, steps: Iterable[Step], *, within: float | None = None
    ) -> None:
        """Ask what is not known, or was asked too long ago.

        Args:
            namespace: where the policy is.
            account: the ServiceAccount that it names.
            steps: what is to be done.
            within: an answer may be no older than so many seconds; None: as old as answers of its kind may be.
        """
        if self._reviewer is None or not account:
            return
        who = Account(namespace, account)
        for right in rights_of(steps):
            known, now = self._answers.get((who, right)), self._clock.boottime()
            if known is None or now - known.at >= (known.good_for if within is None else min(within, known.good_for)):
                self._remember((who, right), await self._ask(self._reviewer, who, right))

    def verdict(self, namespace: str, account: str | None, steps: Iterable[Step]) -> Verdict:
        """What the answers that are known come to; what was never asked is not known to be allowed."""
        if self._reviewer is None:
            return _FREE
        if not account:
            return _denied(unnamed(namespace))
        who = Account(namespace, account)
        answers = [(right, self._answers.get((who, right))) for right in rights_of(steps)]
        missing = [right for right, answer in answers if answer is not None and answer.allowed is False]
        if missing:
            return _denied(forbidden(who, missing))
        unknown = [(right, answer) for right, answer in answers if answer is None or answer.allowed is None]
        return _unknown(who, *unknown[0]) if unknown else _FREE

    def due(self, namespace: str, account: str | None, steps: Iterable[Step]) -> float | None:
        """Seconds until an answer is too old; None when nothing is asked."""
        if self._reviewer is None or not account:
            return None
        who, now = Account(namespace, account), self._clock.boottime()
        known = [answer for right in rights_of(steps) if (answer := self._answers.get((who, right))) is not None]
        return min((max(answer.at + answer.good_for - now, 0.0) for answer in known), default=None)

    async def _ask(self, reviewer: Reviewer, who: Account, right: Right) -> _Answer:
        """One question. Whatever the answer was before: an error is no permission."""
        asked_at = self._clock.boottime()
        try:
            allowed = await reviewer.allowed(Reviewed(who.username, groups=who.groups), right, who.namespace)
        except (Unavailable, TooManyRequests) as error:
            return _Answer(None, asked_at, str(error))
        except ApiError as error:
            return _Answer(None, asked_at, str(error), lasting=True)
        return _Answer(allowed, asked_at)

    def _remember(self, key: tuple[Account, Right], answer: _Answer) -> None:
        """The oldest goes first when there are too many: accounts come and go."""
        self._answers.pop(key, None)
        while len(self._answers) >= _MOST:
            del self._answers[next(iter(self._answers))]
        self._answers[key] = answer


def rights_of(steps: Iterable[Step]) -> Sequence[Right]:
    """What somebody must be allowed to do who does by hand what these steps do."""
    performers = [(find_action(step.action), step.action) for step in steps]
    return sorted({right for known, action in performers if known is not None for right in known.traits(action).rights})


def _denied(problem: Problem) -> Verdict:
    return Verdict(problem, Refusal(problem.reason, problem.message))


def _unknown(who: Account, right: Right, answer: _Answer | None) -> Verdict:
    said = answer.message if answer is not None else "not asked yet"
    message = f"whether ServiceAccount {who.name} may {right} in namespace {who.namespace} is not known: {said}"
    problem = Problem(Reason.RIGHTS_UNKNOWN, message) if answer is not None and answer.lasting else None
    return Verdict(problem, Refusal(Reason.RIGHTS_UNKNOWN, message))
