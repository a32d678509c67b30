"""What the parsers of all platforms' bills share: unpacking within bounds, text, exact amounts.

Every refusal names the file and, where there is one, the line from 1. A refusal never repeats the
cell: bills hold payers' names.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from plaza_server.rules.bills import BillRow, window_of
from tolling.clock import BEIJING
from tolling.errors import BadInputError
from tolling.money import MAX_FEN

PACKED_MAX = 32 * 1024 * 1024
"""Bytes of a bill as it comes. A day of 200 lanes (200,000 payments) packs to about 10 MiB."""
TEXT_MAX = 160 * 1024 * 1024
"""Bytes of one unpacked file: 400,000 rows of 400 bytes."""
ROWS_MAX = 400_000
ENTRIES_MAX = 8
"""Files in one ZIP; the platforms put in two."""
NUMBER_MAX = 64
"""Characters of an order or refund number."""

_FORMULA = ("=", "+", "-", "@")
"""A spreadsheet takes a cell that starts so for a formula; no number or name of ours does."""
_YUAN = re.compile(r"(-?)([0-9]{1,9})(?:\.([0-9]{1,2}))?", re.ASCII)
_FEE = re.compile(r"(-?)([0-9]{1,9})(?:\.([0-9]{1,5}))?", re.ASCII)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}", re.ASCII)
_PRINTABLE = re.compile(r"[!-~]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A line of a file, for refusals."""

    file: str
    line: int = 0
    """From 1; 0: the file as a whole."""

    def refuse(self, what: str, do: str = "") -> BadInputError:
        """Return the error that refuses the whole bill."""
        where = f"{self.file} line {self.line}" if self.line else self.file
        return BadInputError(where=where, what=what, do=do or "Nothing of the bill was taken")


# ---- unpacking ----


def check_size(data: bytes, place: Place) -> None:
    """Refuse what is no bill by its size."""
    if not data:
        raise place.refuse("empty", "Fetch it again")
    if len(data) > PACKED_MAX:
        raise place.refuse(f"larger than {PACKED_MAX} bytes")


def unzip(data: bytes, place: Place) -> dict[str, bytes]:
    """Return the files of a ZIP by name; names written in GBK without a mark are read as GBK."""
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            entries = [each for each in packed.infolist() if not each.is_dir()]
            if not entries or len(entries) > ENTRIES_MAX:
                raise place.refuse(f"a ZIP of {len(entries)} files, not 1 to {ENTRIES_MAX}")
            for entry in entries:
                name = _zip_name(entry)
                if name in files:
                    raise place.refuse("a ZIP with one name twice")
                with packed.open(entry) as stream:
                    text = stream.read(TEXT_MAX + 1)
                if len(text) > TEXT_MAX:
                    raise place.refuse(f"a file in the ZIP unpacks to more than {TEXT_MAX} bytes")
                files[name] = text
    except (
        zipfile.BadZipFile,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        EOFError,
        ValueError,
    ):
        raise place.refuse("not a whole ZIP", "Fetch it again") from None
    return files


def _zip_name(entry: zipfile.ZipInfo) -> str:
    if entry.flag_bits & 0x800:
        return entry.filename
    return entry.filename.encode("cp437", "replace").decode("gbk", "replace")


def gunzip(data: bytes, place: Place) -> bytes:
    """Return the text of a gzip stream, one member and nothing behind it."""
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(data, TEXT_MAX + 1)
    except zlib.error:
        raise place.refuse("not a whole gzip stream", "Fetch it again") from None
    if len(text) > TEXT_MAX:
        raise place.refuse(f"unpacks to more than {TEXT_MAX} bytes")
    if not unpacker.eof or unpacker.unused_data:
        raise place.refuse("not a whole gzip stream", "Fetch it again")
    return text


def decode(data: bytes, encoding: str, place: Place) -> str:
    """Return *data* as text, refusing the first line that is not in *encoding*."""
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        found = Place(file=place.file, line=line)
        raise found.refuse(f"not {encoding.upper()} text") from None


def lines_of(text: str) -> list[str]:
    """Return a text's lines without their ends; a last line end makes no line of its own."""
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    while lines and lines[-1] == "":
        lines.pop()
    return lines


