"""Logs are JSON lines, and a pay code that slips into one is hidden."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from lane_controller.shell.logs import HIDDEN, place_of, set_up_logs

CODE = "281234567890123456"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """Logs into a text, and everything as it was afterwards."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    text = io.StringIO()
    set_up_logs(text)
    yield text
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def test_code_is_hidden_in_every_field(out: io.StringIO) -> None:
    """Texts, numbers and library messages lose what looks like a code; our numbers stay."""
    log = structlog.get_logger("t")
    event = f"got {CODE}"
    log.info(event, what=f"code={CODE};", number=int(CODE), passage_id=CODE, n=5)
    logging.getLogger("library").warning("body %s", CODE)

    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert lines[0]["event"] == f"got {HIDDEN}"
    assert lines[0]["what"] == f"code={HIDDEN};"
    assert lines[0]["number"] == HIDDEN
    assert (lines[0]["passage_id"], lines[0]["n"]) == (CODE, 5)
    assert CODE not in json.dumps(lines[1])


def test_place_of_an_error_names_its_line() -> None:
    """A fault is logged by where it was raised, without any value."""
    try:
        int("x" + CODE)
    except ValueError as error:
        found = place_of(error)

    assert found.startswith("test_logs.py:")
    assert CODE not in found
