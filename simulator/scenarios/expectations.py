"""What a scenario expects of its run, and whether it came so.

Everything is judged by evidence from outside (plant log, books, stores, wires), the auditor's rules
first: a scenario that says nothing expects that no rule is broken, that every vehicle is gone and
that the plaza comes to rest.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from plaza_server.rules.reconcile_values import DifferenceClass
from simulator.auditor import CHECKS, Evidence, Verdict
from simulator.plant.events import Display
from simulator.scenarios.amounts import span_text
from simulator.scenarios.cars import LANE_WORD
from simulator.scenarios.shapes import (
    Flag,
    Key,
    ListOf,
    MapOf,
    Maybe,
    OneOf,
    Record,
    Shape,
    Span,
    Whole,
    Words,
)
from simulator.world.bills import BillCame
from tolling.alarms import AlarmCode
from tolling.orders import OrderState
from tolling.records import PassageEnd, Tender, UnpaidReason

NO_TENDER = "none"
"""Of records without a leg."""
_HELD = frozenset(
    f"{account}:{platform}"
    for account in ("clearing", "fees", "differences")
    for platform in ("alipay", "wechat", "unionpay")
)
ETC_DUE_STATES = ("doubtful", "due", "given_back", "not_taken")
COUPON_STATES = ("offered", "reserved", "consumed")
CORE_FAULT = AlarmCode.CORE_FAULT.value
"""An assertion failed inside a lane: never expected unless a file says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A display shows a text, at a time or before it."""

    text: str
    lane: str | None = None
    """None: in any lane."""
    before_us: int | None = None
    after_us: int | None = None

    def __str__(self) -> str:
        """Return it in words."""
        lane = "" if self.lane is None else f" in lane {self.lane}"
        after = "" if self.after_us is None else f" after {span_text(self.after_us)}"
        before = "" if self.before_us is None else f" before {span_text(self.before_us)}"
        return f"`{self.text}`{lane}{after}{before}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectations:
    """What must come of a run; None and empty say nothing."""

    violations: Mapping[str, int] = field(default_factory=dict)
    """Rules with how often each is broken; a rule that is not named is kept."""
    gone: int | None = None
    """Vehicles that left the lane; None: all of them."""
    at_rest: bool = True
    tenders: Mapping[str, int] | None = None
    """Records by the tender of their last leg, ``none`` among them; others are 0."""
    orders: Mapping[str, int] | None = None
    """Orders by state; others are 0."""
    ends: Mapping[str, int] | None = None
    """Records by how the passage ended; others are 0."""
    unpaid: Mapping[str, int] | None = None
    """Records by the reason they are not paid in full; others are 0."""
    records: int | None = None
    """At the plaza."""
    captured_fen: int | None = None
    refunded_fen: int | None = None
    kept_fen: int | None = None
    """Captured and not refunded, by the platform's books."""
    cash_fen: int | None = None
    """That drivers gave and did not get back."""
    coupons: Mapping[str, int] | None = None
    """Coupons at the plaza by state; others are 0."""
    coupon_fen: int | None = None
    """That coupons took off, by the sealed records."""
    tag_fen: int | None = None
    """That readers took from tags, by their own books."""
    etc_dues: Mapping[str, int] | None = None
    """Tag debits that settled nothing, at the plaza by state; others are 0."""
    shown: tuple[Shown, ...] = ()
    never_shown: tuple[Shown, ...] = ()
    alarms: tuple[str, ...] = ()
    """Each was raised at least once."""
    no_alarms: tuple[str, ...] = ()
    rest_before_us: int | None = None
    """The plaza is at rest by then."""
    differences: Mapping[str, int] | None = None
    """Between bill and books, by class, healed ones too; others are 0."""
    left_for_a_person: int | None = None
    """Of them."""
    unexplained_fen: int | None = None
    """That stand in the account of differences because of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """One expectation, judged."""

    what: str
    ok: bool
    seen: str

    def plain(self) -> dict[str, object]:
        """Return it as JSON data."""
        return {"what": self.what, "ok": self.ok, "seen": self.seen}


# ---- the file ----

_COUNT = Whole(most=10**9)
_FEN = Maybe(inner=Whole(least=-(10**12), most=10**12))


def _counts(words: tuple[str, ...], what: str) -> Shape:
    return MapOf(key=OneOf(words=words, what=what), value=_COUNT)


_SHOWN = Record(
    keys={
        "text": Key(shape=Words(), about="a part of what the display shows"),
        "lane": Key(shape=LANE_WORD, default=None),
        "before": Key(shape=Span(unit_us=1), default=None),
        "after": Key(shape=Span(unit_us=1), default=None),
    },
    what="`shown`",
    make=lambda read: Shown(
        text=read["text"], lane=read["lane"], before_us=read["before"], after_us=read["after"]
    ),
    take=lambda shown: {
        "text": shown.text,
        "lane": shown.lane,
        "before": shown.before_us,
        "after": shown.after_us,
    },
)
_ALARM = OneOf(words=tuple(each.value for each in AlarmCode), what="alarm")
_KEYS = {
    "violations": Key(
        shape=_counts(tuple(CHECKS), "rule"), default={}, about="rules that are broken, how often"
    ),
    "gone": Key(shape=_COUNT, default=None, about="vehicles that left; default all"),
    "at_rest": Key(shape=Flag(), default=True),
    "tenders": Key(
        shape=_counts((*(t.value for t in Tender), NO_TENDER), "tender"),
        default=None,
        about="records by tender; others are 0",
    ),
    "orders": Key(shape=_counts(tuple(s.value for s in OrderState), "state"), default=None),
    "ends": Key(shape=_counts(tuple(e.value for e in PassageEnd), "end"), default=None),
    "unpaid": Key(shape=_counts(tuple(r.value for r in UnpaidReason), "reason"), default=None),
    "records": Key(shape=_COUNT, default=None, about="at the plaza"),
    "captured_fen": Key(shape=_FEN, default=None),
    "refunded_fen": Key(shape=_FEN, default=None),
    "kept_fen": Key(shape=_FEN, default=None, about="captured less refunded"),
    "cash_fen": Key(shape=_FEN, default=None),
    "coupons": Key(shape=_counts(COUPON_STATES, "state"), default=None),
    "coupon_fen": Key(shape=_FEN, default=None),
    "tag_fen": Key(shape=_FEN, default=None, about="taken by readers, by their own books"),
    "etc_dues": Key(shape=_counts(ETC_DUE_STATES, "state"), default=None),
    "shown": Key(shape=ListOf(item=_SHOWN), default=()),
    "never_shown": Key(shape=ListOf(item=_SHOWN), default=()),
    "alarms": Key(shape=ListOf(item=_ALARM), default=(), about="raised at least once"),
    "no_alarms": Key(shape=ListOf(item=_ALARM), default=(), about="never raised"),
    "rest_before": Key(shape=Span(unit_us=1), default=None),
    "differences": Key(
        shape=_counts(tuple(c.value for c in DifferenceClass), "class of difference"),
        default=None,
        about="between bill and books, by class; others are 0",
    ),
    "left_for_a_person": Key(shape=_COUNT, default=None, about="of the differences"),
    "unexplained_fen": Key(shape=_FEN, default=None, about="in the account of differences"),
}


def _make(read: dict[str, Any]) -> Expectations:
    return Expectations(**{_field(name): value for name, value in read.items()})


def _field(key: str) -> str:
    return "rest_before_us" if key == "rest_before" else key


def _take(expected: Expectations) -> dict[str, Any]:
    by_field = {each.name: getattr(expected, each.name) for each in fields(expected)}
    return {name: by_field[_field(name)] for name in _KEYS}


EXPECT = Record(keys=_KEYS, what="`expect`", make=_make, take=_take)


# ---- judging ----


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """What came of a run, in virtual time or on wires."""

    evidence: Evidence
    verdict: Verdict
    at_rest: bool
    ended_us: int
    """When it ended."""
    bill: BillCame | None = None
    """What closing the day came to; None: it was not closed."""


def judge(expected: Expectations, came: Came) -> tuple[Checked, ...]:
    """Return each expectation with what was seen."""
    return tuple(
        check
        for part in (_rules, _people, _books, _bill, _sights)
        for check in part(expected, came)
    )


def _rules(expected: Expectations, came: Came) -> Iterator[Checked]:
    broken = {rule: count for rule, count in came.verdict.violations.items() if count}
    wanted = {rule: count for rule, count in expected.violations.items() if count}
    what = f"violations are {_table(wanted)}" if wanted else "no rule is broken"
    yield Checked(what=what, ok=broken == wanted, seen=_table(broken))
    what = "comes to rest" if expected.at_rest else "does not come to rest"
    yield Checked(what=what, ok=came.at_rest is expected.at_rest, seen=_yes(came.at_rest))
    if expected.rest_before_us is not None:
        what = f"is at rest before {span_text(expected.rest_before_us)}"
        early = came.at_rest and came.ended_us <= expected.rest_before_us
        yield Checked(what=what, ok=early, seen=span_text(came.ended_us))


def _people(expected: Expectations, came: Came) -> Iterator[Checked]:
    drivers = came.evidence.drivers
    gone = sum(driver.gone for driver in drivers)
    wanted = len(drivers) if expected.gone is None else expected.gone
    said = "every vehicle" if expected.gone is None else f"{wanted} of {len(drivers)} vehicles"
    yield Checked(what=f"{said} left the lanes", ok=gone == wanted, seen=str(gone))
    if expected.cash_fen is not None:
        cash = sum(driver.cash_fen for driver in drivers)
        yield _equal("cash", expected.cash_fen, cash, unit=" fen")


def _books(expected: Expectations, came: Came) -> Iterator[Checked]:
    seen = came.evidence
    bodies = [json.loads(record.body) for record in seen.plaza_records]
    tenders = Counter(body["legs"][-1]["tender"] if body["legs"] else NO_TENDER for body in bodies)
    counted: list[tuple[str, Mapping[str, int] | None, Counter[str]]] = [
        ("tenders", expected.tenders, tenders),
        ("orders", expected.orders, Counter(order.state for order in seen.orders)),
        ("coupons", expected.coupons, Counter(row.state for row in seen.coupon_rows)),
        ("etc dues", expected.etc_dues, Counter(due.state for due in seen.etc_dues)),
        ("ends", expected.ends, Counter(body["end"] for body in bodies)),
        (
            "unpaid",
            expected.unpaid,
            Counter(body["unpaid_reason"] for body in bodies if body["unpaid_reason"]),
        ),
    ]
    for name, wanted, found in counted:
        if wanted is not None:
            some = {word: count for word, count in wanted.items() if count}
            what = f"{name} are {_table(some)}"
            yield Checked(what=what, ok=some == dict(found), seen=_table(found))
    captured = sum(trade.captured_fen for trade in seen.trades)
    refunded = sum(trade.refunded_fen for trade in seen.trades)
    legs = [leg for body in bodies for leg in body["legs"]]
    coupon_fen = sum(leg["amount_fen"] for leg in legs if leg["tender"] == Tender.COUPON)
    sums = [
        ("tags gave", expected.tag_fen, sum(debit.amount_fen for debit in seen.debits), " fen"),
        ("coupons took off", expected.coupon_fen, coupon_fen, " fen"),
        ("records at the plaza", expected.records, len(bodies), ""),
        ("captured", expected.captured_fen, captured, " fen"),
        ("refunded", expected.refunded_fen, refunded, " fen"),
        ("kept by the platform's books", expected.kept_fen, captured - refunded, " fen"),
    ]
    for name, want, have, unit in sums:
        if want is not None:
            yield _equal(name, want, have, unit=unit)


def _bill(expected: Expectations, came: Came) -> Iterator[Checked]:
    bill = came.bill
    if bill is None:
        asked = (expected.differences, expected.left_for_a_person, expected.unexplained_fen)
        if any(each is not None for each in asked):
            yield Checked(what="the day is closed by its bill", ok=False, seen="no")
        return
    if expected.differences is not None:
        some = {word: count for word, count in expected.differences.items() if count}
        what = f"differences are {_table(some)}"
        yield Checked(what=what, ok=some == bill.found, seen=_table(bill.found))
    if expected.left_for_a_person is not None:
        yield _equal("left for a person", expected.left_for_a_person, bill.left, unit="")
    if expected.unexplained_fen is not None:
        yield _equal("unexplained", expected.unexplained_fen, bill.unexplained_fen, unit=" fen")
    # Whatever a bill claims beside the truth stands in one account: the sums are the platform's.
    held = sum(
        entry.amount_fen * ((entry.debit in _HELD) - (entry.credit in _HELD))
        for entry in came.evidence.transfers
        if entry.kind in ("posted", "post")
    )
    kept = sum(trade.captured_fen - trade.refunded_fen for trade in came.evidence.trades)
    yield _equal(
        "clearing, fees and differences hold what the platforms do", kept, held, unit=" fen"
    )


def _sights(expected: Expectations, came: Came) -> Iterator[Checked]:
    for shown in expected.shown:
        at_us = _first_shown(shown, came.evidence)
        seen = "never" if at_us is None else f"at {span_text(at_us)}"
        yield Checked(what=f"a display shows {shown}", ok=at_us is not None, seen=seen)
    for shown in expected.never_shown:
        at_us = _first_shown(shown, came.evidence)
        seen = "never" if at_us is None else f"at {span_text(at_us)}"
        yield Checked(what=f"no display shows {shown}", ok=at_us is None, seen=seen)
    raised = alarms_raised(came.evidence)
    if raised[CORE_FAULT] and CORE_FAULT not in expected.alarms:
        yield Checked(what="no lane catches a fault of its own", ok=False, seen=_table(raised))
    for code in expected.alarms:
        yield Checked(what=f"alarm {code} is raised", ok=code in raised, seen=_table(raised))
    for code in expected.no_alarms:
        seen = _table(raised)
        yield Checked(what=f"alarm {code} is not raised", ok=code not in raised, seen=seen)


def _first_shown(shown: Shown, seen: Evidence) -> int | None:
    for entry in seen.plant_log:
        if not isinstance(entry, Display) or not any(shown.text in line for line in entry.lines):
            continue
        if shown.lane is not None and entry.lane != shown.lane:
            continue
        late = shown.before_us is not None and entry.at_us >= shown.before_us
        early = shown.after_us is not None and entry.at_us <= shown.after_us
        if not late and not early:
            return entry.at_us
    return None


def alarms_raised(seen: Evidence) -> Counter[str]:
    """Return how often each alarm was raised on the wires."""
    raised: Counter[str] = Counter()
    for tap in seen.tapped:
        if tap.channel.endswith("/alarm"):
            notice = json.loads(tap.text)
            if notice["raised"]:
                raised[notice["code"]] += 1
    return raised


def _equal(what: str, wanted: int, found: int, *, unit: str) -> Checked:
    return Checked(what=f"{what}: {wanted}{unit}", ok=found == wanted, seen=f"{found}{unit}")


def _table(counts: Mapping[str, int]) -> str:
    if not counts:
        return "none"
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def _yes(value: bool) -> str:
    return "yes" if value else "no"
