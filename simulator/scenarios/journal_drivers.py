"""Who sat behind the wheel, as far as a journal shows it; and what people ordered."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from lane_controller.core.events import (
    CodeScanned,
    Fact,
    NotCodeScanned,
    OperatorActed,
    OrderAnswered,
    TollShown,
)
from simulator.people import BEHAVIOURS, Behaviour
from simulator.scenarios.steps import Step
from tolling.messages import OperatorAction
from tolling.orders import OrderState
from tolling.paycodes import NotAPayCode
from tolling.records import PHONE_TENDERS

US_PER_MS = 1_000
SHORTEST_US = 200_000
"""Nobody holds up a phone sooner."""
NO_PHONE_US = 600_000_000
"""A driver who shows nothing: ten minutes pass before he would."""
TWICE_US = 1_500_000
"""The same code again within this is one delivery, doubled."""
_CASH = frozenset({OperatorAction.CASH_BEGIN, OperatorAction.CASH_TAKEN, OperatorAction.CASH_ABORT})
"""The simulated attendant's own work: the driver's asking brings it about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One vehicle's time in the lane."""

    at_us: int
    """Loop 1 went occupied."""
    body: dict[str, Any]
    """Its sealed record."""
    vehicle_class: Any
    facts: tuple[tuple[int, Fact], ...]
    """What the lane learned meanwhile, with the moment."""


def whole_ms(us: int) -> int:
    """Return a time in whole milliseconds: a journal's microseconds mean nothing elsewhere."""
    return us // US_PER_MS * US_PER_MS


def _at_least(us: int) -> int:
    return max(SHORTEST_US, whole_ms(us))


def is_phone(tender: str) -> bool:
    """Return whether a leg was paid by phone."""
    return tender in {each.value for each in PHONE_TENDERS}


def behaviour_of(stay: Stay) -> Behaviour:
    """Return a driver who does what the journal shows of this one."""
    body, scans = stay.body, list(_scans(stay))
    if body["end"] == "backed_out":
        return _paced(stay, scans, "pays_and_backs_out" if body["orders"] else "backs_out")
    if body["unpaid_reason"] == "violation":
        tailgated = "tailgated" in body["remarks"]
        return BEHAVIOURS["tailgates" if tailgated else "runs_through"]
    tender = body["legs"][0]["tender"] if body["legs"] else ""
    if tender == "etc":
        return BEHAVIOURS["pays_etc"]
    if tender == "cash":
        return _cash(stay, scans)
    if is_phone(tender):
        return _phone(stay, scans)
    if not scans:
        return replace(BEHAVIOURS["phone_ok"], name="shows_nothing", reaction_us=NO_PHONE_US)
    return _paced(stay, scans, "never_confirms")


def _scans(stay: Stay) -> Iterator[tuple[int, CodeScanned]]:
    for at_us, fact in stay.facts:
        if isinstance(fact, CodeScanned):
            yield at_us, fact


def _cash(stay: Stay, scans: list[tuple[int, CodeScanned]]) -> Behaviour:
    if not scans:
        return BEHAVIOURS["pays_cash"]
    if OrderState.REFUSED in _states(stay):
        return _paced(stay, scans, "balance_short")
    asked = _first(stay, OperatorAction.CASH_BEGIN)
    changes_us = None if asked is None else _at_least(asked - scans[0][0] - SHORTEST_US)
    driver = _paced(stay, scans, "changes_to_cash")
    return driver if changes_us is None else replace(driver, changes_mind_us=changes_us)


def _phone(stay: Stay, scans: list[tuple[int, CodeScanned]]) -> Behaviour:
    states = _states(stay)
    odd = next((f.reason for _, f in stay.facts if isinstance(f, NotCodeScanned)), None)
    if odd is not None:
        ride = odd is NotAPayCode.RIDE_CODE
        return _paced(stay, scans, "ride_code" if ride else "half_code")
    if OrderState.REFUSED in states:
        return _paced(stay, scans, "expired_code")
    if OrderState.WAITING in states and scans:
        paid = next((at for at, state in _answers(stay) if state is OrderState.PAID), None)
        driver = _paced(stay, scans, "needs_password")
        if paid is None:
            return driver
        confirm_us = _at_least(paid - scans[0][0])
        return replace(driver, confirm_us=confirm_us, sticks_to_phone=confirm_us > 8_000_000)
    hashes = [(at, fact.ref.keyed_hash) for at, fact in scans]
    twice = any(
        one[1] == other[1] and other[0] - one[0] < TWICE_US
        for one, other in itertools.pairwise(hashes)
    )
    return _paced(stay, scans, "double_scan" if twice else "phone_ok")


def _paced(stay: Stay, scans: list[tuple[int, CodeScanned]], kind: str) -> Behaviour:
    """Return a kind of driver who takes as long as this one took from the toll to the phone."""
    driver = BEHAVIOURS[kind]
    shown = next((at for at, fact in stay.facts if isinstance(fact, TollShown)), None)
    first = [at for at, _ in scans[:1]]
    first += [at for at, fact in stay.facts if isinstance(fact, NotCodeScanned)][:1]
    if shown is None or not first or min(first) < shown:
        return driver
    reaction_us = _at_least(min(first) - shown)
    return replace(driver, reaction_us=reaction_us, reaction_spread_us=0)


def _answers(stay: Stay) -> Iterator[tuple[int, OrderState]]:
    for at_us, fact in stay.facts:
        mine = isinstance(fact, OrderAnswered) and fact.answer.out_trade_no in stay.body["orders"]
        if mine and isinstance(fact, OrderAnswered):
            yield at_us, fact.answer.state


def _states(stay: Stay) -> set[OrderState]:
    return {state for _, state in _answers(stay)}


def _first(stay: Stay, action: OperatorAction) -> int | None:
    for at_us, fact in stay.facts:
        if isinstance(fact, OperatorActed) and fact.command.action is action:
            return at_us
    return None


def steps_of(facts: list[tuple[int, Fact]], lane: str) -> Iterator[Step]:
    """Yield what people ordered, without the steps of cash."""
    for at_us, fact in facts:
        if isinstance(fact, OperatorActed) and fact.command.action not in _CASH:
            command = fact.command
            yield Step(
                at_us=whole_ms(at_us),
                lane=lane,
                action=command.action,
                reason=command.reason,
                text=command.text,
                number=command.number,
            )
