"""Logs: one JSON object a line on stderr. No pay code or coupon ever; a net catches what slips.

Scanned bytes and bodies are never given to a log call. Should a value still have the form of a pay
code and stand under a key that names no number of ours, it is replaced.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog

from tolling.coupons import classify_scan
from tolling.paycodes import NotAPayCode

_RUN = re.compile(r"(?<!\d)\d{16,24}(?!\d)|hQVDUFYwM[A-Za-z0-9+/=]+|TLC1[A-Z2-7]{28}")
_OUR_NUMBERS = frozenset({"passage_id", "out_trade_no", "boot_id", "at_ns", "chain_hash"})
HIDDEN = "[hidden]"


def hide_codes(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace whatever looks like a pay code in the fields of one line."""
    for key, value in event.items():
        if key in _OUR_NUMBERS:
            continue
        if isinstance(value, int) and not isinstance(value, bool):
            if _is_code(str(value)):
                event[key] = HIDDEN
        elif isinstance(value, str):
            event[key] = _RUN.sub(_hidden, value)
    return event


def _hidden(found: re.Match[str]) -> str:
    return HIDDEN if _is_code(found.group()) else found.group()


def _is_code(text: str) -> bool:
    return not isinstance(classify_scan(text.encode("ascii")), NotAPayCode)


def set_up_logs(out: TextIO | None = None) -> None:
    """Send all logs of this process to *out* (stderr) as JSON lines; libraries from WARNING up."""
    target = out or sys.stderr
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        hide_codes,
    ]
    structlog.configure(
        processors=[
            *shared,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.PrintLoggerFactory(target),
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def place_of(error: BaseException) -> str:
    """Return where an error was raised, without any value."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return ""
    code = trace.tb_frame.f_code
    return f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}"
