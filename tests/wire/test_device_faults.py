"""Devices and links of a lane break and come back, while cars pay."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulator.plant import Contact
from simulator.stack.nursery import Nursery
from simulator.stack.part import until
from simulator.stack.plan import QUICK, Plan
from simulator.stack.stack import Stack
from tolling.inputs import Output

pytestmark = [pytest.mark.wire, pytest.mark.slow, pytest.mark.long]
LANE, BESIDE = "001", "002"
LOSS_US = 2_000_000
"""A degraded mode is visible within 2 s of its detection (A2); Modbus is detected in 0.5 s."""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, nursery: Nursery) -> Iterator[Stack]:
    """Give one stack for the file; each test leaves it at rest and the books clean."""
    plan = Plan(lanes=(LANE, BESIDE), limits=QUICK)
    subject = Stack(tmp_path_factory.mktemp("d") / "s", nursery, plan)
    with subject.running():
        for lane in plan.lanes:
            subject.shows(lane, "欢迎")
        yield subject


@pytest.fixture(autouse=True)
def clean(stack: Stack) -> Iterator[None]:
    """Ask the auditor after each test."""
    yield
    assert stack.audit().findings == ()


def degraded_us(stack: Stack, lane: str, name: str, since_us: int) -> int:
    """Return when the broker was told of a degraded mode, 0 while it was not."""
    for one in list(stack.wires.heard):
        of_lane = one.at_us >= since_us and one.channel.endswith(f"/{lane}/state")
        if of_lane and name in [mode["name"] for mode in json.loads(one.text)["degraded"]]:
            return one.at_us
    return 0


def lowers(stack: Stack, since_us: int) -> list[Contact]:
    """Return the lower pulses since a moment."""
    log = stack.gather().plant_log
    return [
        entry
        for entry in log
        if isinstance(entry, Contact)
        and entry.closed
        and entry.output is Output.LOWER
        and entry.at_us >= since_us
    ]


def record_of(stack: Stack, number: int) -> Any:
    """Return the record of the *number*-th vehicle, by its plate."""
    plate = stack.site.memory(number)["plate"]
    (found,) = [r for r in stack.records() if (r["plate"] or {}).get("text") == plate]
    return found


def leave(stack: Stack, *cars: int) -> None:
    """Wait until cars have left."""
    stack.wait_left(*cars)


def test_a_wrong_scan_is_told_and_the_next_code_pays(stack: Stack) -> None:
    """Half, glued, foreign and the previous car's codes cost nobody anything."""
    spawn = stack.site.spawn
    before = spawn(LANE)
    wrong = [
        spawn(LANE, "previous_code"),
        spawn(BESIDE, "half_code"),
        spawn(BESIDE, "glued_codes"),
        spawn(LANE, "ride_code"),
    ]
    leave(stack, before, *wrong)
    stack.wait_rest()
    for car in wrong:
        memory = stack.site.memory(car)
        assert len(memory["codes_shown"]) >= 2, memory
        assert memory["paid_fen"] == 5_400
        assert [leg["tender"] for leg in record_of(stack, car)["legs"]] == ["alipay"]
    assert stack.site.memory(before)["paid_fen"] == 5_400


def test_a_scanner_that_is_unplugged_is_missed_and_found_again(stack: Stack) -> None:
    """The lane says so, the driver is held by nothing but his code, and the next scan pays."""
    since = stack.at_us()
    stack.site.fault(LANE, "scanner", "unplugged")
    until(lambda: degraded_us(stack, LANE, "no_scanner", since), "the lane to miss its scanner", 5)
    assert degraded_us(stack, LANE, "no_scanner", since) - since < LOSS_US
    stack.site.clear(LANE, "scanner")
    until(lambda: stack.view(LANE)["devices"]["scanner"] != "lost", "the scanner to be back", 15)
    car = stack.site.spawn(LANE)
    leave(stack, car)
    stack.wait_rest()
    assert [leg["tender"] for leg in record_of(stack, car)["legs"]] == ["alipay"]


