"""The log of a live worker: one line an event, for people or as JSON.

It goes to standard output, which nothing else writes to. Whatever becomes of that (a disk that is
full, a reader that has gone), the worker goes on.
"""

import json
import logging
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

STANDARD_OUTPUT: Final = 1

FIELDS: Final = "pgflow_fields"
"""The attribute of a log record that has the fields of its event."""

OTHER_EVENT: Final = "log"
"""The event of a line that says something else than what became of runs and processes."""


class LogLines(logging.Handler):
    """Writes each record as it is formatted, at once and whole."""

    def __init__(self, formatter: logging.Formatter) -> None:
        super().__init__()
        self.setFormatter(formatter)

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, if that can be done."""
        with suppress(OSError, ValueError, TypeError):
            line = f"{self.format(record)}\n".encode(errors="backslashreplace")
            while line:
                line = line[os.write(STANDARD_OUTPUT, line) :]


class JsonLines(logging.Formatter):
    """Makes a line of JSON: time, level, event, message, and the fields of the event."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        fields: Mapping[str, Any] = getattr(record, FIELDS, {"event": OTHER_EVENT})
        message = record.getMessage()
        if record.exc_info:
            message = f"{message}\n{self.formatException(record.exc_info)}"
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            **fields,
            "message": message,
        }
        return json.dumps(line, default=str)


class ReadableLines(logging.Formatter):
    """Makes a line for people; what needs more lines has them indented."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s  %(message)s", "%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, or lines."""
        first, *more = super().format(record).splitlines() or [""]
        mark = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
        head = first.replace("  ", f"  {mark}", 1)
        return "\n".join([head, *(f"          {line}" for line in more)])


def open_log(*, as_json: bool) -> None:
    """Have all that this process logs written to standard output.

    Args:
        as_json: As lines of JSON.
    """
    _open_standard_descriptors()
    # Nobody is helped by a traceback of the logging itself, on a disk that is full.
    logging.raiseExceptions = False
    formatter = JsonLines() if as_json else ReadableLines()
    formatter.converter = time.localtime
    root = logging.getLogger()
    root.handlers = [LogLines(formatter)]
    root.setLevel(logging.INFO)


def _open_standard_descriptors() -> None:
    """Open what was closed, lest a socket of ours gets its number, and what others print."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
