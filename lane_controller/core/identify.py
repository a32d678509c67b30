"""The arriving vehicle until its toll is told: plate, entry, class, price, display.

Plate and entry are waited for a bounded time. Where the entry stays unknown the attendant enters
it; a lane without one prices from the farthest entry,
marked, or (attended)
waits for the attendant. The scan window opens when the toll is journalled and its frame has gone
to display or
voice; with both lost the attendant's screen tells it, an unattended lane calls for help.
"""

from __future__ import annotations

from lane_controller.core import commands as cmd
from lane_controller.core import coupons, interlock, paying, tags
from lane_controller.core.draft import Draft
from lane_controller.core.events import EntryKnown, PlateRead, TagRead, TollShown
from lane_controller.core.limits import EARLY_READ_MS_MAX
from lane_controller.core.states import EtcPhase, Passage, Phase
from tolling.alarms import AlarmCode
from tolling.clock import NS_PER_MS
from tolling.devices import EtcTag
from tolling.errors import TariffGapError
from tolling.pictures import DisplayPicture, PictureKind
from tolling.records import AuthorisedBy, UnpaidReason
from tolling.tariffs import EntrySource, quote
from tolling.vehicles import EXEMPT_KINDS, Plate

OTHER_PLATE = "other_plate"
"""The vehicle in doubt has another plate than the one from before: it keeps that as its own."""


def plate_read(draft: Draft) -> None:
    """Take the camera's word for the vehicle at the window, once."""
    fact = draft.event.fact
    assert isinstance(fact, PlateRead)
    passage = draft.passage
    if passage.phase is Phase.UNSURE:
        _compare_plate(draft, passage, fact.plate)
        return
    if passage.plate_read is not None:
        return
    draft.put_passage(plate_read=fact.plate, plate_done=True)
    if passage.plate is None:
        draft.put_passage(plate=fact.plate)
    tags.compare_plates(draft)
    _identified_more(draft)


def plate_early(draft: Draft) -> None:
    """A plate came before its vehicle's presence: keep it, unless it may be the one leaving."""
    fact = draft.event.fact
    assert isinstance(fact, PlateRead)
    before = draft.state.leaving
    if fact.plate is None:
        if before is not None and draft.state.leaving_followed:
            # Whose plate was read may have followed through, and another stand there now.
            draft.put(early_plate=None)
        return
    if before is not None and before.plate_read == fact.plate:
        return  # The camera speaks once more of the vehicle under the boom.
    draft.put(early_plate=fact.plate, early_at_ns=draft.now_ns)
    back_on_loop_1 = draft.state.loop_1_on_at_ns is not None
    if before is not None and before.plate_read is not None and back_on_loop_1:
        # Loop 1 came back within a second, as under a drawbar trailer; but a trailer carries no
        # other plate in front. It is the next vehicle, bumper to bumper: a presence of its own.
        draft.put(leaving_holds_loop_1=False)


def tag_early(draft: Draft) -> None:
    """A tag came before its vehicle's presence: keep it, unless it is that of the one leaving."""
    fact = draft.event.fact
    assert isinstance(fact, TagRead)
    before = draft.state.leaving
    if before is not None and before.tag is not None and before.tag.tag_id == fact.tag.tag_id:
        return
    draft.put(early_tag=fact.tag, early_at_ns=draft.now_ns)


def take_early(draft: Draft) -> None:
    """Give a presence that has just begun what was read of it before, and go on with that."""
    give_early(draft)
    _identified_more(draft)


def give_early(draft: Draft) -> None:
    """Give a presence that has just begun what was read of it before: it is nobody else's."""
    state = draft.state
    plate, tag = state.early_plate, state.early_tag
    fresh = draft.now_ns - state.early_at_ns <= EARLY_READ_MS_MAX * NS_PER_MS
    draft.put(early_plate=None, early_tag=None)
    if plate is not None and fresh:
        draft.put_passage(plate=plate, plate_read=plate, plate_done=True)
    if tag is not None and fresh:
        _take_tag(draft, tag)


