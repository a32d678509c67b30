"""The record of a passage: what it says of money, time and whose word let the vehicle through."""

from __future__ import annotations

from lane_controller.core import commands as cmd
from lane_controller.core import sealing as subject
from lane_controller.core.draft import Draft
from lane_controller.core.events import Event, Wakeup
from tests.lane_controller.core.playbook import LOOP_1, OFF, Playbook
from tolling.records import AuthorisedBy, PassageEnd, PassageRecord, UnpaidReason


def sealed(book: Playbook, end: PassageEnd) -> tuple[PassageRecord, Draft]:
    """Return the record of the vehicle at the window, and the draft that holds it."""
    event = Event(at_ns=book.at_ns, wall=book.wall, fact=Wakeup(timer_id="clear"))
    draft = Draft(book.state, event)
    subject.seal(draft, book.passage, end)
    (command,) = draft.commands
    assert isinstance(command, cmd.SealPassage)
    return command.record, draft


def test_who_paid_and_passed_has_its_leg_and_no_excuse() -> None:
    """The leg stands on the record, and the code is remembered as used."""
    book = Playbook().open().arrive().pay()
    record, draft = sealed(book, PassageEnd.PASSED)
    assert (len(record.legs), record.unpaid_reason) == (1, None)
    assert record.authorised_by is AuthorisedBy.TENDER
    assert draft.state.recent_codes[-1] == book.passage.orders[0].keyed_hash
    assert draft.state.passages_total == book.state.passages_total + 1


def test_who_backed_out_after_paying_has_no_leg() -> None:
    """What was captured is given back, and nobody let it through."""
    record, _ = sealed(Playbook().open().arrive().pay(), PassageEnd.BACKED_OUT)
    assert (record.legs, record.unpaid_reason) == ((), UnpaidReason.BACKED_OUT)
    assert record.authorised_by is AuthorisedBy.NOBODY
    assert record.orders


def test_who_drove_through_unpaid_is_a_violation() -> None:
    """Nobody authorised it."""
    record, _ = sealed(Playbook().open().arrive(), PassageEnd.PASSED)
    assert record.unpaid_reason is UnpaidReason.VIOLATION


def test_who_left_unseen_keeps_what_it_paid() -> None:
    """A leg needs no excuse; without one the outage is it."""
    paid, _ = sealed(Playbook().open().arrive().pay(), PassageEnd.LEFT_DURING_OUTAGE)
    assert (len(paid.legs), paid.unpaid_reason) == (1, None)
    unpaid, _ = sealed(Playbook().open().arrive(), PassageEnd.LEFT_DURING_OUTAGE)
    assert unpaid.unpaid_reason is UnpaidReason.LEFT_DURING_OUTAGE


def test_time_in_the_lane_is_told_only_where_it_is_known() -> None:
    """Milliseconds since the vehicle came; 0 after a restart, whose clock began anew."""
    book = Playbook().open().arrive().wait(7_000)
    assert sealed(book, PassageEnd.PASSED)[0].dwell_ms >= 7_000
    book.start("boot-2", 3_000)
    assert sealed(book, PassageEnd.PASSED)[0].dwell_ms == 0
    assert book.state.reading(LOOP_1) is not OFF
