"""One JSON line per event on standard error. Nothing that could hold a pay code is ever logged.

The web server's access log stays off: paths are harmless, but a habit of logging requests is not.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import structlog


def set_up_logs(level: str, *, stream: TextIO | None = None) -> None:
    """Send structlog's and the libraries' lines to *stream* (standard error) as JSON."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_traceback,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for noisy in ("uvicorn.access", "aiohttp.access", "aiohttp.client"):
        logging.getLogger(noisy).disabled = True
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _without_traceback(_: Any, __: str, event: Any) -> Any:
    """Keep the error's class of a library's traceback: its text may hold input."""
    found = event.pop("exc_info", None)
    if isinstance(found, tuple) and found[0] is not None:
        event["error"] = found[0].__name__
    return event