# ---- cells ----


def columns(found: Sequence[str], wanted: Sequence[str], place: Place) -> None:
    """Refuse a header that is not exactly *wanted*, naming the first column that differs."""
    for name in wanted:
        if name not in found:
            raise place.refuse(f"column {name} is missing")
    for index, name in enumerate(found):
        if name not in wanted:
            raise place.refuse(f"column {index + 1} is not known")
    if list(found) != list(wanted):
        raise place.refuse("its columns are doubled or in another order")


def text_cell(text: str, what: str, place: Place) -> str:
    """Return a cell that is free text, refusing one that a spreadsheet would run."""
    if text.startswith(_FORMULA):
        raise place.refuse(f"{what} starts like a formula")
    return text


def number_cell(text: str, what: str, place: Place) -> str:
    """Return a cell that is an order's or trade's number."""
    text_cell(text, what, place)
    if len(text) > NUMBER_MAX or _PRINTABLE.fullmatch(text) is None:
        raise place.refuse(f"{what} is not 1 to {NUMBER_MAX} printable characters")
    return text


def yuan_cell(text: str, what: str, place: Place) -> int:
    """Return an amount written in yuan as fen, exactly; a minus keeps its sign."""
    found = _YUAN.fullmatch(text)
    if found is None:
        raise place.refuse(f"{what} is not an amount in yuan with at most 2 decimals")
    fen = int(found[2]) * 100 + int((found[3] or "").ljust(2, "0"))
    if fen >= MAX_FEN:
        raise place.refuse(f"{what} is more than any payment")
    return -fen if found[1] else fen


def fee_cell(text: str, what: str, place: Place) -> int:
    """Return a fee written in yuan with up to 5 decimals as thousandths of a fen, exactly."""
    found = _FEE.fullmatch(text)
    if found is None:
        raise place.refuse(f"{what} is not an amount in yuan with at most 5 decimals")
    parts = int(found[2]) * 100_000 + int((found[3] or "").ljust(5, "0"))
    return -parts if found[1] else parts


def fen_cell(text: str, what: str, place: Place) -> int:
    """Return 12 digits of fen."""
    if not (text.isascii() and text.isdigit() and len(text) == 12):
        raise place.refuse(f"{what} is not 12 digits")
    return int(text)


def count_cell(text: str, what: str, place: Place) -> int:
    """Return a count."""
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        raise place.refuse(f"{what} is not a count")
    return int(text)


def time_cell(text: str, what: str, place: Place) -> int:
    """Return ``yyyy-MM-dd HH:mm:ss`` in Beijing as UTC milliseconds."""
    try:
        if _TIME.fullmatch(text) is None:
            raise ValueError
        moment = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=BEIJING)
    except ValueError:
        raise place.refuse(f"{what} is not yyyy-MM-dd HH:mm:ss") from None
    return int(moment.timestamp()) * 1_000


# ---- whole bills ----


def check_window(
    at_ms: int, platform: str, day: str, place: Place, *, tolerance_ms: int = 0
) -> None:
    """Refuse a row of another day than the bill's."""
    start, end = window_of(platform, day)
    if not start - tolerance_ms <= at_ms < end + tolerance_ms:
        raise place.refuse(f"its time is not of {day}", f"Fetch the bill of {day} again")


def check_doubles(rows: Sequence[BillRow], file: str) -> None:
    """Refuse a bill that lists one movement twice, naming the second line."""
    seen: dict[str, int] = {}
    for row in rows:
        first = seen.setdefault(row.key, row.line)
        if first != row.line:
            place = Place(file=file, line=row.line)
            raise place.refuse(f"the same movement stands in line {first}")


def check_rows(count: int, place: Place) -> None:
    """Refuse more rows than any day has."""
    if count > ROWS_MAX:
        raise place.refuse(f"more than {ROWS_MAX} rows")


def check_total(found: int, said: int, what: str, place: Place) -> None:
    """Refuse a bill whose rows do not add up to its own totals."""
    if found != said:
        raise place.refuse(f"{what}: it says {said}, its rows make {found}", "Fetch it again")
