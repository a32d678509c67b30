"""The ETC reader driver over TCP, against scripted lines."""

from __future__ import annotations

import asyncio
import json

import pytest

from hw.etc.driver import JsonEtcReader
from hw.links.urls import TcpUrl
from hw.ports import EtcReaderPort
from tests.hw.lines import TcpPeer, no_jitter, running, until
from tolling.devices import EtcOutcome, EtcTag, Health, HealthReport
from tolling.errors import (
    DeviceBusyError,
    DeviceError,
    DeviceProtocolError,
    DeviceUnavailableError,
)

pytestmark = [pytest.mark.wire, pytest.mark.asyncio]
REFERENCE = "370101001001000000042"
TAG = {
    "op": "tag",
    "visit": "a-1",
    "tag_id": "T1",
    "balance_fen": 100,
    "plate": None,
    "entry": None,
}


class Bench:
    """A driver and the reader it talks to."""

    def __init__(self, peer: TcpPeer) -> None:
        self.peer = peer
        self.tags: list[EtcTag] = []
        self.health: list[HealthReport] = []
        self.subject = JsonEtcReader(
            TcpUrl(host="127.0.0.1", port=peer.port),
            on_tag=self.tags.append,
            on_health=self.health.append,
            jitter=no_jitter,
        )

    def say(self, **message: object) -> None:
        """Send one line."""
        self.peer.send(json.dumps(message).encode() + b"\n")

    async def begin(self) -> None:
        """Wait for the connection and send the first heartbeat."""
        connections = self.peer.connections
        await until(lambda: self.peer.connections > max(0, connections - 1))
        self.say(op="heartbeat")
        await until(lambda: bool(self.health) and self.health[-1].health is Health.OK)

    def asked(self) -> list[dict[str, object]]:
        """Return the requests the reader got."""
        return [json.loads(line) for line in bytes(self.peer.received).splitlines()]

    def answer(self, number: int, state: str, fen: int = 0, reference: str = REFERENCE) -> None:
        """Answer a request."""
        self.say(
            op="answer",
            id=number,
            reference=reference,
            state=state,
            charged_fen=fen,
            txn_id="X1" if fen else None,
            reason="balance" if state == "refused" else "",
        )


async def charge(subject: EtcReaderPort) -> EtcOutcome | DeviceError:
    """Return how a charge of 25 yuan ended."""
    try:
        return await subject.charge(reference=REFERENCE, tag_id="T1", amount_fen=2500)
    except DeviceError as error:
        return error


@pytest.mark.parametrize(
    ("state", "fen", "expected"),
    [
        (
            "charged",
            2500,
            EtcOutcome(reference=REFERENCE, charged_fen=2500, txn_id="X1", reason=""),
        ),
        (
            "refused",
            0,
            EtcOutcome(reference=REFERENCE, charged_fen=0, txn_id=None, reason="balance"),
        ),
        ("busy", 0, DeviceBusyError),
        ("conflict", 0, DeviceProtocolError),
        ("none", 0, DeviceProtocolError),
        ("charged", 2400, DeviceProtocolError),
    ],
)
async def test_a_charge_ends_as_answered(
    state: str, fen: int, expected: EtcOutcome | type[DeviceError]
) -> None:
    """Charged and refused are outcomes; everything else leaves it unknown."""
    async with TcpPeer() as peer:
        bench = Bench(peer)
        async with running(bench.subject), asyncio.TaskGroup() as tasks:
            await bench.begin()
            task = tasks.create_task(charge(bench.subject), name="charge")
            await until(lambda: bool(bench.asked()))
            bench.answer(1, state, fen)
        found = task.result()
        assert (
            found == expected if isinstance(expected, EtcOutcome) else isinstance(found, expected)
        )


async def test_broken_line_leaves_a_charge_unknown_and_query_tells() -> None:
    """A line that breaks before the answer is an error; on the next one query finds the charge."""
    async with TcpPeer() as peer:
        bench = Bench(peer)
        async with running(bench.subject), asyncio.TaskGroup() as tasks:
            await bench.begin()
            task = tasks.create_task(charge(bench.subject), name="charge")
            await until(lambda: bool(bench.asked()))
            peer.hang_up()
            await until(task.done)
            assert isinstance(task.result(), DeviceUnavailableError)
            await until(lambda: peer.connections == 2)
            await bench.begin()
            query = tasks.create_task(bench.subject.query(REFERENCE), name="query")
            await until(lambda: len(bench.asked()) == 2)
            bench.answer(2, "charged", 2500)
        assert query.result() == EtcOutcome(
            reference=REFERENCE, charged_fen=2500, txn_id="X1", reason=""
        )


async def test_query_of_a_charge_that_never_began_is_none() -> None:
    """A reference the reader does not know was not charged."""
    async with TcpPeer() as peer:
        bench = Bench(peer)
        async with running(bench.subject), asyncio.TaskGroup() as tasks:
            await bench.begin()
            query = tasks.create_task(bench.subject.query(REFERENCE), name="query")
            await until(lambda: bool(bench.asked()))
            bench.answer(1, "none")
        assert query.result() is None


async def test_a_visit_is_reported_once() -> None:
    """A repeated notice is the same vehicle, also on a new connection; a new visit is another."""
    async with TcpPeer() as peer:
        bench = Bench(peer)
        async with running(bench.subject):
            await bench.begin()
            bench.say(**TAG)
            bench.say(**TAG)
            peer.hang_up()
            await until(lambda: peer.connections == 2)
            bench.say(**TAG)
            bench.say(**{**TAG, "visit": "a-2"})
            await until(lambda: len(bench.tags) == 2)
            assert [tag.tag_id for tag in bench.tags] == ["T1", "T1"]


async def test_line_that_breaks_the_rules_ends_the_connection() -> None:
    """A line that is no message degrades the reader; a new connection is made."""
    async with TcpPeer() as peer:
        bench = Bench(peer)
        async with running(bench.subject):
            await bench.begin()
            peer.send(b"hello\n")
            await until(lambda: peer.connections == 2)
            states = [report.health for report in bench.health]
            assert states[:3] == [Health.CONNECTING, Health.OK, Health.DEGRADED]


async def test_answer_to_somebody_else_ends_the_connection() -> None:
    """An answer whose reference is not the asked one is never taken for an outcome."""
    async with TcpPeer() as peer:
        bench = Bench(peer)
        async with running(bench.subject), asyncio.TaskGroup() as tasks:
            await bench.begin()
            task = tasks.create_task(charge(bench.subject), name="charge")
            await until(lambda: bool(bench.asked()))
            bench.answer(1, "charged", 2500, reference="OTHER")
        assert isinstance(task.result(), DeviceUnavailableError)


async def test_charge_without_a_line_is_an_error() -> None:
    """Without a connection nothing is sent and the error says so."""
    async with TcpPeer() as peer:
        pass
    bench = Bench(peer)
    async with running(bench.subject):
        assert isinstance(await charge(bench.subject), DeviceUnavailableError)


@pytest.mark.slow
async def test_silent_reader_is_lost_after_five_seconds() -> None:
    """A reader that sends no line for 5 s is lost and connected again."""
    async with TcpPeer() as peer:
        bench = Bench(peer)
        async with running(bench.subject):
            await bench.begin()
            await until(lambda: bench.health[-1].health is Health.LOST, within_s=7)
            await until(lambda: peer.connections == 2)
