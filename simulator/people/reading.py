"""How a person reads the fee display: the lines as they stand there, back to their meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tolling.evolve import quick
from tolling.pictures import DisplayPicture, PictureKind, picture_lines

_MEANINGS = {picture_lines(DisplayPicture(kind=kind))[0]: kind for kind in PictureKind}
_YUAN = re.compile(r"(\d{1,12})(?:\.(\d{2}))?\s*元", re.ASCII)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What the display tells a driver."""

    kind: PictureKind | None
    """None: dark, or something nobody understands."""
    toll_fen: int | None
    """The toll, where one can be read."""


def read_display(lines: tuple[str, ...]) -> Seen:
    """Return what *lines* tell. Lines are taken without the blanks a display pads them with."""
    kind, toll = None, None
    for line in lines:
        text = line.strip()
        kind = kind or _MEANINGS.get(text)
        found = _YUAN.fullmatch(text)
        if found is not None and toll is None:
            yuan, fen = found.groups()
            toll = int(yuan) * 100 + int(fen or 0)
    return Seen(kind=kind, toll_fen=toll)
