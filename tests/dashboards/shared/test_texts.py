"""Both languages are whole, and every word the lanes can say has its text."""

from __future__ import annotations

import re
from enum import Enum
from pathlib import Path

import pytest

import dashboards.staff
from dashboards.shared.texts import EN, ZH, text, texts
from lane_controller.core.states import Boom, LaneMode, LeavingPhase, Phase
from plaza_server.rules.coupons import HeldBy
from plaza_server.rules.etc_dues import EtcDueState, EtcOutcome
from plaza_server.rules.passages import PHONE, LegState, Settled
from plaza_server.shell.staff import Role
from tolling.alarms import AlarmCode, Degraded
from tolling.devices import Device
from tolling.orders import OrderState, ReasonCode
from tolling.records import AuthorisedBy, PassageEnd, Tender, UnpaidReason
from tolling.vehicles import VehicleKind

MAY_BE_EMPTY = {"reason.none", "kind.normal"}
"""Nothing is said where nothing is special."""


def test_both_languages_have_the_same_keys_and_no_empty_text() -> None:
    """A text missing in one language would be a hole on that page."""
    chinese, english = texts(ZH), texts(EN)
    assert chinese.keys() == english.keys()
    for key in chinese.keys() - MAY_BE_EMPTY:
        assert chinese[key].strip(), key
        assert english[key].strip(), key


def test_figures_stand_in_both_languages() -> None:
    """A place for a figure in one text is in the other too."""
    for key, chinese in texts(ZH).items():
        assert chinese.count("{}") == texts(EN)[key].count("{}") <= 1, key


@pytest.mark.parametrize(
    ("family", "words"),
    [
        ("tender", Tender),
        ("leg", LegState),
        ("settled", Settled),
        ("etc_due", EtcDueState),
        ("etc_outcome", EtcOutcome),
        ("held", HeldBy),
        ("end", PassageEnd),
        ("by", AuthorisedBy),
        ("unpaid", UnpaidReason),
        ("role", Role),
        ("mode", LaneMode),
        ("phase", Phase),
        ("phase", LeavingPhase),
        ("order", OrderState),
        ("reason", ReasonCode),
        ("degraded", Degraded),
        ("alarm", AlarmCode),
        ("device", Device),
    ],
)
def test_every_word_has_its_text(family: str, words: type[Enum]) -> None:
    """A state without a text would be shown as a code."""
    known = texts(ZH)
    assert [word for word in words if f"{family}.{word.value}" not in known] == []


def test_words_that_are_in_no_table_of_states_have_their_text() -> None:
    """A leg no platform was asked for, and who is nobody of the staff."""
    assert {f"tender.{PHONE}", "role.admin"} <= texts(ZH).keys()


def test_every_kind_of_vehicle_has_its_text() -> None:
    """By name, for its value is a number."""
    assert [kind for kind in VehicleKind if f"kind.{kind.name.lower()}" not in texts(EN)] == []


def test_every_place_of_the_boom_has_its_text() -> None:
    """Those the page draws; moved is no place."""
    drawn = {boom.value for boom in Boom} - {"moved"} | {"between"}
    assert {f"boom.{place}" for place in drawn} <= texts(ZH).keys()


def test_every_text_the_page_asks_for_is_there() -> None:
    """Whole keys in the component are keys of the table."""
    assert dashboards.staff.__file__ is not None
    source = (Path(dashboards.staff.__file__).parent / "lane_wall.js").read_text(encoding="utf-8")
    asked = set(re.findall(r"t\('([a-z]+\.[a-z_0-9]+)'", source))
    assert asked
    assert asked <= texts(EN).keys()


def test_one_text_is_found_by_language_and_key() -> None:
    """The page's title in both."""
    assert (text(ZH, "ui.title"), text(EN, "ui.title")) == ("车道实时", "Lanes live")
