"""Names of alarms and of degraded modes: one word each, used by lane, plaza, pages and tests.

An alarm is a condition with an action and is raised and cleared in pairs; what needs no action is
an event.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AlarmCode(StrEnum):
    """Conditions a person must act on."""

    ILLEGAL_EVENT = "illegal_event"
    """An event came that has no meaning in the state; the state was kept."""
    CORE_FAULT = "core_fault"
    """An assertion failed in core or engine; the lane is attended-only."""
    BOOM_NOT_UP = "boom_not_up"
    """The upper limit was not reached in time after a raise."""
    BOOM_NOT_DOWN = "boom_not_down"
    """The lower limit was not reached in time after a lower."""
    BOOM_LIMITS = "boom_limits"
    """Both limits are on, or none for longer than the boom takes."""
    BOOM_MOVED = "boom_moved"
    """The boom moved without a command: hand, key or spring."""
    LOWER_OBSTRUCTED = "lower_obstructed"
    """A detector turned while lowering; the boom was raised."""
    INPUT_FAULT = "input_fault"
    """An input is faulty, stale or cannot be read."""
    LOOP_STUCK = "loop_stuck"
    """A loop is occupied without progress for too long."""
    VIOLATION = "violation"
    """A vehicle passed without authorisation."""
    DEVICE_LOST = "device_lost"
    """A device does not answer."""
    PLAZA_LOST = "plaza_lost"
    """The plaza does not answer."""
    BROKER_LOST = "broker_lost"
    """The message broker does not answer."""
    STORE_SLOW = "store_slow"
    """A commit takes longer than 1 s."""
    DISK_FULL = "disk_full"
    """The journal cannot grow; the lane closes after the present passages."""
    NO_EPOCH = "no_epoch"
    """The lane has no epoch yet and takes no phone money."""
    NO_TARIFF = "no_tariff"
    """No valid tariff set is in the lane."""
    TARIFF_GAP = "tariff_gap"
    """No row covers a vehicle in the lane."""
    CLOCK_BAD = "clock_bad"
    """The wall clock is not to be trusted."""
    ORDER_UNKNOWN = "order_unknown"
    """A payment is undecided and the vehicle is held."""
    TOLL_NOT_SHOWN = "toll_not_shown"
    """Neither display nor voice can tell the driver the toll."""
    ASSIST = "assist"
    """A driver needs help."""
    BAD_SIGNATURE = "bad_signature"
    """A platform answer was not provably the platform's."""
    AMOUNT_MISMATCH = "amount_mismatch"
    """A platform captured another amount than asked."""
    PLATFORM_SUSPENDED = "platform_suspended"
    """A platform is off: key, clock or configuration."""
    CERTIFICATE_ENDS = "certificate_ends"
    """A certificate a platform depends on ends within 30 days, or has ended."""
    REFUND_STUCK = "refund_stuck"
    """A platform refuses a refund for good."""
    RECORD_MISSING = "record_missing"
    """An order was captured and its passage has no record after 24 h."""
    RECORD_QUARANTINED = "record_quarantined"
    """A record with a right hash and bad content arrived; kept raw."""
    CHAIN_BROKEN = "chain_broken"
    """A lane's record chain has a gap or a fork."""
    ROOT_NOT_CLOSED = "root_not_closed"
    """A day's signed root over all records cannot be closed."""
    BILL_MISSING = "bill_missing"
    """A platform's bill of a day is not here hours after it was due, or was refused."""
    BILL_DIFFERENCES = "bill_differences"
    """A platform's bill and the books disagree, and a person has to act."""
    ETC_DUES_LATE = "etc_dues_late"
    """A tag's debit that settled nothing waits for its issuer's answer for days."""


class Degraded(StrEnum):
    """Names of degraded modes a lane can be in (A2)."""

    NO_DISPLAY = "no_display"
    NO_VOICE = "no_voice"
    NO_SCANNER = "no_scanner"
    NO_CAMERA = "no_camera"
    NO_ETC = "no_etc"
    NO_INPUTS = "no_inputs"
    BARRIER_FAULT = "barrier_fault"
    NO_PLAZA = "no_plaza"
    NO_BROKER = "no_broker"
    NO_PHONE_MONEY = "no_phone_money"
    SLOW_STORE = "slow_store"
    DISK_FULL = "disk_full"
    CLOCK_BAD = "clock_bad"
    ATTENDED_ONLY = "attended_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class DegradedMode:
    """One degraded mode that stands now."""

    name: Degraded
    reason: str
    since_ms: int
    """UTC milliseconds."""
