"""One JSON line per event on standard error. Nothing that could hold a pay code is ever logged.

Our own lines are written straight: the standard library's way takes longer than most of a
payment's work. Its handler is for the libraries' lines.

The web server's access log stays off: paths are harmless, but a habit of logging requests is not.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from typing import Any, TextIO

import structlog

_stamp = structlog.processors.TimeStamper(fmt="iso", utc=True)
_as_json = structlog.processors.JSONRenderer(ensure_ascii=False)


def set_up_logs(level: str, *, stream: TextIO | None = None) -> None:
    """Send structlog's and the libraries' lines to *stream* (standard error) as JSON."""
    number = logging.getLevelNamesMapping()[level.upper()]
    out = stream or sys.stderr
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.contextvars.merge_contextvars,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.add_log_level,
                _stamp,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _without_traceback,
                _as_json,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for noisy in ("uvicorn.access", "aiohttp.access", "aiohttp.client"):
        logging.getLogger(noisy).disabled = True
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            _add_name,
            structlog.processors.add_log_level,
            _stamp,
            _without_traceback,
            _as_json,
        ],
        logger_factory=_writers(out),
        wrapper_class=structlog.make_filtering_bound_logger(number),
        cache_logger_on_first_use=True,
    )


class _Writer:
    """Writes one logger's lines, each whole, whichever thread they come from."""

    def __init__(self, name: str, out: TextIO, lock: threading.Lock) -> None:
        self.name = name
        self._out = out
        self._lock = lock

    def msg(self, line: str) -> None:
        """Write one line."""
        with self._lock:
            self._out.write(f"{line}\n")
            self._out.flush()

    debug = info = warning = error = critical = msg


def _writers(out: TextIO) -> Callable[..., _Writer]:
    lock = threading.Lock()
    return lambda name="": _Writer(name, out, lock)


def _add_name(logger: Any, _: str, event: Any) -> Any:
    event["logger"] = logger.name
    return event


def _without_traceback(_: Any, __: str, event: Any) -> Any:
    """Keep the error's class of a library's traceback: its text may hold input."""
    found = event.pop("exc_info", None)
    if found is True:
        found = sys.exc_info()
    if isinstance(found, BaseException):
        found = (type(found), found, None)
    if isinstance(found, tuple) and found[0] is not None:
        event["error"] = found[0].__name__
    return event