def test_a_silent_module_delays_a_paid_car_and_no_more(stack: Stack) -> None:
    """The lane says so within 2 s, and the raise comes once the module answers again."""
    car = stack.site.spawn(LANE, "slow_phone")
    stack.shows(LANE, "请出示付款码")
    since = stack.at_us()
    stack.site.fault(LANE, "barrier", "silent")
    until(
        lambda: (
            degraded_us(stack, LANE, "barrier_fault", since)
            or degraded_us(stack, LANE, "no_inputs", since)
        ),
        "the lane to miss its module",
        5,
    )
    told = max(degraded_us(stack, LANE, name, since) for name in ("barrier_fault", "no_inputs"))
    assert told - since < LOSS_US
    stack.shows(LANE, "支付成功")
    assert not stack.site.lane(LANE)["view"]["boom_up"]
    stack.site.clear(LANE, "barrier")
    leave(stack, car)
    stack.wait_rest()
    assert [leg["tender"] for leg in record_of(stack, car)["legs"]] == ["alipay"]


def test_a_cut_loop_wire_reads_occupied_and_the_boom_stays_up(stack: Stack) -> None:
    """Safety inputs are energised = free: nothing is lowered on a loop nobody can read."""
    car = stack.site.spawn(LANE)
    until(lambda: stack.site.memory(car)["went_us"], "the car to drive on")
    since = stack.at_us()
    fault = stack.site.fault(LANE, "inputs", "cut_wire", where="loop_2")
    assert fault
    leave(stack, car)
    until(lambda: stack.view(LANE)["inputs"]["loop_2"] == "on", "the lane to read it occupied", 5)
    next_car = stack.site.spawn(BESIDE)
    leave(stack, next_car)
    view = stack.site.lane(LANE)["view"]
    assert view["boom_up"]
    assert [entry for entry in lowers(stack, since) if entry.lane == LANE] == []
    stack.site.clear(LANE, "inputs")
    until(lambda: not stack.site.lane(LANE)["view"]["boom_up"], "the boom to come down", 15)


def test_a_broker_that_is_gone_stops_no_car(stack: Stack) -> None:
    """The lane says on its own port that it is gone, and speaks again when it is back."""
    stack.kill_broker()
    until(lambda: not stack.health(LANE)["broker_up"], "the lane to miss its broker", 10)
    car = stack.site.spawn(LANE)
    leave(stack, car)
    assert "no_broker" in stack.health(LANE)["degraded"]
    stack.start_broker()
    since = stack.at_us()
    until(lambda: stack.health(LANE)["broker_up"], "the lane to find its broker", 15)
    until(
        lambda: any(h.at_us > since and h.channel.endswith("/state") for h in stack.wires.heard),
        "a state on the broker",
    )


def test_a_full_disk_lets_the_present_car_out_and_closes_the_lane(
    tmp_path: Path, nursery: Nursery
) -> None:
    """ENOSPC of a real file system: the ballast carries the passage, the lane says disk_full and
    opens again when there is space."""
    root = tmp_path / "s"
    subject = Stack(root, nursery, Plan(limits=QUICK))
    with small_disk(subject.layout.lane(LANE)), subject.running():
        subject.shows(LANE, "欢迎")
        car = subject.site.spawn(LANE, "slow_phone")
        subject.shows(LANE, "请出示付款码")
        filler = subject.layout.lane(LANE) / "filler"
        fill(filler)
        leave(subject, car)
        until(lambda: "disk_full" in str(subject.view(LANE)), "the lane to say it is full", 20)
        filler.unlink()
        until(lambda: subject.view(LANE)["mode"] == "open", "the lane to open again", 40)
        next_car = subject.site.spawn(LANE)
        leave(subject, next_car)
        assert subject.audit().findings == ()
        for record in subject.records():
            assert [leg["tender"] for leg in record["legs"]] == ["alipay"]


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount 160 MiB of memory on *folder*; needs root, which `make check` has in CI."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m,mode=700", "toll", str(folder)], check=True
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Take every byte that is left, the last ones too."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        for size in (1 << 20, 4_096, 1):
            with contextlib.suppress(OSError):
                while True:
                    os.write(descriptor, b"\0" * size)
    finally:
        os.close(descriptor)
