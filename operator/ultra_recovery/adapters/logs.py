"""Logs as JSON, one line per notice: what happened, to which object, and why."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime

from ultra_recovery.core.notices import Notice, Topic

log = logging.getLogger("ultra_recovery.notices")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """One JSON object per line: time, level, logger, message, then whatever `extra` holds."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one record."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        line.update({name: value for name, value in vars(record).items() if name not in _STANDARD})
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def configure_logging(level: str) -> None:
    """Log as JSON to standard error. kopf tells every event at INFO; only its warnings are worth a line."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("kopf").setLevel(logging.WARNING)


class LogSink:
    """Writes one line per notice; probes only at DEBUG, so that a healthy fleet is silent."""

    def publish(self, notice: Notice) -> None:
        """Log one notice."""
        level = logging.WARNING if notice.warning else logging.INFO
        if notice.topic is Topic.BREAKER_PROBE:
            level = logging.DEBUG
        if not log.isEnabledFor(level):
            return
        fields = {
            "topic": notice.topic,
            "object": str(notice.key),
            "reason": notice.reason,
            "labels": dict(notice.labels),
            "values": {name: round(value, 3) for name, value in notice.values.items()},
        }
        log.log(level, notice.message, extra=fields)
