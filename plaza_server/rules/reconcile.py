"""Matches one platform's bill of one day with our orders, one order number at a time. Pure.

Strategy. ``look`` takes all that is known of one number (rows of this bill, rows of other days'
bills, our order, the refunds we booked) and says what agrees, what does not, and what the ledger
has to hold so that our clearing account is the platform's own sum. It decides nothing twice: what
it finds follows from its input alone, so it is run again after every fact it asks for and after
every new version of a bill, and the store writes only what changed.

What heals itself. A bill is final proof (design.md section 6): a payment it lists was captured,
whatever we thought (LONG); an order it lacks was never paid (SHORT). Both become facts of the
order, and the order's own rules do the rest: a late capture is refund_due at once. A payment that
stands in the neighbour day's bill (DAY) is matched there. The fee is what the bill says (FEE).

What is left for a person. Money the platform has and no order explains, money we hold that it
lacks, other amounts, second trades under one number, refunds that nobody here asked for. Each gets
one action, and its amount stands in ``differences:<platform>`` until a later bill or a person
explains it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from plaza_server.rules.bills import (
    BillKind,
    BillRow,
    BillStatus,
    day_of,
    expected_fee_fen,
    shift_day,
    window_of,
)
from plaza_server.rules.facts import BillLacks, BillShows
from plaza_server.rules.order_values import Order
from plaza_server.rules.outcomes import Paid
from plaza_server.rules.reconcile_values import (
    DifferenceClass,
    Finding,
    Frame,
    Known,
    Look,
    Match,
    OurRefund,
    Posting,
)
from tolling.money import Money
from tolling.orders import CAPTURED_STATES, OPEN_STATES, OrderState

S = OrderState
PAY_LATEST_MS = 16 * 60_000
"""An order may be captured this long after pay was sent: the longest life a platform is asked to
give an order is 15 minutes, and one for its way."""
EDGE_MS = 10 * 60_000
"""Where only our own clock says when a payment was, this close to the cut it may be the next
day's."""
_OWED = frozenset({S.REFUND_DUE, S.REFUNDING, S.MISMATCH, S.REFUND_STUCK})


C = DifferenceClass


@dataclass(slots=True)
class _Draft:
    frame: Frame
    known: Known
    matches: list[Match] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)

    def match(self, row: BillRow) -> None:
        self.matches.append(Match(key=row.key, number=row.out_trade_no, line=row.line))

    def find(
        self, what: DifferenceClass, key: str, bill_fen: int, ours_fen: int, action: str = ""
    ) -> None:
        self.findings.append(
            Finding(
                what=what,
                key=key,
                number=self.known.number,
                bill_fen=bill_fen,
                ours_fen=ours_fen,
                action=action,
            )
        )

    def unexplained(self, key: str, clearing_fen: int) -> None:
        if clearing_fen != 0:
            self.postings.append(Posting(key=key, fee=False, clearing_fen=clearing_fen))

    def done(self, fact: BillShows | BillLacks | None = None) -> Look:
        return Look(
            matches=tuple(self.matches),
            findings=tuple(self.findings),
            postings=tuple(self.postings),
            fact=fact,
        )


def look(known: Known, frame: Frame) -> Look:
    """Return what agrees and what does not about one number. Total."""
    draft = _Draft(frame=frame, known=known)
    known = draft.known = _without_repeats(draft)
    _fees(draft)
    order = known.order
    if order is None or order.platform != frame.platform:
        _nobodys(draft)
        return draft.done()
    pays = [row for row in known.rows if row.kind is BillKind.PAY]
    primary = _primary(pays, known, order)
    for row in pays:
        if row is not primary:
            _second_trade(draft, row)
    if order.state not in CAPTURED_STATES:
        return _uncaptured(draft, order, primary)
    if primary is not None:
        _captured(draft, order, primary)
    elif not _paid_elsewhere(known):
        _absent(draft, order)
    fact = _refunds(draft, order, primary)
    return draft.done(fact or _confirming(order, primary))


# ---- rows nobody explains ----


def _fees(draft: _Draft) -> None:
    """Book every row's fee as billed, and say where it is not what the rate says."""
    for row in draft.known.rows:
        if row.status is BillStatus.FAILED:
            continue
        if row.fee_fen != 0:
            draft.postings.append(
                Posting(key=f"fee/{row.key}", fee=True, clearing_fen=-row.fee_fen)
            )
        rate = draft.frame.fee_rate_bp
        if rate is None or row.kind is not BillKind.PAY:
            continue
        wanted = expected_fee_fen(row.amount_fen, rate)
        if row.fee_fen != wanted:
            draft.find(C.FEE, row.key, row.fee_fen, wanted)


