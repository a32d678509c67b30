"""One map from errors to problem+json."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import tolling
from plaza_server.api import problems as subject
from plaza_server.engine import Problem, ProblemCode

CODES = {
    entry["code"]
    for entry in tomllib.loads(
        (Path(tolling.__file__).parent / "errors.toml").read_text(encoding="utf-8")
    ).values()
}


@pytest.mark.parametrize("code", list(ProblemCode))
def test_every_problem_of_the_engine_has_a_status_and_a_stable_code(code: ProblemCode) -> None:
    """None is forgotten, each code is in errors.toml."""
    made = subject.of_engine(Problem(code=code, what="why"))
    assert 400 <= made.status < 600
    assert made.code in CODES
    assert made.reason == code.value


def test_nothing_code_like_leaves_in_a_text() -> None:
    """A pay code that found its way into a message is cut out of it."""
    text = "field 281234567890123456 and hQVDUFYwMWETTwegAAAAVVVVUAhQcm9kdWN0 are wrong"
    assert subject.clean(text) == "field … and … are wrong"
    made = subject.problem_response(400, code=2001, reason="bad_input", detail=text)
    assert b"2812345" not in made.body


def test_a_problem_says_all_it_must() -> None:
    """RFC 9457 members, our stable code, and when to come back."""
    made = subject.problem_response(503, code=2401, reason="busy", detail="stopping")
    fields = json.loads(bytes(made.body))
    assert fields == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "code": 2401,
        "reason": "busy",
        "detail": "stopping",
    }
    assert made.headers["content-type"] == subject.MEDIA_TYPE
    assert made.headers["retry-after"] == "1"
