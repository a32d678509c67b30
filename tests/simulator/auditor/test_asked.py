"""Who pays by phone is charged what stood on the display: part of M1, one fact spoilt at a time.

One driver comes to the window at 2 s, pays 25.00 yuan at 5 s and leaves it at 7 s.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from simulator.auditor import Evidence, audit
from simulator.plant.events import Display, LogEntry, What
from simulator.plant.vehicles import VehicleId
from tests.simulator.auditor.runs import LANE, ORDER, S, clean_run, edge, road
from tolling.ids import LaneId
from tolling.pictures import DisplayPicture, PictureKind, picture_lines


def shows(at_s: float, fen: int | None, kind: PictureKind = PictureKind.TOLL) -> Display:
    """Return a picture with a sum coming up."""
    lines = picture_lines(DisplayPicture(kind=kind, toll_fen=fen))
    return Display(at_us=int(at_s * S), lane=LANE, lines=lines, green=False)


def dark(at_s: float) -> Display:
    """Return the display going dark."""
    return Display(at_us=int(at_s * S), lane=LANE, lines=(), green=False)


def run(*shown: LogEntry, **changes: Any) -> Evidence:
    """Return the clean run with what the display showed, and with *changes*."""
    stands = (edge(2, What.AT_WINDOW, True), edge(7, What.AT_WINDOW, False))
    entries = sorted((*road(), *stands, *shown), key=lambda entry: entry.at_us)
    honest = clean_run()
    trades = (replace(honest.trades[0], payer=1),)
    return replace(honest, **{"plant_log": tuple(entries), "trades": trades, **changes})


def found(*shown: LogEntry, **changes: Any) -> list[str]:
    """Return what M1 says of the sums on the display."""
    findings = audit(run(*shown, **changes)).findings
    return [each.what for each in findings if each.rule == "M1" and "the display" in each.what]


OTHER = shows(3, 2600)


def test_who_is_charged_what_he_read_breaks_nothing() -> None:
    """It stood there as he came, or came up before the money went."""
    assert audit(run(shows(1, 2500))).clean
    assert found(shows(3, 2500)) == []
    assert found(shows(1, 2600), shows(3, 2500)) == []
    assert found(shows(3, 2500), shows(4, 2400)) == []


@pytest.mark.parametrize(
    "shown",
    [(OTHER,), (shows(1, 2600),), (OTHER, shows(5.1, 2500)), (shows(1, 2500), shows(1.9, 300))],
    ids=["other", "before", "too late", "of the one before"],
)
def test_another_sum_than_any_he_could_read_is_found(shown: tuple[Display, ...]) -> None:
    """Another vehicle's, an older one, or one that came up when he had paid."""
    assert len(found(*shown)) == 1


def test_the_finding_names_both_sums() -> None:
    """In fen, by the order."""
    said = f"order {ORDER}: 2500 fen were captured, the display said 2400, 2600"
    assert found(OTHER, shows(4, 2400)) == [said]


def test_where_nobody_can_know_what_he_read_nothing_is_found() -> None:
    """A dark display, none with a sum, another's wallet, not there, another amount taken."""
    trade = run().trades[0]
    assert found() == []
    assert found(shows(3, None, PictureKind.CHECKING)) == []
    assert found(OTHER, dark(4)) == []
    assert found(dark(1), OTHER) != [], "it was dark before he came"
    assert found(shows(0.5, 800), dark(1), shows(1.5, 800)) == [], "the frame between was lost"
    assert found(OTHER, borrowed=((1, 9),)) == []
    assert found(OTHER, trades=(replace(trade, payer=9),)) == []
    assert found(OTHER, trades=(replace(trade, payer=None),)) == []
    for paid_at_us in (None, S, 8 * S):
        assert found(OTHER, trades=(replace(trade, paid_at_us=paid_at_us),)) == []
    assert found(OTHER, orders=(replace(run().orders[0], toll_fen=2400),)) == []


def test_each_vehicle_reads_what_stands_there_in_its_own_time() -> None:
    """The next one's toll is not what the first was charged, nor in another lane."""
    second = replace(edge(8, What.AT_WINDOW, True), vehicle_id=VehicleId(2))
    assert found(shows(3, 2500), second, shows(9, 300)) == []
    trade = replace(run().trades[0], payer=2, paid_at_us=10 * S)
    assert len(found(shows(3, 2500), shows(7.5, 800), second, shows(9, 300), trades=(trade,))) == 1
    beside = replace(OTHER, lane=LaneId("002"))
    assert found(beside, shows(3, 2500)) == []