def _without_repeats(draft: _Draft) -> Known:
    """Set aside rows that an earlier day's bill lists too: a movement happens once."""
    known, frame = draft.known, draft.frame
    earlier = {each.row.key: each.day for each in known.elsewhere if each.day < frame.day}
    if not earlier:
        return known
    for row in known.rows:
        if row.key in earlier and row.status is not BillStatus.FAILED:
            draft.find(
                C.DUP,
                row.key,
                _signed(row),
                0,
                f"The bill of {earlier[row.key]} lists the same movement: ask the platform which "
                "day it settles",
            )
            draft.unexplained(f"long/{row.key}", _signed(row))
    return replace(known, rows=tuple(row for row in known.rows if row.key not in earlier))


def _nobodys(draft: _Draft) -> None:
    """Take rows whose number is no order's of this platform."""
    for row in draft.known.rows:
        if row.status is BillStatus.FAILED:
            continue
        signed = _signed(row)
        draft.find(
            C.LONG,
            row.key,
            signed,
            0,
            f"No order at {draft.frame.platform} has this number: look up trade "
            f"{row.provider_txn_id} of {_yuan(row.amount_fen)} in the platform's merchant pages "
            "and give it back there, or name its owner",
        )
        draft.unexplained(f"long/{row.key}", signed)


def _second_trade(draft: _Draft, row: BillRow) -> None:
    draft.find(
        C.DUP,
        row.key,
        row.amount_fen,
        0,
        f"One number was paid twice: give trade {row.provider_txn_id} of "
        f"{_yuan(row.amount_fen)} back in the platform's merchant pages",
    )
    draft.unexplained(f"long/{row.key}", row.amount_fen)


def _signed(row: BillRow) -> int:
    return row.amount_fen if row.kind is BillKind.PAY else -row.amount_fen


def _yuan(fen: int) -> str:
    return f"{Money(fen).yuan_text()} yuan"


def _primary(pays: Sequence[BillRow], known: Known, order: Order) -> BillRow | None:
    """Return the payment this order stands for; the others under its number are second trades."""
    earlier = [
        each
        for each in known.elsewhere
        if each.row.kind is BillKind.PAY and each.row.provider_txn_id != order.provider_txn_id
    ]
    own = [row for row in pays if row.provider_txn_id == order.provider_txn_id]
    if own:
        return own[0]
    if any(
        each.row.provider_txn_id == order.provider_txn_id and each.row.kind is BillKind.PAY
        for each in known.elsewhere
    ):
        return None
    if earlier and min(each.row.paid_at_ms for each in earlier) < min(
        (row.paid_at_ms for row in pays), default=0
    ):
        return None
    return min(pays, key=lambda row: (row.paid_at_ms, row.line), default=None)


# ---- orders that hold no money ----


def _uncaptured(draft: _Draft, order: Order, primary: BillRow | None) -> Look:
    if primary is not None and primary.amount_fen == 0:
        # No money moved, so there is nothing to capture and nothing was missed.
        draft.match(primary)
    elif primary is not None:
        back = _given_back(draft.known)
        paid = _paid_of(primary, back)
        draft.find(C.LONG, primary.key, primary.amount_fen, 0)
        return draft.done(BillShows(outcome=paid))
    for row in draft.known.rows:
        if row.kind is BillKind.REFUND and row.status is not BillStatus.FAILED:
            _stray_refund(draft, row)
    if _is_absent(draft.known, draft.frame, order):
        draft.find(C.SHORT, draft.known.number, 0, order.toll_fen)
        return draft.done(BillLacks())
    return draft.done()


def _paid_of(row: BillRow, given_back_fen: int) -> Paid:
    return Paid(
        captured_fen=row.amount_fen,
        provider_txn_id=row.provider_txn_id,
        paid_at_ms=row.paid_at_ms,
        refunded_fen=given_back_fen,
    )


def _given_back(known: Known, *, proven: bool = True) -> int:
    """Return what all bills together prove as given back under the number, or took from us for
    it."""
    wanted = {BillStatus.DONE} if proven else {BillStatus.DONE, BillStatus.PROCESSING}
    rows = (*known.rows, *(each.row for each in known.elsewhere))
    return sum(
        row.amount_fen for row in rows if row.kind is BillKind.REFUND and row.status in wanted
    )


