"""The display decodes golden frames, resynchronises on garbage and counts what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.emulators.ffdc import Face, FfdcDecoder

GOLDEN = Path(__file__).parents[2] / "golden" / "hw" / "display_ffdc.txt"
FRAMES = {
    line.partition(":")[0]: bytes.fromhex(line.partition(":")[2])
    for line in GOLDEN.read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
}


def text_frame(*lines: str) -> bytes:
    """A full-screen frame written by hand, as the field programs lay it out."""
    text = b"".join(line.encode("gb18030").ljust(16) for line in lines)
    body = b"\xff\xdc" + bytes([6 + 1 + len(text)]) + b"D\xff\x00" + text
    bcc = 0
    for byte in body:
        bcc ^= byte
    return body + bytes([bcc])


def test_a_full_screen_frame_is_71_bytes_long() -> None:
    """The hand-made frame has the length the field programs send."""
    frame = text_frame("a", "b", "c", "d")
    assert (len(frame), frame[2]) == (71, 0x47)


def test_golden_frames_turn_lamps_and_speak() -> None:
    """Green, flash, toll and free as written in the golden file."""
    subject = FfdcDecoder()
    subject.feed(FRAMES["lamp_green"] + FRAMES["flash_on"] + FRAMES["speak_class_1_25_yuan"])
    assert subject.face == Face(green=True, flashing=True, spoken="class 1, 25 yuan")
    subject.feed(FRAMES["lamp_red"] + FRAMES["flash_off"] + FRAMES["speak_free"])
    assert subject.face == Face(spoken="free")
    assert (subject.frames, subject.bad_frames) == (6, 0)


def test_text_is_shown_line_by_line() -> None:
    """Four lines of GB18030, padded by blanks that are not shown."""
    subject = FfdcDecoder()
    assert subject.feed(text_frame("请出示付款码", "25元", "客1", "京A12345"))
    assert subject.face.lines == ("请出示付款码", "25元", "客1", "京A12345")
    assert not subject.feed(text_frame("请出示付款码", "25元", "客1", "京A12345"))


def test_a_bad_bcc_changes_nothing_and_is_counted() -> None:
    """A frame with a wrong check byte is not shown; the next one is."""
    subject = FfdcDecoder()
    bad = text_frame("a", "b", "c", "d")[:-1] + b"\x00"
    assert not subject.feed(bad)
    assert subject.bad_frames >= 1
    assert subject.feed(FRAMES["lamp_green"])


@pytest.mark.slow
@given(st.binary(max_size=40), st.data())
def test_garbage_never_hides_a_frame_behind_it_for_good(
    garbage: bytes, data: st.DataObject
) -> None:
    """After any bytes, frames are shown again at the latest when a second screen's worth has
    come."""
    subject = FfdcDecoder()
    stream = garbage + FRAMES["lamp_green"] * 60
    while stream:
        size = data.draw(st.integers(1, 64))
        subject.feed(stream[:size])
        stream = stream[size:]
    assert subject.face.green
