"""How workers log: lines on standard error, for people or (RIHLA_LOG_FORMAT=json) as one JSON object each.

The JSON is made by a formatter of ours for the standard library's logging, with orjson. structlog would ask every
module, and the libraries' too, to log in its way; python-json-logger gives the same fields, but masks nothing, and a
secret must go before it is written as JSON: afterwards its quotes and backslashes are escaped, and it is not found.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from datetime import UTC, datetime
from typing import Any

import orjson

from schemas.masking import Masking, hidden, mask_handlers

TEXT, JSON = "text", "json"
TEXT_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
LOUD = ("faust", "mode", "aiokafka", "opentelemetry")  # libraries of which only warnings and above are logged
QUIET = ("urllib3", "clickhouse_connect")  # libraries whose warnings we replace by a sentence
SAID_AGAIN_AFTER = 10.0  # seconds; while a broker is away aiokafka repeats itself many times a second

log = logging.getLogger(__name__)


class JsonLines(Masking):
    """A formatter whose every line is a JSON object, without a secret in any of its fields.

    time (RFC 3339, UTC, milliseconds), level, logger, message, worker (null before one runs); exception, the whole
    traceback, and stack, only where there is one.
    """

    def __init__(self, worker: str | None = None) -> None:
        """worker: its name, for every line."""
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record. Never raises: a log line that cannot be written would be a line that is no JSON."""
        fields: dict[str, str | None] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": _message(record),
            "worker": self._worker,
        }
        if record.exc_info and record.exc_info[0] is not None:
            fields["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            fields["stack"] = record.stack_info
        return orjson.dumps({name: text and _written(hidden(text)) for name, text in fields.items()}).decode()


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # arguments that do not fit, or whose __str__ raises: logging itself would print a traceback
        return f"{record.msg!s} (with arguments that do not fit)"


def _written(text: str) -> str:
    """A text as UTF-8 can hold it: names of files that are none have lone surrogates, which JSON has no form for."""
    return text.encode("utf-8", "backslashreplace").decode()


class Repeats(logging.Filter):
    """Lets each message of the libraries through once in SAID_AGAIN_AFTER seconds, whatever its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write a record."""
        if not record.name.startswith(LOUD):
            return True
        key = (record.name, str(record.msg))
        last = self._said.get(key)
        if last is not None and record.created - last < SAID_AGAIN_AFTER:
            return False
        self._said[key] = record.created
        return True


def configure_logging(worker: str | None = None, style: str = TEXT, level: int = logging.INFO) -> None:
    """One line per event on stderr; libraries speak from warnings on, and do not repeat themselves.

    worker: its name, for lines of JSON. style: TEXT or JSON (Settings.log_format).
    """
    logging.basicConfig(level=level, format=TEXT_LINE, stream=sys.stderr, force=True)
    for handler in logging.getLogger().handlers:
        handler.addFilter(Repeats())
        if style == JSON:
            handler.setFormatter(JsonLines(worker))
    mask_handlers()
    for name in LOUD:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.ERROR))


def begin(worker: str | None = None) -> bool:
    """Where RIHLA_LOG_FORMAT is json, let everything that Python would print on stderr be a line of JSON from now on.

    Called before there are settings, since what is wrong with those must be logged in the same way. Returns whether it
    is so. What libraries in other languages print themselves (a panic of Rust) is beyond reach.
    """
    if os.environ.get("RIHLA_LOG_FORMAT") != JSON:
        return False
    configure_logging(worker, JSON, logging.WARNING)
    logging.captureWarnings(True)
    threading.excepthook = _thread_failed
    sys.unraisablehook = _ignored
    return True


def in_json() -> bool:
    """Whether this process logs lines of JSON."""
    return any(isinstance(handler.formatter, JsonLines) for handler in logging.getLogger().handlers)


def _thread_failed(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_type is not SystemExit and failed.exc_value is not None:
        name = failed.thread.name if failed.thread else "unknown"
        told = (failed.exc_type, failed.exc_value, failed.exc_traceback)
        log.error("thread %s failed", name, exc_info=told)


def _ignored(failed: Any) -> None:
    log.error(
        "%s", failed.err_msg or "an exception was ignored",
        exc_info=(failed.exc_type, failed.exc_value, failed.exc_traceback),
    )  # fmt: skip
