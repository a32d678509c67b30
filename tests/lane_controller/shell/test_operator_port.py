"""The booth's own port: PINs, words, and lines that are none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from lane_controller.shell.clock import LaneClock
from lane_controller.shell.operator_port import OperatorPort
from lane_controller.shell.staff import (
    TRIES_MAX,
    Operator,
    StaffBook,
    hash_pin,
    is_pin_hash,
    pin_fits,
)
from tests.lane_controller.shell.site import CODE, OperatorLine
from tolling.clock import ClockQuality
from tolling.errors import BadInputError, RefusedError
from tolling.ids import BootId, LaneId, PlazaId
from tolling.messages import CommandOutcome, CommandResult, LaneSnapshot, OperatorCommand

PIN = "4711"
HASH = hash_pin(PIN)
VIEW = LaneSnapshot(
    plaza_id=PlazaId("330101"),
    lane_id=LaneId("001"),
    boot_id=BootId("b1"),
    state_version=5,
    utc_ms=0,
    clock_quality=ClockQuality.BAD,
    mode="open",
    attended=True,
    barrier="down",
)


def staff(folder: Path) -> StaffBook:
    """Return a staff book with one bootstrap person."""
    people = (Operator(operator_id="101", name="A", pin_hash=HASH),)
    return StaffBook(folder / "staff", clock=LaneClock(None, last_at_ns=0), bootstrap=people)


@asynccontextmanager
async def port_at(folder: Path, orders: list[OperatorCommand]) -> AsyncIterator[OperatorLine]:
    """Serve a port whose commands are confirmed and remembered; return a line to it."""

    async def order(command: OperatorCommand) -> CommandResult:
        orders.append(command)
        return CommandResult(
            command_id=command.command_id, outcome=CommandOutcome.CONFIRMED, reason=""
        )

    subject = OperatorPort(folder / "s", staff(folder), order=order, view=lambda: VIEW)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(subject.run(), name="port")
        await subject.ready.wait()
        line = OperatorLine(*await asyncio.open_unix_connection(str(folder / "s")))
        try:
            yield line
        finally:
            await line.close()
            serving.cancel()


@pytest.mark.wire
@pytest.mark.asyncio
async def test_signed_in_operator_orders(tmp_path: Path) -> None:
    """A command carries who signed in and is local, whatever the line claims."""
    orders: list[OperatorCommand] = []
    async with port_at(tmp_path, orders) as line:
        assert (tmp_path / "s").stat().st_mode & 0o777 == 0o660
        assert (await line.ask(do="status"))["status"]["state_version"] == 5
        refused = await line.ask(do="raise", reason="let through")
        assert refused["ok"] is False
        assert (await line.ask(do="hello", operator="101", pin=PIN))["ok"]
        answer = await line.ask(
            do="raise", reason="let through", operator="999", local=False, command_id="c1"
        )

    assert answer["result"]["outcome"] == "confirmed"
    (order,) = orders
    assert (order.operator, order.local, order.command_id) == ("101", True, "c1")
    assert order.boot_id == "b1"
    assert not (tmp_path / "s").exists()


@pytest.mark.wire
@pytest.mark.asyncio
@pytest.mark.parametrize(
    "line",
    [
        b"not json",
        b"[]",
        b"{}",
        b'{"do": "explode"}',
        b'{"do": "raise", "reason": 5}',
        b'{"do": "set_plate", "text": "' + CODE.encode() * 9 + b'"}',
        b'{"do": "hello", "operator": 5, "pin": "4711"}',
        b'{"do": "hello", "operator": "101", "pin": 4711}',
        b'{"do": "raise", "passage_id": "12"}',
    ],
)
async def test_wrong_line_is_answered_and_nothing_is_ordered(tmp_path: Path, line: bytes) -> None:
    """A line that is no word of the port gets one error without its input; the port goes on."""
    orders: list[OperatorCommand] = []
    async with port_at(tmp_path, orders) as client:
        assert (await client.ask(do="hello", operator="101", pin=PIN))["ok"]
        answer = await client.ask_raw(line)
        assert (await client.ask(do="status"))["ok"]

    assert answer["ok"] is False
    assert CODE not in answer["error"]
    assert orders == []


@pytest.mark.asyncio
@pytest.mark.slow
async def test_wrong_pins_make_the_operator_wait(tmp_path: Path) -> None:
    """After five wrong PINs the right one is refused too, for a minute."""
    subject = staff(tmp_path)
    for _ in range(TRIES_MAX):
        with pytest.raises(RefusedError, match="wrong"):
            await subject.check("101", "0000")

    with pytest.raises(RefusedError, match="too many"):
        await subject.check("101", PIN)
    with pytest.raises(RefusedError, match="wrong"):
        await subject.check("102", PIN)


@pytest.mark.asyncio
@pytest.mark.slow
async def test_list_of_the_plaza_is_kept_until_it_expires(tmp_path: Path) -> None:
    """People of the plaza's list are known after a restart, and not beyond its end."""
    clock = LaneClock(None, last_at_ns=0)
    now_ms = clock.wall().utc_ms
    people = [{"operator_id": "201", "name": "B", "role": "attendant", "pin_hash": HASH}]

    def listed(expires_ms: int) -> bytes:
        body = {"made_ms": now_ms, "expires_ms": expires_ms, "operators": people}
        return json.dumps(body).encode()

    StaffBook(tmp_path / "staff", clock=clock).take(listed(now_ms + 60_000))
    subject = StaffBook(tmp_path / "staff", clock=clock)
    await subject.check("201", PIN)

    subject.take(b"broken")
    await subject.check("201", PIN)

    subject.take(listed(now_ms - 1))
    with pytest.raises(RefusedError):
        await subject.check("201", PIN)
    assert (tmp_path / "staff").stat().st_mode & 0o077 == 0


@pytest.mark.slow
def test_pin_hash_fits_its_pin_only() -> None:
    """The hash is salted, and holds no PIN."""
    assert pin_fits(PIN, HASH)
    assert not pin_fits("4712", HASH)
    assert not pin_fits("x", HASH)
    assert not pin_fits(PIN, "scrypt$3$8$1$00$00")
    assert hash_pin(PIN) != HASH
    assert not is_pin_hash(HASH.replace("16384", "9999999"))
    with pytest.raises(BadInputError):
        hash_pin("12")
