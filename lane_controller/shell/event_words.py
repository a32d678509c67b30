"""Facts and commands of the core as people say them; a pay code is in none of them."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from lane_controller.core.commands import Command
from lane_controller.core.events import (
    CodeScanned,
    CouponAnswered,
    CouponScanned,
    CouponUnanswered,
    DeviceChanged,
    Fact,
    InputChanged,
    LinkChanged,
    NotCodeScanned,
    OperatorActed,
    OrderAnswered,
    OrderUnanswered,
    PlateRead,
    Started,
    Wakeup,
)
from tolling.canonical import to_plain
from tolling.coupons import CouponReason

WORDS_MAX = 160
"""Longer values (a whole tariff) are cut."""


def fact_words(fact: Fact) -> str:
    """Return what happened, in one line."""
    match fact:
        case Started():
            known = fact.downtime_ms is not None
            down = f", after {fact.downtime_ms} ms down" if known else ""
            return f"the process starts (boot {fact.boot_id}{down})"
        case InputChanged():
            return f"input {fact.point} reads {fact.reading}"
        case DeviceChanged():
            return f"device {fact.device} is {fact.health}"
        case LinkChanged():
            return f"the link to the {fact.link} is {'up' if fact.up else 'down'}"
        case Wakeup():
            return f"timer {fact.timer_id} is due"
        case CodeScanned():
            return f"a pay code of {fact.ref.wallet} is scanned"
        case CouponScanned():
            return "a coupon is scanned"
        case CouponAnswered():
            why = "" if fact.answer.reason is CouponReason.NONE else f" ({fact.answer.reason})"
            return f"the plaza says the coupon is {fact.answer.state}{why}"
        case CouponUnanswered():
            return f"the plaza does not answer about the coupon ({fact.why})"
        case NotCodeScanned():
            return f"something is scanned that is no pay code ({fact.reason})"
        case PlateRead():
            return f"the camera reads {'no plate' if fact.plate is None else fact.plate.text}"
        case OrderAnswered():
            return f"the plaza says order {fact.answer.out_trade_no} is {fact.answer.state}"
        case OrderUnanswered():
            return f"the plaza does not answer about order {fact.out_trade_no} ({fact.why})"
        case OperatorActed():
            return f"a person orders {fact.command.action} ({fact.command.operator})"
        case _:
            return value_words(fact)


def command_words(command: Command) -> str:
    """Return what the core asks for, in one line."""
    return value_words(command)


def value_words(value: Command | Fact) -> str:
    """Return any value of the core: its name, and fields that are neither empty nor as usual."""
    plain = to_plain(value)
    assert isinstance(plain, dict), "facts and commands are values with fields"
    usual = {each.name: each.default for each in fields(type(value))}
    inside = ", ".join(
        f"{name} {_short(each)}"
        for name, each in plain.items()
        if name != "_" and each not in (None, "", [], {}) and each is not usual[name]
    )
    text = f"{plain['_']}: {inside}" if inside else str(plain["_"])
    return text if len(text) <= WORDS_MAX else f"{text[: WORDS_MAX - 4]} ..."


def _short(value: Any) -> str:
    if isinstance(value, dict):
        inner = ", ".join(f"{name} {_short(each)}" for name, each in value.items() if name != "_")
        return f"({inner})"
    if isinstance(value, list):
        return f"[{', '.join(_short(each) for each in value)}]"
    return str(value)
