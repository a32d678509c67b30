"""The ``FF DC`` fee display's own reading of its line. Pure; written from the frames as field
programs send them.

``FF DC LEN CMD DATA BCC``: LEN counts the whole frame, BCC is the XOR of all bytes before it.
``D``: brightness, line (0 = all, else 1..), text of 16 bytes a line. ``S``: ``32 37`` class and
four digits of yuan are spoken; ``32 37 33``: free. ``E``/``F``: pass lamp green/red. ``J``/``K``:
yellow flash on/off.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

HEAD = b"\xff\xdc"
FRAME_MIN, FRAME_MAX = 5, 255
LINE_BYTES = 16
LINES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Face:
    """What can be seen and was said."""

    lines: tuple[str, ...] = ("",) * LINES
    green: bool = False
    flashing: bool = False
    spoken: str = ""
    """The last words: ``class 1, 25 yuan`` or ``free``."""


class FfdcDecoder:
    """Bytes of the line -> the face of the display."""

    def __init__(self) -> None:
        self.face = Face()
        self.frames = 0
        self.bad_frames = 0
        """Frames with a wrong BCC, of an unknown kind or with text that is none."""
        self._buffer = bytearray()

    def feed(self, data: bytes) -> bool:
        """Take bytes. Returns whether the face changed."""
        self._buffer += data
        before = self.face
        while self._frame():
            pass
        return self.face != before

    def _frame(self) -> bool:
        """Take one frame off the buffer. Returns False where more bytes are needed."""
        start = self._buffer.find(HEAD)
        if start < 0:
            # The last byte may be the first half of a head.
            del self._buffer[: max(len(self._buffer) - 1, 0)]
            return False
        del self._buffer[:start]
        if len(self._buffer) < 3:
            return False
        length = self._buffer[2]
        if length < FRAME_MIN:
            self._bad(2)
            return True
        if len(self._buffer) < length:
            return False
        frame = bytes(self._buffer[:length])
        if _bcc(frame[:-1]) != frame[-1]:
            self._bad(2)
            return True
        del self._buffer[:length]
        if self._command(frame[3:4], frame[4:-1]):
            self.frames += 1
        else:
            self.bad_frames += 1
        return True

    def _bad(self, count: int) -> None:
        """Drop the head of a frame that is none, and look for the next."""
        self.bad_frames += 1
        del self._buffer[:count]

    def _command(self, command: bytes, data: bytes) -> bool:
        face = self.face
        if command == b"D":
            return self._text(data)
        if command == b"S":
            return self._speech(data)
        if data:
            return False
        if command in (b"E", b"F"):
            self.face = replace(face, green=command == b"E")
        elif command in (b"J", b"K"):
            self.face = replace(face, flashing=command == b"J")
        else:
            return False
        return True

    def _text(self, data: bytes) -> bool:
        if len(data) < 2 + LINE_BYTES or (len(data) - 2) % LINE_BYTES:
            return False
        number, text = data[1], data[2:]
        rows = [text[at : at + LINE_BYTES] for at in range(0, len(text), LINE_BYTES)]
        try:
            lines = [row.decode("gb18030").rstrip(" \x00") for row in rows]
        except UnicodeDecodeError:
            return False
        if number == 0:
            shown = (lines + [""] * LINES)[: max(LINES, len(lines))]
        elif 1 <= number <= LINES and len(lines) == 1:
            shown = list(self.face.lines)
            shown[number - 1] = lines[0]
        else:
            return False
        self.face = replace(self.face, lines=tuple(shown))
        return True

    def _speech(self, data: bytes) -> bool:
        if not data.startswith(b"27"):
            return False
        words = data[2:]
        if words == b"3":
            self.face = replace(self.face, spoken="free")
        elif len(words) == 5 and words.isdigit():
            self.face = replace(self.face, spoken=f"class {int(words[:1])}, {int(words[1:])} yuan")
        elif len(words) == 10 and words.isdigit():
            yuan = int(words[6:])
            self.face = replace(self.face, spoken=f"class {int(words[:1])}, {yuan} yuan")
        else:
            return False
        return True


def _bcc(data: bytes) -> int:
    value = 0
    for byte in data:
        value ^= byte
    return value
