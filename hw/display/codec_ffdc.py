"""The ``FF DC`` fee display ("STD"): meaning -> frames. Pure; the display never answers.

``FF DC LEN CMD DATA BCC``: LEN is the whole frame, BCC the XOR of all bytes before it. Used here:
``D`` full text (4 lines of 16 GBK bytes), ``S`` voice and fee, ``E``/``F`` pass lamp green/red,
``J``/``K`` yellow flash on/off.

The toll is shown by the text frame always: ``S`` has four digits of whole yuan, so a toll with fen
or over 9999 yuan would be shown cut, and a picture that is refreshed must not speak. ``S`` is for
the voice, and only where class and toll fit it; a toll that does not fit is not spoken.

Source: as listed in docs/devices/display.md.
"""

from __future__ import annotations

from functools import reduce
from operator import xor

from tolling.pictures import LINE_BYTES, LINES, DisplayPicture, PictureKind, fits, picture_lines

_HEAD = b"\xff\xdc"
_ALL_LINES = 0x00
BRIGHTNESS_FULL = 0xFF
SPOKEN_YUAN_MAX = 9999
"""Four digits in the frame."""

_VOICE = b"27"
_FREE = b"3"
_UNKNOWN_CHARACTER = b"?"


def frame(command: bytes, data: bytes = b"") -> bytes:
    """Return one frame. Args: command: one byte; data: 0..250 bytes."""
    assert len(command) == 1, "a command is one byte"
    assert len(data) <= 250, "longer than a frame can say"
    body = _HEAD + bytes([len(_HEAD) + 3 + len(data)]) + command + data
    return body + bytes([reduce(xor, body)])


def text_frame(lines: tuple[str, ...], *, brightness: int = BRIGHTNESS_FULL) -> bytes:
    """Return the frame that shows four lines, each of at most 16 GBK bytes."""
    assert len(lines) == LINES, "a picture is four lines"
    assert all(fits(line) for line in lines), "a line is at most 16 bytes"
    text = b"".join(_padded(line) for line in lines)
    return frame(b"D", bytes([brightness, _ALL_LINES]) + text)


def lamp_frame(*, green: bool) -> bytes:
    """Return the frame that turns the display's own pass lamp green or red."""
    return frame(b"E" if green else b"F")


def flash_frame(*, on: bool) -> bytes:
    """Return the frame that turns the yellow flash on or off."""
    return frame(b"J" if on else b"K")


def picture_frames(picture: DisplayPicture, *, brightness: int = BRIGHTNESS_FULL) -> bytes:
    """Return the frames that show *picture*: text, lamp, flash. Sent again they change nothing."""
    return (
        text_frame(picture_lines(picture), brightness=brightness)
        + lamp_frame(green=picture.green)
        + flash_frame(on=picture.kind is PictureKind.ASSIST)
    )


def speech_frame(picture: DisplayPicture) -> bytes | None:
    """Return the frame that speaks *picture*, None where the display has no true words for it."""
    if picture.kind is PictureKind.FREE:
        return frame(b"S", _VOICE + _FREE)
    if picture.kind is not PictureKind.TOLL:
        return None
    if picture.toll_fen is None or picture.vehicle_class is None:
        return None
    yuan, fen = divmod(picture.toll_fen, 100)
    if fen or not 1 <= yuan <= SPOKEN_YUAN_MAX:
        return None
    return frame(b"S", _VOICE + f"{picture.vehicle_class % 10}{yuan:04d}".encode("ascii"))


def _padded(line: str) -> bytes:
    """Return a line as 16 bytes, padded by bytes; what GBK has not is shown as a question mark."""
    coded = [character.encode("gb18030") for character in line]
    return b"".join(text if len(text) <= 2 else _UNKNOWN_CHARACTER for text in coded).ljust(
        LINE_BYTES
    )
