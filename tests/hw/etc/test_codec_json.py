"""The ETC reader's lines."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.etc import codec_json as subject
from hw.etc.codec_json import ChargeState
from tolling.errors import DeviceProtocolError
from tolling.tariffs import EntrySource
from tolling.vehicles import VehicleClass

PAGE = Path(__file__).parents[3] / "docs" / "devices" / "etc.md"
ANSWER = {
    "op": "answer",
    "id": 1,
    "reference": "370101001001000000042",
    "state": "charged",
    "charged_fen": 2500,
    "txn_id": "T1",
    "reason": "",
}


def examples() -> list[dict[str, object]]:
    """Return the JSON examples of the protocol's page."""
    blocks = re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    return [json.loads(block) for block in blocks]


def test_requests_are_those_of_the_page() -> None:
    """Charge and query lines are the page's examples."""
    charge = subject.charge_line(
        request_id=1,
        reference="370101001001000000042",
        tag_id="3701234567890123",
        amount_fen=2500,
    )
    query = subject.query_line(request_id=2, reference="370101001001000000042")
    assert charge.endswith(b"}\n")
    assert json.loads(charge) in examples()
    assert json.loads(query) in examples()


def test_reader_messages_of_the_page_are_read() -> None:
    """Every example a reader sends is read as what it is."""
    kinds = [
        type(subject.parse_line(json.dumps(example).encode())).__name__
        for example in examples()
        if example["op"] not in ("charge", "query")
    ]
    assert kinds == ["Heartbeat", "TagSeen", "ChargeAnswer", "ErrorAnswer"]


def test_a_tag_is_read_whole() -> None:
    """Tag, plate, entry and balance come out as words."""
    notice = next(example for example in examples() if example["op"] == "tag")
    message = subject.parse_line(json.dumps(notice).encode())
    assert isinstance(message, subject.TagSeen)
    assert message.tag.entry is not None
    assert message.tag.plate is not None
    assert message.tag.plate.text == "京A12345"
    assert message.tag.entry.source is EntrySource.MEDIUM
    assert message.tag.entry.vehicle_class is VehicleClass.CAR_1
    assert message.tag.balance_fen == 12_800


@pytest.mark.parametrize(
    "change",
    [
        {"state": "perhaps"},
        {"charged_fen": 0},
        {"charged_fen": "2500"},
        {"txn_id": None},
        {"state": "refused"},
        {"id": 0},
        {"reason": None},
        {"reference": ""},
        {"op": None},
    ],
)
def test_wrong_answer_is_a_protocol_error(change: dict[str, object]) -> None:
    """An answer that says two things, or nothing, is no answer."""
    with pytest.raises(DeviceProtocolError):
        subject.parse_line(json.dumps({**ANSWER, **change}).encode())


@pytest.mark.parametrize("state", [ChargeState.REFUSED, ChargeState.BUSY, ChargeState.NONE])
def test_answers_without_a_charge_have_no_amount(state: ChargeState) -> None:
    """Whatever is not charged has amount 0 and no transaction."""
    line = {**ANSWER, "state": state, "charged_fen": 0, "txn_id": None}
    message = subject.parse_line(json.dumps(line).encode())
    assert isinstance(message, subject.ChargeAnswer)
    assert message.state is state


def test_messages_of_a_newer_reader_are_ignored() -> None:
    """An op this lane does not know is not an error."""
    assert isinstance(subject.parse_line(b'{"op":"weather"}'), subject.Unknown)


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b""))),
    cut=st.integers(1, 7),
)
def test_chunks_do_not_matter(lines: list[bytes], cut: int) -> None:
    """Whole or in pieces, a stream gives the same lines."""
    data = b"".join(line + b"\n" for line in lines)
    whole = subject.LineSplitter().feed(data)
    splitter = subject.LineSplitter()
    pieces = [data[n : n + cut] for n in range(0, len(data), cut)]
    assert [line for piece in pieces for line in splitter.feed(piece)] == whole
    assert len(whole) == len(lines)


def test_too_long_a_line_is_an_error() -> None:
    """A line without an end does not fill the memory."""
    with pytest.raises(DeviceProtocolError):
        subject.LineSplitter().feed(b"x" * 4096)


VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=70)
OPS = st.sampled_from(["tag", "answer", "error", "heartbeat"])
KEYS = st.sampled_from([*ANSWER, "tag_id", "visit", "balance_fen", "plate", "entry", "what"])


@given(
    line=st.binary(max_size=120)
    | st.tuples(OPS, st.dictionaries(KEYS, VALUES)).map(
        lambda pair: json.dumps({**pair[1], "op": pair[0]}).encode()
    )
)
def test_garbage_gives_a_protocol_error_only(line: bytes) -> None:
    """Any line is a message or a DeviceProtocolError."""
    try:
        subject.parse_line(line)
    except DeviceProtocolError:
        return
