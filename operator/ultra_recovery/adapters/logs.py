"""Logs: one JSON object per line on standard error, and a sink that writes notices to them."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from typing import TextIO

from ultra_recovery.core.notices import Notice, Topic

_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
"""What every record has; anything else was passed as `extra`."""
_FIXED = frozenset({"time", "level", "logger", "message", "exception"})


class JsonFormatter(logging.Formatter):
    """Formats a record as one line of JSON; what JSON cannot hold becomes a string."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name, value in record.__dict__.items():
            if name not in _OWN:
                line[f"{name}_" if name in _FIXED else name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logging(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Log in JSON, from `level` on; replaces all handlers of the root logger.

    kopf tells every event at INFO; only its warnings are worth a line.

    Args:
        level: DEBUG, INFO, WARNING or ERROR.
        stream: where to; None is standard error.
    """
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(JsonFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("kopf").setLevel(logging.WARNING)


class LogSink:
    """Writes one line per notice."""

    def __init__(self, logger: logging.Logger | None = None) -> None:
        self._log = logger if logger is not None else logging.getLogger("ultra_recovery.notices")

    def publish(self, notice: Notice) -> None:
        """Log a notice."""
        level = self._level(notice)
        if not self._log.isEnabledFor(level):
            return
        extra = {
            "topic": str(notice.topic),
            "object": str(notice.key),
            "reason": str(notice.reason),
            "labels": dict(notice.labels),
            "values": dict(notice.values),
        }
        self._log.log(level, "%s", notice.message, extra=extra)

    @staticmethod
    def _level(notice: Notice) -> int:
        if notice.warning:
            return logging.WARNING
        return logging.DEBUG if notice.topic is Topic.BREAKER_PROBE else logging.INFO
