"""Our lines and the libraries' come out alike: one JSON object each, with no text of an error."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from plaza_server.shell import logs as subject


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Put back what others log with."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.reset_defaults()
    root.handlers[:] = handlers
    root.setLevel(level)


def lines_of(stream: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_names_logger_level_and_time() -> None:
    """Ours and a library's have the same keys, Chinese as it is, each on a line of its own."""
    stream = io.StringIO()
    subject.set_up_logs("info", stream=stream)
    structlog.get_logger("plaza.runner").warning("alarm", what="云岭\n站")
    logging.getLogger("uvicorn.error").warning("lost")
    ours, theirs = lines_of(stream)
    assert "云岭" in stream.getvalue()
    assert (ours["event"], ours["logger"], ours["level"]) == ("alarm", "plaza.runner", "warning")
    assert (theirs["event"], theirs["logger"]) == ("lost", "uvicorn.error")
    assert str(ours["timestamp"]).endswith("Z")
    assert set(theirs) <= set(ours)


def test_below_the_level_nothing_is_written() -> None:
    """A quieter plaza writes only what is wrong."""
    stream = io.StringIO()
    subject.set_up_logs("warning", stream=stream)
    structlog.get_logger("plaza").info("serving")
    logging.getLogger("uvicorn").info("started")
    assert stream.getvalue() == ""


def test_an_errors_text_is_not_written() -> None:
    """It may hold input: the class alone is told, also of a library's traceback."""
    stream = io.StringIO()
    subject.set_up_logs("info", stream=stream)
    try:
        raise ValueError("280000000000000001")
    except ValueError:
        structlog.get_logger("plaza").exception("broke")
        logging.getLogger("uvicorn").exception("broke too")
    assert "280000000000000001" not in stream.getvalue()
    assert [line["error"] for line in lines_of(stream)] == ["ValueError", "ValueError"]
