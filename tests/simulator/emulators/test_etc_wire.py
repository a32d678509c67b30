"""The ETC reader on its wire does what docs/devices/etc.md says, line by line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from simulator.emulators.etc import EtcServer
from simulator.models.device_faults import DeviceFault, DeviceTrouble
from simulator.models.etc_reader import EtcReaderModel, Tag
from simulator.platforms.clock import RealClock
from tolling.messages import EntryFound
from tolling.tariffs import EntrySource
from tolling.vehicles import Plate, PlateColour, VehicleClass

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]
TAG = Tag(
    tag_id="3701234567890123",
    balance_fen=12_800,
    plate=Plate(text="京A12345", colour=PlateColour.BLUE),
    entry=EntryFound(
        entry_station="370102",
        entered_ms=1_795_312_800_000,
        vehicle_class=VehicleClass.CAR_1,
        source=EntrySource.MEDIUM,
    ),
)
CHARGE = {
    "op": "charge",
    "id": 1,
    "reference": "370101001001000000042",
    "tag_id": "3701234567890123",
    "amount_fen": 2_500,
}


class Lane:
    """A lane's end of the connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def say(self, **fields: object) -> None:
        """Send one request."""
        self.writer.write(json.dumps(fields).encode() + b"\n")

    async def hear(self, *, op: str) -> dict[str, object]:
        """Return the next message of one kind."""
        async with asyncio.timeout(3):
            while True:
                line = await self.reader.readline()
                assert line, "the reader hung up"
                body = json.loads(line)
                assert isinstance(body, dict)
                if body["op"] == op:
                    return body


@asynccontextmanager
async def reading() -> AsyncIterator[tuple[EtcServer, int]]:
    """A reader with nobody connected."""
    subject = EtcServer(EtcReaderModel(boot="b"), RealClock().now_ns)
    async with subject.serving() as port:
        yield subject, port


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Lane]:
    """A lane's connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield Lane(reader, writer)
    finally:
        writer.close()


async def test_a_heartbeat_comes_at_once_and_tags_are_told() -> None:
    """Connected, the lane hears a heartbeat; a tag comes with all the page says."""
    async with reading() as (subject, port), connected(port) as lane:
        assert await lane.hear(op="heartbeat") == {"op": "heartbeat"}
        subject.tag_enters(TAG)
        assert await lane.hear(op="tag") == {
            "op": "tag",
            "visit": "b-1",
            "tag_id": "3701234567890123",
            "balance_fen": 12_800,
            "plate": {"text": "京A12345", "colour": "blue"},
            "entry": {"station": "370102", "entered_ms": 1_795_312_800_000, "vehicle_class": 1},
        }


async def test_a_tag_in_the_field_is_told_again_to_a_new_connection() -> None:
    """The second lane displaces the first and hears of the same visit."""
    async with reading() as (subject, port), connected(port) as first:
        subject.tag_enters(TAG)
        await first.hear(op="tag")
        async with connected(port) as second:
            assert (await second.hear(op="tag"))["visit"] == "b-1"
            async with asyncio.timeout(3):
                # A hang-up is an end or a reset, as the kernel likes.
                with suppress(ConnectionResetError):
                    await first.reader.read()


async def test_a_charge_is_answered_once_for_all() -> None:
    """Charged, asked again, queried: the same answer; another amount is a conflict."""
    async with reading() as (subject, port), connected(port) as lane:
        subject.tag_enters(TAG)
        lane.say(**CHARGE)
        first = await lane.hear(op="answer")
        assert first == {
            "op": "answer",
            "id": 1,
            "reference": CHARGE["reference"],
            "state": "charged",
            "charged_fen": 2_500,
            "txn_id": "PSAMb-000001",
            "reason": "",
        }
        lane.say(**{**CHARGE, "id": 2})
        assert await lane.hear(op="answer") == {**first, "id": 2}
        lane.say(op="query", id=3, reference=CHARGE["reference"])
        assert await lane.hear(op="answer") == {**first, "id": 3}
        lane.say(**{**CHARGE, "id": 4, "amount_fen": 1})
        assert (await lane.hear(op="answer"))["state"] == "conflict"
        lane.say(op="query", id=5, reference="NEVER")
        assert (await lane.hear(op="answer"))["state"] == "none"
        assert len(subject.model.books) == 1


async def test_a_lost_answer_is_found_by_query() -> None:
    """No answer comes to the charge, and the next question tells."""
    async with reading() as (subject, port), connected(port) as lane:
        subject.tag_enters(TAG)
        subject.model.inject(DeviceTrouble(kind=DeviceFault.ANSWER_LOST, times=1), 0)
        lane.say(**CHARGE)
        lane.say(op="query", id=2, reference=CHARGE["reference"])
        found = await lane.hear(op="answer")
        assert found["id"] == 2
        assert found["state"] in ("busy", "charged")
        assert len(subject.model.books) == 1


@pytest.mark.parametrize(
    ("line", "request_id", "what"),
    [
        (b"hello", None, "not JSON"),
        (b"[1]", None, "object"),
        (b'{"op":"charge"}', None, "id"),
        (b'{"op":"fly","id":1}', 1, "op"),
        (b'{"op":"query","id":1,"reference":"a b"}', 1, "reference"),
        (b'{"op":"charge","id":1,"reference":"A","tag_id":"T"}', 1, "amount_fen is missing"),
        (b'{"op":"charge","id":1,"reference":"A","tag_id":"T","amount_fen":-1}', 1, "amount_fen"),
    ],
)
async def test_a_wrong_line_is_answered_by_an_error_and_the_reader_goes_on(
    line: bytes, request_id: int | None, what: str
) -> None:
    """The error names what is wrong; the next request is served; nothing was charged."""
    async with reading() as (subject, port), connected(port) as lane:
        lane.writer.write(line + b"\r\n")
        error = await lane.hear(op="error")
        assert error["id"] == request_id
        assert what in str(error["what"])
        lane.say(op="query", id=9, reference="A")
        assert (await lane.hear(op="answer"))["id"] == 9
        assert subject.model.books == ()


async def test_a_line_without_an_end_is_hung_up() -> None:
    """More than 4096 bytes without a line end is no message."""
    async with reading() as (_, port), connected(port) as lane:
        lane.writer.write(b"x" * 10_000)
        assert "4096" in str((await lane.hear(op="error"))["what"])