def plate_late(draft: Draft) -> None:
    """The vehicle is held for a person: a plate that comes now may spare him the entry."""
    fact = draft.event.fact
    assert isinstance(fact, PlateRead)
    before = draft.state.leaving
    if fact.plate is None or draft.passage.plate is not None:
        return
    if before is not None and before.plate_read == fact.plate:
        return
    draft.put_passage(plate=fact.plate, plate_read=fact.plate, plate_done=True)
    tags.compare_plates(draft)
    if draft.passage.awaits_entry:
        price(draft)


def _compare_plate(draft: Draft, passage: Passage, plate: Plate | None) -> None:
    if plate is None or passage.plate is None:
        return
    if plate.text == passage.plate.text:
        draft.note("same_vehicle_by_plate")
        resume(draft)
    else:
        # It is kept for the passage that vehicle gets where nothing proves it the same.
        draft.remark(OTHER_PLATE)
        draft.put(early_plate=plate, early_at_ns=draft.now_ns)


def plate_overdue(draft: Draft) -> None:
    """The camera said nothing in time."""
    if draft.state.phase is Phase.IDENTIFYING:
        draft.put_passage(plate_done=True)
        _identified_more(draft)


def tag_read(draft: Draft) -> None:
    """A tag at the window says where and as what its vehicle entered.

    The antenna may hear the next vehicle's first: while that pays nothing, another takes its place.
    """
    fact = draft.event.fact
    assert isinstance(fact, TagRead)
    passage = draft.passage
    strange = passage.etc is EtcPhase.NONE and tags.of_another_plate(passage)
    if passage.tag is not None and not strange:
        return
    _take_tag(draft, fact.tag)
    if _may_learn_entry(draft.passage):
        if tags.entry_named(draft.passage) is not None:
            _identified_more(draft)
    elif draft.state.phase is Phase.TENDER:
        tags.charge(draft)


def _take_tag(draft: Draft, tag: EtcTag) -> None:
    draft.put_passage(tag=tag)
    tags.compare_plates(draft)


def _learn_entry_of_tag(draft: Draft) -> None:
    entry = tags.entry_named(draft.passage)
    if entry is None or draft.passage.entry is not None:
        return
    draft.put_passage(entry=entry, entry_done=True)
    if not draft.passage.class_typed:
        draft.put_passage(vehicle_class=entry.vehicle_class)


def entry_known(draft: Draft) -> None:
    """The plaza answered the look-up of this passage."""
    fact = draft.event.fact
    assert isinstance(fact, EntryKnown)
    passage = draft.passage
    late = passage.awaits_entry and fact.entry is not None
    if fact.passage_id != passage.passage_id or (passage.entry_done and not late):
        return
    draft.put_passage(entry=fact.entry or passage.entry, entry_done=True)
    if fact.entry is not None and not passage.class_typed:
        draft.put_passage(vehicle_class=fact.entry.vehicle_class)
    _identified_more(draft)


def entry_overdue(draft: Draft) -> None:
    """The plaza did not answer the look-up in time."""
    if draft.state.phase is Phase.IDENTIFYING and not draft.passage.entry_done:
        draft.put_passage(entry_done=True)
        draft.remark("entry_not_answered")
        _identified_more(draft)


def _may_learn_entry(passage: Passage) -> bool:
    return passage.phase is Phase.IDENTIFYING or passage.awaits_entry


def _identified_more(draft: Draft) -> None:
    passage = draft.passage
    if not _may_learn_entry(passage):
        return
    _learn_entry_of_tag(draft)
    passage = draft.passage
    if passage.entry_done:
        price(draft)
        return
    if not passage.plate_done:
        return
    if passage.plate is None or not draft.state.plaza_up:
        draft.put_passage(entry_done=True)
        price(draft)
    elif not passage.entry_asked:
        draft.put_passage(entry_asked=True)
        draft.emit(cmd.LookUpEntry(passage_id=passage.passage_id, plate=passage.plate.text))
        draft.wake("entry", draft.limits.entry_wait_ms)


