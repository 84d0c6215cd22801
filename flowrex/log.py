"""Log lines as JSON, one object a line, the same in the application and in the agent."""

from __future__ import annotations

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Lay a record out as one JSON object; what is passed as `extra` becomes fields of it."""

    def __init__(self, **constant: str) -> None:
        """Remember the fields that every line carries.

        Args:
            constant: for example `service="backend"` and `release="1.4.0"`.
        """
        super().__init__()
        self._constant = constant

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line of JSON."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._constant,
        }
        if (current := request_id.get()) is not None:
            line["request_id"] = current
        for name, value in record.__dict__.items():
            if name not in _STANDARD:
                # An extra never takes the place of what every line has.
                line[f"{name}_" if name in line else name] = value
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


def configure(level: str, *, stream: TextIO | None = None, **constant: str) -> None:
    """Send every log line of this process to `stream` as JSON.

    Args:
        level: a level's name, in either case (`info`, `DEBUG`).
        stream: where the lines go; standard output unless given, where Nomad and journald look.
        constant: fields that every line carries.
    """
    handler = logging.StreamHandler(sys.stdout if stream is None else stream)
    handler.setFormatter(JsonFormatter(**constant))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
