"""What is done to a plaza is drawn from the seed, every kind of it in a short run."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulator.chaos.actions import (
    DATABASE_KINDS,
    DEVICE_FAULTS,
    PLATFORM_FAULTS,
    Kind,
    Scene,
    draw_actions,
)
from simulator.chaos.hands import manners_of
from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.faults import Fault, PlatformFault
from simulator.stack.plan import Plan
from simulator.stack.proxy import GOOD

PLAN = Plan(lanes=("001", "002"), postgres=True, plazas=2)
SCENE = Scene(
    lanes=PLAN.lanes,
    plazas=PLAN.plaza_names,
    lines=PLAN.lines,
    disks=("001",),
    platforms=PLAN.platform_names,
    database=True,
)
TWO_MINUTES_MS = 120_000


def test_a_seed_draws_the_same_actions_and_another_seed_others() -> None:
    """Kinds, targets, times and figures, all of them."""
    subject = draw_actions(7, SCENE, until_ms=TWO_MINUTES_MS)
    assert subject == draw_actions(7, SCENE, until_ms=TWO_MINUTES_MS)
    assert subject != draw_actions(8, SCENE, until_ms=TWO_MINUTES_MS)


@pytest.mark.parametrize("seed", range(20))
def test_two_minutes_hold_every_kind_in_order_of_time(seed: int) -> None:
    """The deck is dealt through once at least; nothing is done after the end."""
    subject = draw_actions(seed, SCENE, until_ms=TWO_MINUTES_MS)
    assert {action.kind for action in subject} == set(Kind)
    times = [action.at_ms for action in subject]
    assert times == sorted(times)
    assert times[-1] < TWO_MINUTES_MS


def test_a_smaller_gap_is_fiercer() -> None:
    """A third of the gap, three times the actions, give or take some."""
    usual = draw_actions(5, SCENE, until_ms=600_000)
    subject = draw_actions(5, SCENE, until_ms=600_000, gap_s=1.2)
    assert 2.5 < len(subject) / len(usual) < 3.5


def test_without_a_database_or_a_small_disk_nobody_breaks_one() -> None:
    """What is not there is not drawn."""
    scene = replace(SCENE, disks=(), database=False)
    kinds = {action.kind for action in draw_actions(1, scene, until_ms=TWO_MINUTES_MS)}
    assert kinds == set(Kind) - DATABASE_KINDS - {Kind.DISK_FULL}


def test_every_fault_is_one_a_model_has() -> None:
    """The bodies sent to the control APIs name kinds and values the models take."""
    for body in PLATFORM_FAULTS:
        more = {key: value for key, value in body.items() if key not in ("kind", "calls")}
        calls = tuple(body.get("calls", ()))
        assert Fault(kind=PlatformFault(body["kind"]), calls=calls, **more)
    for device, body in DEVICE_FAULTS:
        more = {key: value for key, value in body.items() if key != "kind"}
        assert DeviceTrouble(kind=DeviceFault(body["kind"]), **more)
        assert device in ("barrier", "scanner", "display", "camera", "etc")


def test_every_action_on_a_line_makes_it_bad() -> None:
    """No drawn figure leaves the line as it was."""
    lines = [a for a in draw_actions(3, SCENE, until_ms=600_000) if a.kind.startswith("line_")]
    assert len(lines) > 20
    assert GOOD not in [manners_of(action) for action in lines]
