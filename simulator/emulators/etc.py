"""The ETC reader on its wire: one JSON object a line over TCP, as docs/devices/etc.md says."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from simulator.emulators.tcp_server import LINE_MAX, serving
from simulator.models.etc_reader import EtcAnswer, EtcReaderModel, Tag, TagVisit

HEARTBEAT_S = 2.0
AMOUNT_MAX = 10_000_000
ID_MAX = 2**31
_REFERENCE = frozenset("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
_TAG = _REFERENCE | frozenset("abcdefghijklmnopqrstuvwxyz-")


class EtcServer:
    """One reader. One lane is connected at a time; a second one displaces the first."""

    def __init__(self, model: EtcReaderModel, now_ns: Callable[[], int]) -> None:
        self.model = model
        self._now_ns = now_ns
        self._writer: asyncio.StreamWriter | None = None

    def tag_enters(self, tag: Tag) -> None:
        """Bring a tag into the field and tell the lane."""
        visit = self.model.tag_enters(tag)
        self._tell(_notice(visit))

    def tag_leaves(self, tag_id: str) -> None:
        """Take a tag out of the field."""
        self.model.tag_leaves(tag_id)

    @asynccontextmanager
    async def serving(self, *, port: int = 0) -> AsyncIterator[int]:
        """Listen on loopback while the block runs; give the port. Raises: OSError: port taken."""
        async with serving(self._serve, port=port) as bound:
            yield bound

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._writer is not None:
            self._writer.transport.abort()
        self._writer = writer
        beat = asyncio.get_running_loop().call_soon(self._beat, writer)
        for visit in self.model.present:
            self._tell(_notice(visit))
        try:
            while line := await reader.readline():
                self._line(line.rstrip(b"\r\n"), writer)
        except ValueError:
            # A line longer than the limit: there is no way to find its end again.
            self._tell({"op": "error", "id": None, "what": f"a line over {LINE_MAX} bytes"})
        finally:
            beat.cancel()
            if self._writer is writer:
                self._writer = None

    def _beat(self, writer: asyncio.StreamWriter) -> None:
        if writer is not self._writer or writer.is_closing():
            return
        self._tell({"op": "heartbeat"})
        asyncio.get_running_loop().call_later(HEARTBEAT_S, self._beat, writer)

    def _line(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        request_id, fields, wrong = _request(line)
        if wrong:
            self._send(writer, {"op": "error", "id": request_id, "what": wrong})
            return
        reference = str(fields["reference"])
        now_ns = self._now_ns()
        if fields["op"] == "query":
            found = self.model.query(reference, now_ns)
        else:
            amount = fields["amount_fen"]
            assert isinstance(amount, int)
            found = self.model.charge(
                reference=reference, tag_id=str(fields["tag_id"]), amount_fen=amount, now_ns=now_ns
            )
        if found is not None:
            body = _answer(request_id, found)
            delay_s = max(found.at_ns - now_ns, 0) / 1e9
            asyncio.get_running_loop().call_later(delay_s, self._send, writer, body)

    def _tell(self, body: dict[str, object]) -> None:
        if self._writer is not None and not self.model.silent(self._now_ns()):
            self._send(self._writer, body)

    def _send(self, writer: asyncio.StreamWriter, body: dict[str, object]) -> None:
        if not writer.is_closing():
            text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
            writer.write(text.encode() + b"\n")


def _request(line: bytes) -> tuple[int | None, dict[str, object], str]:
    """Return the request's id, its fields and what is wrong with it; empty where nothing is."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return None, {}, "the line is not JSON"
    if not isinstance(fields, dict):
        return None, {}, "the line is not a JSON object"
    request_id = fields.get("id")
    if isinstance(request_id, bool) or not isinstance(request_id, int):
        return None, {}, "id is missing or no number"
    if not 1 <= request_id <= ID_MAX:
        return None, {}, "id is not 1..2^31"
    return request_id, fields, _wrong(fields)


def _wrong(fields: dict[str, object]) -> str:
    if fields.get("op") not in ("charge", "query"):
        return "op is not one of charge, query"
    if not _is_name(fields.get("reference"), _REFERENCE):
        return "reference is not 1..32 of 0-9 A-Z"
    if fields["op"] == "query":
        return ""
    if not _is_name(fields.get("tag_id"), _TAG):
        return "tag_id is not 1..32 of 0-9 A-Z a-z -"
    amount = fields.get("amount_fen")
    if amount is None:
        return "amount_fen is missing"
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 <= amount <= AMOUNT_MAX:
        return "amount_fen is not 0..10000000"
    return ""


def _is_name(value: object, letters: frozenset[str]) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= 32 and set(value) <= letters


def _notice(visit: TagVisit) -> dict[str, object]:
    tag = visit.tag
    return {
        "op": "tag",
        "visit": visit.visit,
        "tag_id": tag.tag_id,
        "balance_fen": tag.balance_fen,
        "plate": None
        if tag.plate is None
        else {"text": tag.plate.text, "colour": tag.plate.colour.value},
        "entry": None
        if tag.entry is None
        else {
            "station": tag.entry.entry_station,
            "entered_ms": tag.entry.entered_ms,
            "vehicle_class": int(tag.entry.vehicle_class),
        },
    }


def _answer(request_id: int | None, answer: EtcAnswer) -> dict[str, object]:
    return {
        "op": "answer",
        "id": request_id,
        "reference": answer.reference,
        "state": answer.state.value,
        "charged_fen": answer.charged_fen,
        "txn_id": answer.txn_id,
        "reason": answer.reason,
    }
