"""Logins that were refused are not tried again at every probe."""

from __future__ import annotations

from collections import OrderedDict

from ultra_recovery.core.database_errors import Row
from ultra_recovery.core.login_pause import Pause, after_refusal
from ultra_recovery.ports import Clock

Login = tuple[str, str]
"""User and password."""
_MAX = 10_000


class RefusedLogins:
    """Remembers which user and password were refused where, and until when to leave the server alone.

    Another password is another login: it is tried at once.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._refused: OrderedDict[tuple[str, ...], tuple[int, Pause, Row]] = OrderedDict()

    def refusal(self, where: tuple[str, ...], login: Login) -> Row | None:
        """What the server said to this login, while it is not asked again."""
        known = self._refused.get(where)
        if known is None or known[0] != hash(login) or self._clock.boottime() >= known[1].until:
            return None
        return known[2]

    def refuse(self, where: tuple[str, ...], login: Login, row: Row) -> None:
        """The server refused this login."""
        known = self._refused.pop(where, None)
        before = known[1] if known is not None and known[0] == hash(login) else None
        # The hash is of this process alone: no password is kept.
        self._refused[where] = (hash(login), after_refusal(before, self._clock.boottime()), row)
        if len(self._refused) > _MAX:
            self._refused.popitem(last=False)

    def accept(self, where: tuple[str, ...]) -> None:
        """The server let the login in."""
        self._refused.pop(where, None)