def _is_absent(known: Known, frame: Frame, order: Order) -> bool:
    """Return whether every bill that could list the order is here, this one last, and none does."""
    undecided = order.state in OPEN_STATES or (order.state is S.REFUSED and not order.proven)
    if not undecided or order.sent_ms is None or known.rows or known.elsewhere:
        return False
    first = day_of(frame.platform, order.sent_ms)
    last = day_of(frame.platform, order.sent_ms + PAY_LATEST_MS)
    return last == frame.day and {first, last} <= frame.imported


# ---- orders that were captured ----


def _captured(draft: _Draft, order: Order, row: BillRow) -> None:
    if row.amount_fen != order.captured_fen:
        draft.find(
            C.AMOUNT,
            row.key,
            row.amount_fen,
            order.captured_fen,
            f"The platform billed {_yuan(row.amount_fen)}, our books hold "
            f"{_yuan(order.captured_fen)}: ask the platform about trade {row.provider_txn_id}",
        )
        draft.unexplained(f"amount/{row.key}", row.amount_fen - order.captured_fen)
        return
    draft.match(row)
    if order.provider_txn_id not in {None, row.provider_txn_id}:
        draft.find(
            C.STATUS,
            row.key,
            row.amount_fen,
            order.captured_fen,
            f"The bill names trade {row.provider_txn_id}, our order another one: ask the platform "
            "whether both were paid",
        )
    ours = _day_of_ours(order, draft.frame)
    if ours is not None and ours != draft.frame.day:
        draft.find(C.DAY, row.key, row.amount_fen, order.captured_fen)


def _our_ms(order: Order) -> int | None:
    return order.captured_ms if order.paid_at_ms is None else order.paid_at_ms


def _day_of_ours(order: Order, frame: Frame) -> str | None:
    """Return the neighbour day our books have the payment on; None where it is further away."""
    at_ms = _our_ms(order)
    if at_ms is None:
        return None
    day = day_of(frame.platform, at_ms)
    near = {shift_day(frame.day, -1), frame.day, shift_day(frame.day, 1)}
    return day if day in near else None


def _paid_elsewhere(known: Known) -> bool:
    return any(each.row.kind is BillKind.PAY for each in known.elsewhere)


def _absent(draft: _Draft, order: Order) -> None:
    """Take a captured order that no bill lists, on the day it should be listed."""
    at_ms, frame = _our_ms(order), draft.frame
    if at_ms is None or day_of(frame.platform, at_ms) != frame.day:
        return
    net = order.captured_fen - max(order.refunded_fen, _booked(draft.known))
    waits_for = _missing_neighbour(at_ms, order, frame)
    if waits_for is not None:
        action = f"It was paid at the turn of the day: fetch or import the bill of {waits_for}"
        draft.find(C.DAY, draft.known.number, 0, order.captured_fen, action)
        return
    if net == 0:
        # Captured and given back again: nothing is missing on either side.
        draft.find(C.SHORT, draft.known.number, 0, 0)
        return
    draft.find(
        C.SHORT,
        draft.known.number,
        0,
        net,
        f"Our books hold {_yuan(net)} that the platform's bill lacks: ask the platform about "
        f"trade {order.provider_txn_id or 'of this number'} of {frame.day}",
    )
    draft.unexplained(f"short/{draft.known.number}", -net)


def _missing_neighbour(at_ms: int, order: Order, frame: Frame) -> str | None:
    """Return the neighbour day whose bill may list the payment and is not here yet."""
    if order.paid_at_ms is not None:
        return None
    start, end = window_of(frame.platform, frame.day)
    for near, by in ((at_ms - start < EDGE_MS, -1), (end - at_ms <= EDGE_MS, 1)):
        day = shift_day(frame.day, by)
        if near and day not in frame.imported:
            return day
    return None


def _confirming(order: Order, primary: BillRow | None) -> BillShows | None:
    """Return the fact that proves a paid order: the bill is as good as a query."""
    if primary is None or order.state is not S.PAID or primary.amount_fen != order.captured_fen:
        return None
    if order.proven and order.paid_at_ms is not None:
        return None
    return BillShows(outcome=_paid_of(primary, 0))


# ---- refunds ----


