"""What a person is told of what came of his word."""

from __future__ import annotations

import pytest

from dashboards.staff.money_desk import notice_of
from dashboards.staff.money_view import View
from dashboards.staff.plaza_api import SILENCE, Said

VIEW = View(path="en", rest="/money", plaza_id="330101", simulation=False, now_ms=0, session=None)


@pytest.mark.parametrize(
    ("said", "stored", "words"),
    [
        (Said(status=200, fields={}), True, "Stored"),
        (Said(status=409, fields={"detail": "it was settled"}), False, "refuses it: it was"),
        (Said(status=500, fields={"detail": "internal error"}), False, "perhaps it was stored"),
        (Said(status=503, fields={"detail": "store away"}), False, "perhaps it was stored"),
        (SILENCE, False, "perhaps it was stored"),
    ],
)
def test_refused_is_what_the_plaza_refuses_and_nothing_else(
    said: Said, stored: bool, words: str
) -> None:
    """A fault of the plaza may have come after its commit: nobody knows then."""
    subject = notice_of(VIEW, said)
    assert subject[0] is stored
    assert words in subject[1]
