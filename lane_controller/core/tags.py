"""The tag at the window: debited once, for the rest or for what it holds; and what becomes of that.

A tag is the second leg of a toll, behind a coupon: its issuer gives back what no record names. It
is charged once per passage, and its reader makes a reference once, so a lost answer is asked for
and never charged again. A tag that holds less than what is due is asked for what it holds; the rest
is for a code or cash. One that holds nothing, by its reader's word, is asked for the whole: so are
accounts that are charged later and hold no balance, and the reader refuses where there is none.

    asked ── taken ──> counts for the toll ── the record names it ──> done
      │          └── something else settles, the price falls, nobody passes ──> owed back
      └── refused ──> nothing was taken

A tag that says it belongs to a plate the camera did not read is not this vehicle's, or does not
belong in it: it pays nothing and says nothing about the entry, and the record has a remark.

The record says which: a leg, or ``owed_back``. One that is undecided still when the record is
sealed is named there too, without the reader's number: nobody knows, and its issuer is asked.
"""

from __future__ import annotations

from lane_controller.core import commands as cmd
from lane_controller.core import identify, paying
from lane_controller.core.draft import Draft
from lane_controller.core.events import EtcAnswered
from lane_controller.core.legs import LegEvent, LegStatus, after
from lane_controller.core.states import EtcPhase, Passage, Phase, TagDebit
from tolling.alarms import AlarmCode
from tolling.devices import EtcOutcome
from tolling.evolve import evolve
from tolling.messages import EntryFound
from tolling.pictures import PictureKind
from tolling.records import AuthorisedBy, OwedBack, Tender
from tolling.vehicles import may_be_same_plate

TAG_OF_ANOTHER_PLATE = "tag_of_another_plate"


def may_charge(passage: Passage) -> bool:
    """Return whether there is a tag to charge, once, and no other tender has begun."""
    if passage.coupon_asked is not None:
        return False  # What is left to charge is known in a moment.
    if passage.tag is None or of_another_plate(passage):
        return False
    return passage.etc is EtcPhase.NONE and not passage.orders


def of_another_plate(passage: Passage) -> bool:
    """Return whether the tag names a plate that the vehicle at the window does not carry."""
    tag, plate = passage.tag, passage.plate
    if tag is None or tag.plate is None or plate is None:
        return False
    return not may_be_same_plate(tag.plate, plate)


def compare_plates(draft: Draft) -> None:
    """Tell a tag of another plate to the record and to the pages, once."""
    if of_another_plate(draft.passage) and TAG_OF_ANOTHER_PLATE not in draft.passage.remarks:
        draft.remark(TAG_OF_ANOTHER_PLATE)
        draft.note(TAG_OF_ANOTHER_PLATE)


def entry_named(passage: Passage) -> EntryFound | None:
    """Return the entry which the tag names, once it is known to be of this vehicle.

    A tag that names a plate waits for the camera's word as long as that may take; one that names
    none is believed at once, and so is any where a person is asked already.
    """
    tag = passage.tag
    if tag is None:
        return None
    if tag.plate is not None and not (passage.plate_done or passage.awaits_entry):
        return None
    return None if of_another_plate(passage) else tag.entry


def charge(draft: Draft) -> None:
    """Charge the tag at the window once, where no other tender has begun."""
    passage = draft.passage
    if not may_charge(passage):
        return
    assert passage.tag is not None
    tag_id, holds_fen = passage.tag.tag_id, passage.tag.balance_fen
    amount_fen = min(passage.rest_fen, holds_fen) if holds_fen > 0 else passage.rest_fen
    draft.put_passage(
        etc=EtcPhase.CHARGING,
        phase=Phase.PAYING,
        debit=TagDebit(tag_id=tag_id, amount_fen=amount_fen),
    )
    draft.emit(cmd.ChargeTag(passage_id=passage.passage_id, tag_id=tag_id, amount_fen=amount_fen))
    draft.wake("etc", draft.limits.etc_wait_ms)
    draft.wake("tender", draft.limits.second_tender_ms)


def answered(draft: Draft) -> None:
    """Take the reader's word for the charge of this passage."""
    fact = draft.event.fact
    assert isinstance(fact, EtcAnswered)
    passage = draft.passage
    if fact.passage_id != passage.passage_id or passage.etc in (EtcPhase.NONE, EtcPhase.PAID):
        return
    if fact.failed:
        if passage.etc_open:
            draft.put_passage(etc=EtcPhase.UNKNOWN)
            draft.wake("etc", draft.limits.poll_retry_ms)
        return
    draft.no_wake("etc")
    taken = _after_answer(passage, fact.outcome)
    draft.put_passage(etc=taken.etc, debit=taken.debit)
    if taken.etc is EtcPhase.REFUSED:
        draft.note("tag_refused", fact.outcome.reason if fact.outcome else "never_begun")
        paying.back_to_tender(draft, PictureKind.TOLL)
        return
    if not _counts(passage, fact.outcome):
        _leave_out(draft)
        draft.alarm(AlarmCode.AMOUNT_MISMATCH, "etc", "a tag was charged besides what was due")
        paying.back_to_tender(draft, PictureKind.OTHER_TENDER)
    elif draft.passage.rest_fen == 0:
        _settled(draft)
    else:
        draft.note("tag_charged_in_part")
        _show_rest(draft)


