"""The ``FF DC`` frames."""

from __future__ import annotations

from functools import reduce
from operator import xor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hw.display import codec_ffdc as subject
from tests.hw.golden import golden
from tolling.pictures import DisplayPicture, PictureKind
from tolling.vehicles import VehicleClass

FRAMES = golden("display_ffdc")
VOICED = (PictureKind.TOLL, PictureKind.FREE)


def toll(fen: int, vehicle_class: VehicleClass | None = VehicleClass.CAR_1) -> DisplayPicture:
    """Return a toll's picture."""
    return DisplayPicture(kind=PictureKind.TOLL, toll_fen=fen, vehicle_class=vehicle_class)


def test_lamp_and_flash_frames_are_golden() -> None:
    """Lamp and flash frames are byte for byte those of the sources."""
    assert subject.lamp_frame(green=True) == FRAMES["lamp_green"]
    assert subject.lamp_frame(green=False) == FRAMES["lamp_red"]
    assert subject.flash_frame(on=True) == FRAMES["flash_on"]
    assert subject.flash_frame(on=False) == FRAMES["flash_off"]


def test_spoken_frames_are_golden() -> None:
    """A spoken toll and a free passage are byte for byte those of the sources."""
    assert subject.speech_frame(toll(2500)) == FRAMES["speak_class_1_25_yuan"]
    free = DisplayPicture(kind=PictureKind.FREE)
    assert subject.speech_frame(free) == FRAMES["speak_free"]


def test_text_frame_has_its_length_and_place() -> None:
    """The full text frame is 71 bytes: length, D, brightness, all lines, 64 bytes of GBK, BCC."""
    frame = subject.text_frame(("欢迎光临", "", "A", ""))
    assert len(frame) == 71
    assert frame[:6] == bytes.fromhex("FFDC4744FF00")
    assert frame[6:22].decode("gbk").rstrip() == "欢迎光临"
    assert frame[38:54] == b"A".ljust(16)


@given(
    fen=st.integers(min_value=0, max_value=10_000_000), vehicle_class=st.sampled_from(VehicleClass)
)
def test_a_toll_is_spoken_right_or_not_at_all(fen: int, vehicle_class: VehicleClass) -> None:
    """Only whole yuan of 1..9999 are spoken, and then exactly."""
    frame = subject.speech_frame(toll(fen, vehicle_class))
    if fen % 100 or not 100 <= fen <= 999_900:
        assert frame is None
    else:
        assert frame is not None
        assert len(frame) == 12
        assert int(frame[7:11]) * 100 == fen
        assert frame[6:7] == str(vehicle_class % 10).encode()


@given(fen=st.integers(min_value=0, max_value=10**14 - 1))
def test_a_toll_is_shown_whole_or_not_at_all(fen: int) -> None:
    """The text names the toll with its fen, or sends the driver to a person; never a part of it."""
    text = subject.picture_frames(toll(fen))[6:70].decode("gbk")
    line = text.splitlines()[0]
    assert f"{fen // 100}.{fen % 100:02d}元" in line or "金额见收费员" in line


def test_toll_without_class_is_not_spoken() -> None:
    """Without a class there is nothing true to speak."""
    assert subject.speech_frame(toll(2500, None)) is None


@pytest.mark.parametrize("kind", [kind for kind in PictureKind if kind not in VOICED])
def test_other_pictures_are_not_spoken(kind: PictureKind) -> None:
    """The display has words for tolls and free passages only."""
    assert subject.speech_frame(DisplayPicture(kind=kind)) is None


@pytest.mark.parametrize("kind", list(PictureKind))
def test_lamp_is_green_only_with_a_picture_that_lets_pass(kind: PictureKind) -> None:
    """Each picture carries its lamp; the flash is on only while help is coming."""
    frames = subject.picture_frames(DisplayPicture(kind=kind))
    green = kind in (PictureKind.PAID, PictureKind.FREE)
    assert frames[71:76] == FRAMES["lamp_green" if green else "lamp_red"]
    assert frames[76:] == FRAMES["flash_on" if kind is PictureKind.ASSIST else "flash_off"]


@given(lines=st.tuples(*[st.text(max_size=8) for _ in range(4)]))
def test_padding_is_by_bytes_and_never_cuts_a_character(lines: tuple[str, str, str, str]) -> None:
    """Whatever text fits, the frame has 71 bytes, a good BCC and whole characters in each line."""
    if any(len(line.encode("gb18030", "replace")) > 16 for line in lines):
        return
    if any("\ud800" <= character <= "\udfff" for line in lines for character in line):
        return
    frame = subject.text_frame(lines)
    assert len(frame) == 71
    assert reduce(xor, frame) == 0
    for number in range(4):
        frame[6 + 16 * number : 22 + 16 * number].decode("gb18030")


def test_character_that_gbk_has_not_is_a_question_mark() -> None:
    """A four-byte GB18030 character would break the display's columns."""
    assert subject.text_frame(("é😀", "", "", ""))[6:22].rstrip().endswith(b"?")
