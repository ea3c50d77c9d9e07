"""Which action carries out a step. Adding an action is one file and one line here."""

from __future__ import annotations

from ultra_recovery.actions.call_hook import CallHookAction
from ultra_recovery.actions.database import DatabaseJobAction
from ultra_recovery.actions.notify import NotifyAction
from ultra_recovery.actions.performer import Performer
from ultra_recovery.actions.restart_pods import RestartPodsAction
from ultra_recovery.actions.run_job import RunJobAction
from ultra_recovery.apis.action import Action

_DATABASE = DatabaseJobAction()
_ACTIONS: dict[str, Performer] = {
    "restart_pods": RestartPodsAction(),
    "run_job": RunJobAction(),
    "call_hook": CallHookAction(),
    "notify": NotifyAction(),
    "reconnect_database": _DATABASE,
    "refresh_pool": _DATABASE,
    "close_stale_connections": _DATABASE,
    "end_long_queries": _DATABASE,
    "raise_pool_size": _DATABASE,
}


def find_action(action: Action) -> Performer | None:
    """The action of a step; None when this version of the operator does not know it."""
    return next((known for field, known in _ACTIONS.items() if getattr(action, field) is not None), None)
