"""Logs: structured lines on standard error, one form for people and one for machines; secrets do not get in."""

import logging
import re
import sys
from contextvars import ContextVar
from typing import Any

import structlog

_SECRET_PARAMETERS = (
    *("code", "state", "nonce", "code_verifier", "access_token", "refresh_token", "id_token", "token"),
    *("client_secret", "appsecret_proof", "password", "request"),
)
"""In the query of an address, ours or another service's."""
_SECRETS = re.compile(
    r"gp_(?:rt|key|cs|ac|dc|bs|kd)_[A-Za-z0-9_-]{8,}"  # our own opaque credentials
    r"|eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*\.?[A-Za-z0-9_-]*"  # any JWT
    r"|(?i:(?:basic|bearer)\s+[A-Za-z0-9._~+/=-]{8,})"
    r"|(?<=://)[^/@\s:]*:[^@/\s]+(?=@)"  # user:password of a URL
    + "".join(rf"|(?<=[?&]{name}=)[^&\s\"'#]+" for name in _SECRET_PARAMETERS)
)
_HIDDEN = "[hidden]"

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request being served, for every line that is logged meanwhile."""


trace: ContextVar[tuple[str, str] | None] = ContextVar("trace", default=None)
"""The ids of the trace and the span of that request, while it is traced."""


def redact(text: str) -> str:
    """The text with everything that looks like a credential replaced."""
    return _SECRETS.sub(_HIDDEN, text)


def _redacted(_: Any, __: str, line: str) -> str:
    return redact(line)


def _with_request_id(_: Any, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if current := request_id.get():
        event["request_id"] = current
    if traced := trace.get():
        event["trace_id"], event["span_id"] = traced
    return event


def configure_logs(*, level: str, form: str) -> None:
    """Set up structlog and the standard library's logging, once per process.

    Libraries are not heard below `info`, whatever the level: they write down what they send to the stores.
    """
    number = logging.getLevelNamesMapping()[level.upper()]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
    rendered = [structlog.processors.format_exc_info, renderer, _redacted]
    structlog.configure(
        processors=[_with_request_id, structlog.processors.add_log_level, stamp, *rendered],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.stdlib.add_log_level, stamp],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendered],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(number, logging.INFO))
    for chatty in ("alembic", "uvicorn.error", "httpx2", "httpcore2"):  # the last two write down whole addresses
        logging.getLogger(chatty).setLevel(max(number, logging.WARNING))
