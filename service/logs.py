"""Logs: structured lines on standard error, one form for people and one for machines; secrets do not get in."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SECRETS = re.compile(
    r"gp_(?:rt|key|cs)_[A-Za-z0-9_-]{8,}"  # our own opaque credentials
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*"  # any JWT
    r"|(?i:(?:basic|bearer)\s+[A-Za-z0-9._~+/=-]{8,})"
    r"|(?<=://)[^/@\s:]*:[^@/\s]+(?=@)"  # user:password of a URL
)
_HIDDEN = "[hidden]"


def redact(text: str) -> str:
    """The text with everything that looks like a credential replaced."""
    return _SECRETS.sub(_HIDDEN, text)


def _redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = redact(value)
    return event


class _RedactingFormatter(logging.Formatter):
    """For lines of libraries: traceback included, credentials taken out."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure_logs(*, level: str, form: str) -> None:
    """Set up structlog and the standard library's logging, once per process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact_event,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_RedactingFormatter("%(asctime)s [%(levelname)s] %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.INFO) if level != "debug" else logging.DEBUG)