def _after_answer(passage: Passage, outcome: EtcOutcome | None) -> Passage:
    """Return the passage with the reader's word for its charge in it."""
    debit = passage.debit
    assert debit is not None, "a tag that is charged was asked for money"
    if outcome is None or outcome.charged_fen == 0:
        refused = evolve(debit, status=after(debit.status, LegEvent.REFUSED))
        return evolve(passage, etc=EtcPhase.REFUSED, debit=refused)
    # Taken after all counts also where it was called refused before.
    taken = evolve(
        debit,
        status=after(LegStatus.OFFERED, LegEvent.TAKEN),
        amount_fen=outcome.charged_fen,
        txn_id=outcome.txn_id,
    )
    return evolve(passage, etc=EtcPhase.PAID, debit=taken)


def _counts(passage: Passage, outcome: EtcOutcome | None) -> bool:
    """Return whether what was taken just now is for this toll."""
    assert outcome is not None
    assert passage.debit is not None
    as_asked = outcome.charged_fen == passage.debit.amount_fen <= passage.rest_fen
    if passage.legs or passage.released or not as_asked:
        return False
    # The attendant was told already how much cash to take.
    late = passage.phase is Phase.CASH and passage.cash_ready
    return outcome.charged_fen == passage.rest_fen or not late


def _settled(draft: Draft) -> None:
    """What the tag gave is all there is to pay."""
    passage = draft.passage
    if passage.phase not in (Phase.UNSURE, Phase.TENDER, Phase.PAYING, Phase.CASH):
        return  # The window opens, and finds nothing left to pay.
    draft.put_passage(legs=passage.held_legs)
    for order in draft.passage.open_orders:
        paying.cancel(draft, order)
    if passage.phase is Phase.UNSURE:
        draft.put_passage(authorised_by=AuthorisedBy.TENDER)
        return
    identify.release(draft, AuthorisedBy.TENDER, cmd.RaiseReason.TENDER)
    draft.show_kind(PictureKind.PAID)


def _show_rest(draft: Draft) -> None:
    """The tag gave a part: ask for the rest."""
    paying.back_to_tender(draft, PictureKind.TOLL)
    passage = draft.passage
    if passage.phase is Phase.CASH:
        draft.show_kind(PictureKind.CASH)
    elif passage.phase is Phase.TENDER and not paying.phone_money_possible(draft):
        paying.offer_other_tender(draft)
    elif passage.phase is Phase.TENDER:
        other = passage.other_offered
        draft.show_kind(PictureKind.OTHER_TENDER if other else PictureKind.TOLL)


def overdue(draft: Draft) -> None:
    """The charge did not end in time: ask, never charge again."""
    if draft.state.arriving is None or not draft.passage.etc_open:
        return
    draft.put_passage(etc=EtcPhase.UNKNOWN)
    draft.emit(cmd.AskTag(passage_id=draft.passage.passage_id))


# ---- without it ----


def without(draft: Draft, amount_fen: int) -> bool:
    """Leave out what the tag gave where *amount_fen*, paid otherwise, is the toll without it.

    An order for the whole may be open when the tag's answer comes late: whichever of the two ends
    first is the one that counts, and a driver who has paid the whole owes no rest.
    """
    debit = draft.passage.debit
    if debit is None or debit.status is not LegStatus.CAPTURED:
        return False
    if amount_fen != draft.passage.rest_fen + debit.amount_fen:
        return False
    _leave_out(draft)
    return True


def fit(draft: Draft) -> None:
    """The toll is another one: what the tag gave is left out where it is more than that."""
    debit = draft.passage.debit
    if debit is not None and debit.status is LegStatus.CAPTURED and draft.passage.rest_fen < 0:
        _leave_out(draft)


def _leave_out(draft: Draft) -> None:
    debit = draft.passage.debit
    assert debit is not None
    draft.put_passage(debit=evolve(debit, status=after(debit.status, LegEvent.LEFT_OUT)))
    draft.remark("tag_charge_to_give_back")


# ---- the vehicle goes ----


def answered_of_leaving(draft: Draft) -> None:
    """The reader speaks of the vehicle under the boom: its record will say what it took."""
    fact = draft.event.fact
    assert isinstance(fact, EtcAnswered)
    leaving = draft.state.leaving
    if leaving is None or fact.passage_id != leaving.passage_id or fact.failed:
        return
    if leaving.etc not in (EtcPhase.NONE, EtcPhase.PAID):
        draft.put(leaving=_after_answer(leaving, fact.outcome))


def owed_back(passage: Passage, *, named: bool) -> tuple[OwedBack, ...]:
    """Return what the tag of a passage whose record is being sealed gave and is not named there.

    Args:   named: the record has the tag's leg.
    """
    debit = passage.debit
    if debit is None:
        return ()
    status = after(debit.status, LegEvent.NAMED if named else LegEvent.LEFT_OUT)
    if not passage.etc_open and status is not LegStatus.REFUND_DUE:
        return ()
    return (
        OwedBack(
            tender=Tender.ETC,
            tag_id=debit.tag_id,
            amount_fen=debit.amount_fen,
            txn_id=debit.txn_id,
        ),
    )
