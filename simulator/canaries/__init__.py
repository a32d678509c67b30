"""Known bugs, planted from outside: a simulation that does not find them proves nothing.

Each canary replaces one production function or one table row before a world is built and puts it
back afterwards; production code has no switch for any of them. A canary names the smallest world in
which it shows, and the rules of which at least one must be broken there. The same world without the
canary is clean: that is tested too. ``toll-sim fuzz --canary NAME`` plants one in default worlds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files

from simulator.canaries import boom, lane, losses, modes, plaza, window
from simulator.canaries.planting import Canary, Plant
from simulator.canaries.worlds import (
    CHANGES_AND_CONFIRMS,
    REFUSED_AND_OFF,
    boom_lifted,
    display_gone,
    inputs_silent,
    lane_dies,
    lane_disk,
    limit_lost,
    link_lossy,
    module_silent,
    platform,
    plaza_dies,
    plaza_disk_fails,
    tariff_of_tomorrow,
    world,
)
from simulator.models.faults import PlatformFault
from simulator.world.build import WorldConfig
from simulator.world.faults import CommitFate

__all__ = ["CANARIES", "SEEDS_MAX", "Canary", "found_at", "planted"]

SEEDS_MAX = 200
"""A canary is found within so many default seeds, or the simulation is too tame. ``found.toml``
holds the first seed that found each, as last measured."""

_FOUR = world("phone_ok", "phone_ok", "phone_ok", "phone_ok")
_AGAIN = world("phone_ok", "phone_ok", faults=limit_lost, gap_ms=60_000)
_FAILS_CANCEL = platform(PlatformFault.CANCEL_LIES, 8)
_PAY_5XX = platform(PlatformFault.HTTP_5XX, 1, calls=("pay",), carried_out=True)
_PAY_FAILS = platform(PlatformFault.HTTP_5XX, 1, calls=("pay",))
_THREE = ("phone_ok", "phone_ok", "phone_ok")
_FULL = lane_disk(CommitFate.FULL)
_SLOW = lane_disk(CommitFate.SLOW, ms=1_800)
_REFUND_5XX = platform(PlatformFault.HTTP_5XX, 2, calls=("refund",))


def _canary(plant: Plant, made: Callable[[int], WorldConfig], *rules: str) -> Canary:
    return Canary(name=plant.__name__, plant=plant, world=made, rules=frozenset(rules))


_ALL = (
    _canary(lane.lower_on_occupied_loop, world("phone_ok", "stalls_under_boom"), "B1"),
    _canary(lane.raise_not_bound_to_presence, world("phone_ok", "phone_ok"), "B2"),
    _canary(lane.order_number_reused, _FOUR, "M1", "M6"),
    _canary(lane.numbers_begin_again, world(*["phone_ok"] * 3, faults=lane_dies), "M1", "M6"),
    _canary(lane.outbox_popped_before_ack, world(*["phone_ok"] * 4, faults=link_lossy), "M3"),
    _canary(lane.raise_on_start, world("phone_ok", "phone_ok", faults=lane_dies), "B2", "B3"),
    _canary(lane.lower_on_start, world("phone_ok", "phone_ok", faults=lane_dies), "B3"),
    _canary(lane.chain_skips_a_record, _FOUR, "M3", "M6"),
    _canary(lane.code_kept_in_clear, world("phone_ok"), "M7"),
    _canary(lane.echo_taken_for_motion, world("phone_ok"), "B4"),
    _canary(
        lane.stale_command_obeyed,
        world("phone_ok", "phone_ok", faults=display_gone, gap_ms=60_000, attended=False),
        "B2",
    ),
    _canary(
        lane.raise_obeyed_for_another,
        world("phone_ok", "phone_ok", faults=display_gone, gap_ms=60_000, attended=False),
        "B2",
    ),
    _canary(boom.raise_held_on, world("phone_ok"), "B3"),
    _canary(boom.boom_fault_not_told, _AGAIN, "B4"),
    _canary(boom.last_limit_believed, _AGAIN, "B4"),
    _canary(boom.lifted_boom_not_told, world("phone_ok", faults=boom_lifted), "B2"),
    _canary(
        boom.unrecorded_once_blind,
        world("phone_ok", "runs_through", faults=inputs_silent, gap_ms=50_000),
        "B2",
    ),
    _canary(lane.raises_once_more, world("phone_ok"), "B2"),
    _canary(lane.paid_and_not_raised, world("phone_ok"), "A1"),
    _canary(window.tag_paid_and_not_raised, world("pays_etc"), "A1"),
    _canary(lane.cash_not_now, world("pays_cash"), "A1"),
    _canary(window.paid_shown_while_asking, world("needs_password"), "M4"),
    _canary(window.free_shown_while_asking, world("phone_ok"), "M4"),
    _canary(window.toll_shown_a_yuan_less, world("phone_ok"), "M1"),
    _canary(lane.toll_a_yuan_too_high, world("phone_ok"), "M1"),
    _canary(lane.tariff_before_its_time, world("phone_ok", faults=tariff_of_tomorrow), "M1"),
    _canary(lane.debit_forgotten, world("etc_backs_out"), "M1"),
    _canary(modes.degraded_mode_shown_late, world("phone_ok"), "A2"),
    _canary(modes.degraded_mode_without_reason, world("phone_ok"), "A2"),
    _canary(
        modes.degraded_mode_beside_another_hidden,
        world("phone_ok", "phone_ok", faults=plaza_dies),
        "A2",
    ),
    _canary(modes.degraded_mode_never_over, world("phone_ok"), "A2"),
    _canary(modes.lost_display_not_a_mode, world("phone_ok", faults=display_gone), "A2"),
    _canary(losses.lost_device_taken_for_well, world("phone_ok", faults=display_gone), "A2"),
    _canary(losses.lost_inputs_not_a_mode, world(*_THREE, faults=module_silent), "A2"),
    _canary(losses.silent_plaza_noticed_late, world(*_THREE, faults=plaza_dies), "A2"),
    _canary(losses.slow_commit_not_a_mode, world("phone_ok", faults=_SLOW), "A3"),
    _canary(losses.full_disk_taken_for_slow, world(*_THREE, faults=_FULL), "A3"),
    _canary(losses.full_disk_leaves_lane_open, world(*_THREE, faults=_FULL), "A3"),
    _canary(losses.full_disk_takes_the_next, world(*_THREE, faults=_FULL), "A3"),
    _canary(losses.order_asked_without_pause, world("needs_password"), "A3"),
    _canary(lane.violator_authorised, world("phone_ok", "runs_through"), "B2", "CRASH"),
    _canary(
        plaza.unknown_read_as_refused,
        world("phone_ok", "phone_ok", faults=lambda seed: (_PAY_5XX,)),
        "M4",
    ),
    _canary(
        plaza.unknown_read_as_paid,
        world("phone_ok", "phone_ok", faults=lambda seed: (_PAY_FAILS,)),
        "M4",
    ),
    _canary(
        plaza.late_capture_booked_as_revenue,
        world(CHANGES_AND_CONFIRMS, faults=lambda seed: (_FAILS_CANCEL,)),
        "M1",
    ),
    _canary(
        plaza.late_capture_due_a_commit_later,
        world(CHANGES_AND_CONFIRMS, faults=lambda seed: (_FAILS_CANCEL,)),
        "M1",
    ),
    _canary(
        plaza.capture_due_before_its_record,
        world("phone_ok", "phone_ok", faults=lambda seed: (_PAY_5XX,)),
        "M1",
    ),
    _canary(plaza.settled_money_left_in_suspense, world("phone_ok"), "M5"),
    _canary(plaza.capture_left_pending, world("balance_short"), "M5"),
    _canary(plaza.promise_before_commit, world(*["phone_ok"] * 4, faults=plaza_disk_fails), "M3"),
    _canary(
        plaza.cancel_believed_without_query,
        world(CHANGES_AND_CONFIRMS, faults=lambda seed: (_FAILS_CANCEL,)),
        "M1",
        "M4",
    ),
    _canary(
        plaza.refund_believed_unproven,
        world(
            CHANGES_AND_CONFIRMS,
            "phone_ok",
            faults=lambda seed: (_FAILS_CANCEL, _REFUND_5XX),
            gap_ms=120_000,
        ),
        "M1",
    ),
    _canary(
        plaza.refund_left_to_a_person,
        world(CHANGES_AND_CONFIRMS, faults=lambda seed: (_FAILS_CANCEL,)),
        "M2",
    ),
    _canary(plaza.coupon_consumed_on_a_refused_order, world(REFUSED_AND_OFF), "M1"),
    _canary(plaza.query_impatient_for_ever, world("needs_password", latency_ms=2_200), "M2"),
)

FOUND = "found.toml"

CANARIES: dict[str, Canary] = {canary.name: canary for canary in _ALL}
"""All planted bugs by name."""


def found_at() -> dict[str, int]:
    """Return the first default seed that found each canary, as last measured."""
    text = files("simulator.canaries").joinpath(FOUND).read_text(encoding="utf-8")
    return dict(tomllib.loads(text)["first_seed"])


@contextmanager
def planted(name: str) -> Iterator[Canary]:
    """Plant one bug inside the with block. Raises: KeyError: no canary of that name."""
    canary = CANARIES[name]
    with canary.plant():
        yield canary
