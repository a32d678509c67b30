"""The Modbus units answer as the makers' maps and the public protocol say, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from simulator.emulators.modbus_frames import (
    BrokenStreamError,
    Request,
    RtuFramer,
    TcpFramer,
    crc16,
    line_ns,
)
from simulator.emulators.modbus_pdu import answer
from simulator.emulators.modbus_units import USUAL_INPUTS, USUAL_OUTPUTS, IoUnit, Profile
from simulator.models.io_modules import IoModules
from simulator.plant import LaneGeometry, Plant
from tolling.ids import LaneId
from tolling.inputs import Output

LANE = LaneId("001")
GOLDEN = Path(__file__).parents[2] / "golden"
FRAMES = [
    [part.strip() for part in line.split("|")]
    for line in (GOLDEN / "simulator" / "modbus.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]
RTU_FRAMES = [
    bytes.fromhex(line.partition(":")[2])
    for line in (GOLDEN / "hw" / "modbus.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


class Clock:
    """An instant set by hand."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


def new_unit(profile: Profile) -> tuple[IoUnit, IoModules, Clock]:
    """A unit on an empty lane with the boom down."""
    io, clock = IoModules(Plant({LANE: LaneGeometry()}), LANE), Clock()
    unit = IoUnit(
        io, clock, module="io", profile=profile, inputs=USUAL_INPUTS, outputs=USUAL_OUTPUTS
    )
    return unit, io, clock


@pytest.mark.parametrize(
    ("profile", "request_hex", "answer_hex", "on"),
    [row[1:] for row in FRAMES],
    ids=[row[0] for row in FRAMES],
)
def test_golden_requests_get_their_golden_answers(
    profile: str, request_hex: str, answer_hex: str, on: str
) -> None:
    """Each request of the golden file is answered as written there and moves those relays."""
    unit, io, _ = new_unit(Profile(profile))
    assert answer(bytes.fromhex(request_hex), unit) == bytes.fromhex(answer_hex)
    drawn = sorted(channel for output, channel in USUAL_OUTPUTS.items() if io.relay(output))
    assert drawn == ([] if on == "-" else [int(text) for text in on.split(",")])


def test_a_flash_ends_by_itself_in_hundreds_of_milliseconds() -> None:
    """Flash-on 5 holds the relay for 500 ms and reads off afterwards."""
    unit, io, clock = new_unit(Profile.WAVESHARE_RELAY_8CH)
    answer(bytes.fromhex("05 0202 0005"), unit)
    assert io.relay(Output.LANE_GREEN)
    clock.now = 500_000_000
    assert answer(bytes.fromhex("01 0002 0001"), unit) == bytes.fromhex("01 01 00")
    assert not io.relay(Output.LANE_GREEN)


@pytest.mark.parametrize("frame", RTU_FRAMES, ids=lambda frame: frame.hex(" "))
def test_golden_rtu_frames_are_taken_whole_and_byte_by_byte(frame: bytes) -> None:
    """The maker's own frames are requests to unit 1, however they arrive."""
    whole, pieces = RtuFramer(), RtuFramer()
    (request,) = whole.feed(frame)
    assert (request.device_id, request.pdu) == (1, frame[1:-2])
    found = [one for byte in frame for one in pieces.feed(bytes([byte]))]
    assert found == [request]
    # A write is echoed: the answer's frame is the request's.
    assert RtuFramer.frame(request, request.pdu) == frame


def test_a_wrong_crc_is_dropped_until_silence() -> None:
    """A broken frame is no request; after a silence the next one is."""
    subject = RtuFramer()
    bad = RTU_FRAMES[0][:-1] + bytes([RTU_FRAMES[0][-1] ^ 1])
    assert subject.feed(bad) == []
    assert subject.feed(RTU_FRAMES[0][:3]) == []
    subject.silence()
    assert len(subject.feed(RTU_FRAMES[0])) == 1
    assert subject.bad_frames == 2


def test_an_unknown_function_is_still_a_request_when_its_crc_is_right() -> None:
    """So that it can be answered by an exception."""
    body = bytes.fromhex("01 2B 0E 01 00")
    (request,) = RtuFramer().feed(body + crc16(body))
    assert request.pdu == body[1:]


def test_two_tcp_requests_in_one_read_keep_their_transactions() -> None:
    """Glued and split frames are the same requests."""
    data = bytes.fromhex("0001 0000 0006 01 01 0000 0001 0002 0000 0006 01 01 0000 0002")
    whole, pieces = TcpFramer(), TcpFramer()
    requests = whole.feed(data)
    assert [one.transaction for one in requests] == [1, 2]
    assert [one for byte in data for one in pieces.feed(bytes([byte]))] == requests
    assert TcpFramer.frame(Request(device_id=1, pdu=b"", transaction=2), b"\x01\x01\x00") == (
        bytes.fromhex("0002 0000 0004 01 01 01 00")
    )


def test_a_stream_that_is_no_modbus_is_refused() -> None:
    """A protocol number other than 0 ends the connection."""
    with pytest.raises(BrokenStreamError):
        TcpFramer().feed(b"GET / HTTP/1.1\r\n")


def test_bytes_take_their_time_on_a_line() -> None:
    """Eight bytes at 9600 baud take 8.33 ms."""
    assert line_ns(8, 9_600) == 8_333_333
