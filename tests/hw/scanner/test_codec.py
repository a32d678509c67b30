"""The scanner's stream parser."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.scanner import codec as subject
from hw.scanner.codec import Answer, AnswerKind, Code, Dialect, Dropped, ScanEvent, ScanParser
from tests.hw.golden import golden

FRAMES = golden("scanner")
ALIPAY = b"286120001234567890"
NEWLAND_ACK = bytes.fromhex("020130303030") + b"#SCNTRG1" + bytes.fromhex("063B03")
ODD = st.sampled_from(
    [
        *(b"\r", b"\n", b"\r\n", b"\x06", b"\x15", b"\x05", b"\x02", b"\x03"),
        *(b"CBRENA1\x06.", ALIPAY, FRAMES["engine_answer"], NEWLAND_ACK, b"x" * 601),
    ]
)
STREAMS = st.lists(ODD | st.binary(max_size=12), max_size=12).map(b"".join)


def parse(data: bytes) -> list[ScanEvent]:
    """Return the events of one whole stream."""
    return ScanParser().feed(data)


def test_triggers_are_golden() -> None:
    """Trigger commands are byte for byte those of the makers."""
    assert subject.trigger(Dialect.HONEYWELL, on=True) == FRAMES["honeywell_on"]
    assert subject.trigger(Dialect.HONEYWELL, on=False) == FRAMES["honeywell_off"]
    assert subject.trigger(Dialect.NEWLAND, on=True) == FRAMES["newland_on"]
    assert subject.trigger(Dialect.NEWLAND, on=False) == FRAMES["newland_off"]
    assert subject.trigger(Dialect.PLAIN, on=True) == b""


@pytest.mark.parametrize("end", [b"\r", b"\n", b"\r\n"])
def test_a_terminator_ends_a_code(end: bytes) -> None:
    """CR, LF and CR LF end a code, once."""
    assert parse(ALIPAY + end + b"B" + end) == [Code(ALIPAY), Code(b"B")]


def test_empty_lines_are_nothing() -> None:
    """Terminators without anything between them are no codes."""
    assert parse(b"\r\r\n\n\nA\r") == [Code(b"A")]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"\x06", AnswerKind.ACK),
        (b"\x15", AnswerKind.NAK),
        (b"\x05", AnswerKind.ENQ),
        (b"CBRENA1\x06.", AnswerKind.ACK),
        (b"TRGMOD9\x15!", AnswerKind.NAK),
        (FRAMES["engine_answer"], AnswerKind.ACK),
        (NEWLAND_ACK, AnswerKind.ACK),
        (NEWLAND_ACK.replace(b"\x06", b"\x15"), AnswerKind.NAK),
    ],
)
def test_answers_are_told_from_codes(answer: bytes, kind: AnswerKind) -> None:
    """An answer on the stream is an answer, and the code behind it is whole."""
    assert parse(ALIPAY + b"\r" + answer + ALIPAY + b"\r") == [
        Code(ALIPAY),
        Answer(kind),
        Code(ALIPAY),
    ]


@pytest.mark.parametrize("start", [b"\x02", b"\x02\x00\x00", b"\x02\x010000", b"12\x06", b"1\x02"])
def test_what_only_looks_like_an_answer_swallows_no_code(start: bytes) -> None:
    """A code with control characters is handed on whole, and the next code is untouched."""
    assert parse(start + b"zz\r" + ALIPAY + b"\r") == [Code(start + b"zz"), Code(ALIPAY)]


def test_too_long_a_line_is_dropped_up_to_its_terminator() -> None:
    """601 bytes are no code; the code after the next terminator is read."""
    assert parse(b"9" * 5000 + b"\r" + ALIPAY + b"\r") == [
        Dropped("more than 600 bytes without a terminator"),
        Code(ALIPAY),
    ]
    assert parse(b"9" * 600 + b"\r") == [Code(b"9" * 600)]


def test_a_fragment_is_dropped_after_silence() -> None:
    """Half a code never becomes a code and is not glued to the next one."""
    parser = ScanParser()
    assert parser.feed(ALIPAY[:7]) == []
    assert parser.pending
    assert parser.silence() == [Dropped("bytes without a terminator")]
    assert parser.feed(ALIPAY + b"\r") == [Code(ALIPAY)]
    assert parser.silence() == []


def test_silence_ends_a_code_of_a_scanner_without_suffix() -> None:
    """With gap framing silence is the terminator, but not of a line that was too long."""
    parser = ScanParser(gap_framing=True)
    parser.feed(ALIPAY)
    assert parser.silence() == [Code(ALIPAY)]
    parser.feed(b"9" * 700)
    assert parser.silence() == [Dropped("bytes without a terminator")]


def test_a_code_is_not_in_its_repr() -> None:
    """What was scanned does not reach a log by way of repr."""
    assert "2861" not in repr(Code(ALIPAY))


@given(data=STREAMS, cuts=st.lists(st.integers(min_value=0, max_value=2000), max_size=6))
def test_chunks_do_not_matter(data: bytes, cuts: list[int]) -> None:
    """Whole, byte by byte and cut anywhere, a stream gives the same events."""
    whole = parse(data)
    single = ScanParser()
    assert [event for byte in data for event in single.feed(bytes([byte]))] == whole
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    cut_parser = ScanParser()
    pieces = [data[a:b] for a, b in pairwise(edges)]
    assert [event for piece in pieces for event in cut_parser.feed(piece)] == whole


@given(data=st.binary(max_size=3000))
def test_garbage_never_raises_and_codes_are_bounded(data: bytes) -> None:
    """Any bytes are parsed; no code is longer than 600 bytes or holds a terminator."""
    for event in parse(data):
        if isinstance(event, Code):
            assert 1 <= len(event.data) <= 600
            assert not set(event.data) & set(b"\r\n")