def price(draft: Draft) -> None:
    """Price the vehicle with the tariff in force now; the price stays for this passage."""
    passage, tariff = draft.passage, draft.state.tariff
    draft.no_wake("plate")
    draft.no_wake("entry")
    if passage.quote is not None:
        coupons.drop_all(draft)
        passage = draft.passage
    draft.put_passage(awaits_entry=False)
    if tariff is None:
        draft.put_passage(phase=Phase.HELD, quote=None)
        draft.alarm(AlarmCode.TARIFF_GAP, "", "no tariff is in the lane")
        call_for_help(draft)
        return
    if _needs_attendant(draft) and _may_ask_plaza(draft):
        draft.put_passage(phase=Phase.IDENTIFYING, entry_done=False)
        _identified_more(draft)
        return
    if _needs_attendant(draft):
        # A price of another class must not be taken while the entry is asked for.
        draft.put_passage(phase=Phase.HELD, quote=None, awaits_entry=True)
        draft.scanner(False)
        call_for_help(draft, "nobody knows where the vehicle entered: enter its station")
        return
    entry = passage.entry
    try:
        quoted = quote(
            tariff,
            entry_station=entry.entry_station if entry else None,
            entry_source=entry.source if entry else EntrySource.FARTHEST,
            vehicle_class=passage.vehicle_class,
            vehicle_kind=passage.vehicle_kind,
        )
    except TariffGapError as error:
        # A price of the class or entry from before must not be taken, by nobody.
        draft.put_passage(phase=Phase.HELD, quote=None)
        draft.scanner(False)
        draft.alarm(AlarmCode.TARIFF_GAP, "", str(error))
        call_for_help(draft)
        return
    draft.clear(AlarmCode.TARIFF_GAP)
    draft.clear(AlarmCode.ASSIST)
    if quoted.entry_source is EntrySource.FARTHEST:
        draft.remark("farthest_entry")
    draft.put_passage(quote=quoted)
    tags.fit(draft)
    if quoted.toll_due_fen == 0:
        release_free(draft)
    else:
        show_toll(draft)


def _needs_attendant(draft: Draft) -> bool:
    """Return whether the entry is asked of the person in the booth."""
    passage = draft.passage
    unknown = passage.entry is None and not passage.farthest
    return unknown and draft.state.config.attended and passage.vehicle_kind not in EXEMPT_KINDS


def _may_ask_plaza(draft: Draft) -> bool:
    passage = draft.passage
    return passage.plate is not None and not passage.entry_asked and draft.state.plaza_up


def release_free(draft: Draft) -> None:
    """Nothing is due: no order, only a record."""
    passage = draft.passage
    if passage.vehicle_kind in EXEMPT_KINDS:
        draft.put_passage(unpaid_reason=UnpaidReason.EXEMPT)
    release(draft, AuthorisedBy.EXEMPTION, cmd.RaiseReason.EXEMPTION)
    draft.show_kind(PictureKind.FREE)


def show_toll(draft: Draft) -> None:
    """Send the toll to display and voice; the scan window waits for it."""
    passage = draft.passage
    assert passage.quote is not None
    picture = DisplayPicture(
        kind=PictureKind.TOLL,
        toll_fen=passage.rest_fen,
        vehicle_class=passage.vehicle_class,
        plate=passage.plate.text if passage.plate else None,
    )
    draft.put(picture=picture)
    draft.put_passage(phase=Phase.PRICED)
    draft.emit(cmd.ShowToll(passage_id=passage.passage_id, picture=picture))


def toll_shown(draft: Draft) -> None:
    """The toll's frame has left for display or voice: open the scan window."""
    fact = draft.event.fact
    assert isinstance(fact, TollShown)
    if fact.passage_id != draft.passage.passage_id or draft.passage.quote is None:
        return  # Of another vehicle, or of a price that was taken back since.
    draft.put_passage(toll_told=True)
    draft.clear(AlarmCode.TOLL_NOT_SHOWN)
    if draft.passage.phase in (Phase.PRICED, Phase.HELD):
        open_window(draft)