def _refunds(draft: _Draft, order: Order, primary: BillRow | None) -> BillShows | None:
    """Take the refund rows of a captured order. Returns: the fact that proves it given back."""
    known = draft.known
    back, moved = _given_back(known), _given_back(known, proven=False)
    rows = [row for row in known.rows if row.kind is BillKind.REFUND]
    proves = bool(rows) and order.state in _OWED and back >= order.captured_fen
    by_number = {each.out_refund_no: each for each in known.refunds}
    booked = _booked(known)
    for row in rows:
        ours = by_number.get(row.out_refund_no)
        if row.status is BillStatus.FAILED:
            _failed_refund(draft, row, ours)
        elif proves:
            draft.find(C.STATUS, row.key, row.amount_fen, 0)
        elif ours is not None and ours.amount_fen != row.amount_fen:
            draft.find(
                C.AMOUNT,
                row.key,
                -row.amount_fen,
                -ours.amount_fen,
                f"The platform gave back {_yuan(row.amount_fen)}, our books say "
                f"{_yuan(ours.amount_fen)}: ask the platform about refund {row.out_refund_no}",
            )
            draft.unexplained(f"amount/{row.key}", ours.amount_fen - row.amount_fen)
        elif ours is not None or moved <= booked or _is_under_way(order, row):
            # One under way has left the platform's sum and not yet our books: a query proves it.
            draft.match(row)
        else:
            _stray_refund(draft, row)
    _absent_refunds(draft, order, rows)
    if not proves:
        return None
    first = primary or next(
        (each.row for each in known.elsewhere if each.row.kind is BillKind.PAY), rows[0]
    )
    paid = replace(_paid_of(first, back), captured_fen=order.captured_fen)
    return BillShows(outcome=paid)


def _booked(known: Known) -> int:
    """Return what our books hold as given back under the number."""
    return sum(each.amount_fen for each in known.refunds if each.booked)


def _is_under_way(order: Order, row: BillRow) -> bool:
    return (
        order.state in _OWED
        and row.out_refund_no == order.out_refund_no
        and row.amount_fen == order.refund_fen
    )


def _failed_refund(draft: _Draft, row: BillRow, ours: OurRefund | None) -> None:
    if ours is None or not ours.booked:
        draft.match(row)
        return
    draft.find(
        C.STATUS,
        row.key,
        0,
        -ours.amount_fen,
        f"The platform says refund {row.out_refund_no} failed, our books say it was given back: "
        "make it again in the platform's merchant pages",
    )
    draft.unexplained(f"failed/{row.key}", ours.amount_fen)


def _stray_refund(draft: _Draft, row: BillRow) -> None:
    draft.find(
        C.STATUS,
        row.key,
        -row.amount_fen,
        0,
        f"{_yuan(row.amount_fen)} were given back and nobody here asked for it: find out who made "
        f"the refund of trade {row.provider_txn_id} in the platform's merchant pages",
    )
    draft.unexplained(f"long/{row.key}", -row.amount_fen)


def _absent_refunds(draft: _Draft, order: Order, rows: Sequence[BillRow]) -> None:
    """Take refunds our books hold and no bill lists, once every bill that could list them is
    here."""
    known, frame = draft.known, draft.frame
    elsewhere = [each.row for each in known.elsewhere if each.row.kind is BillKind.REFUND]
    listed = {row.out_refund_no for row in (*rows, *elsewhere)}
    moved, booked = _given_back(known, proven=False), _booked(known)
    if moved >= booked or not (known.rows or _paid_elsewhere(known)):
        return
    for ours in known.refunds:
        day = day_of(frame.platform, ours.at_ms)
        if not ours.booked or ours.out_refund_no in listed or day != frame.day:
            continue
        paid_ms = _our_ms(order)
        first = day if paid_ms is None else min(day_of(frame.platform, paid_ms), day)
        missing = _first_missing(first, day, frame.imported)
        key = f"{known.number}/{ours.out_refund_no or 'reversal'}"
        if missing is not None:
            action = f"The refund may be billed earlier: fetch or import the bill of {missing}"
            draft.find(C.DAY, key, 0, -ours.amount_fen, action)
            continue
        draft.find(
            C.SHORT,
            key,
            0,
            -ours.amount_fen,
            f"Our books say {_yuan(ours.amount_fen)} were given back, no bill has it: ask the "
            f"platform about refund {ours.out_refund_no or 'of trade ' + known.number}",
        )
        draft.unexplained(f"short/{key}", ours.amount_fen)


def _first_missing(first: str, last: str, imported: frozenset[str]) -> str | None:
    """Return the first day from *first* to *last* whose bill is not here; at most 40 are asked."""
    day = first
    for _ in range(40):
        if day not in imported:
            return day
        if day == last:
            return None
        day = shift_day(day, 1)
    return None