def toll_not_shown(draft: Draft) -> None:
    """Neither display nor voice can tell the toll."""
    draft.alarm(AlarmCode.TOLL_NOT_SHOWN, "", "neither display nor voice took the toll")
    draft.remark("toll_not_shown")
    if draft.passage.phase is not Phase.PRICED:
        return
    if draft.state.config.attended:
        open_window(draft)  # The attendant's screen shows it, and the attendant says it.
    else:
        draft.put_passage(phase=Phase.HELD)
        call_for_help(draft)


def open_window(draft: Draft) -> None:
    """From here a code is taken; a tag at the window is charged at once."""
    draft.put_passage(phase=Phase.TENDER)
    draft.scanner(True)
    if draft.passage.coupon_asked is not None:
        coupons.ask(draft)  # What follows is for what is left.
    elif draft.passage.rest_fen == 0:
        coupons.settle_whole(draft)
    elif tags.may_charge(draft.passage):
        tags.charge(draft)
    elif not paying.phone_money_possible(draft):
        paying.offer_other_tender(draft)


def release(
    draft: Draft, by: AuthorisedBy, reason: cmd.RaiseReason, *, after_commit: bool = False
) -> None:
    """Authorise the vehicle at the window and raise the boom for it."""
    coupons.drop_asked(draft)
    draft.put_passage(authorised_by=by, phase=Phase.RELEASED)
    draft.scanner(False)
    for timer in ("plate", "entry", "tender", "cash", "etc"):
        draft.no_wake(timer)
    for code in (AlarmCode.ASSIST, AlarmCode.ORDER_UNKNOWN, AlarmCode.TOLL_NOT_SHOWN):
        draft.clear(code)
    draft.clear(AlarmCode.TARIFF_GAP)
    here = draft.passage.passage_id
    interlock.raise_boom(draft, reason, here, after_commit=after_commit)


def resume(draft: Draft) -> None:
    """After a restart the vehicle is the one from before: go on where its journal stands."""
    draft.no_wake("unsure")
    draft.clear(AlarmCode.ASSIST)
    # A coupon's text is gone after a restart, and so is the answer about it.
    coupons.drop_asked(draft)
    passage = draft.passage
    draft.wake("stuck", draft.limits.loop_stuck_ms)
    if passage.released:
        draft.put_passage(phase=Phase.RELEASED)
        reason = {
            AuthorisedBy.TENDER: cmd.RaiseReason.TENDER,
            AuthorisedBy.EXEMPTION: cmd.RaiseReason.EXEMPTION,
        }.get(passage.authorised_by, cmd.RaiseReason.ATTENDANT)
        interlock.raise_boom(draft, reason, passage.passage_id)
        # Whom a person let through has paid nothing, and is not told so.
        paid = passage.authorised_by is AuthorisedBy.TENDER
        draft.show_kind(PictureKind.PAID if paid else PictureKind.FREE)
        paying.end_open_orders(draft)
    elif passage.quote is None:
        # The plaza may not have been heard yet, and an answer on its way is lost: ask again.
        draft.put_passage(phase=Phase.IDENTIFYING, entry_asked=False)
        draft.wake("plate", draft.limits.plate_wait_ms)
    elif passage.open_orders or passage.etc_open:
        draft.put_passage(phase=Phase.PAYING)
        draft.show_kind(PictureKind.CHECKING)
        paying.poll_open_orders(draft)
        tags.overdue(draft)
        draft.wake("tender", draft.limits.second_tender_ms)
    else:
        show_toll(draft)


def serve_held(draft: Draft) -> None:
    """Ask whoever was held before a closed lane for the toll: it is open again."""
    if draft.state.phase is Phase.HELD and draft.passage.quote is None:
        draft.clear(AlarmCode.ASSIST)
        draft.put_passage(entry_done=True)
        price(draft)


def call_for_help(draft: Draft, what: str = "the vehicle at the window needs a person") -> None:
    """Tell the driver that somebody comes, and tell somebody."""
    draft.show_kind(PictureKind.ASSIST)
    draft.alarm(AlarmCode.ASSIST, "", what)
