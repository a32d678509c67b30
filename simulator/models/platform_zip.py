"""A ZIP written byte for byte: names as raw bytes, always the same bytes for the same files.

Python's own writer marks a name that is not ASCII as UTF-8. Platforms write names in GBK without a
mark, and a reader has to cope with that.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

_VERSION = 20
"""2.0: deflate."""
_DEFLATED = 8
_DATE = (1 << 5) | 1
"""1980-01-01, the earliest a ZIP can say."""
_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")


def zip_bytes(files: Mapping[bytes, bytes]) -> bytes:
    """Return a ZIP of *files*, name to content, each below 4 GiB."""
    out = bytearray()
    central = bytearray()
    for name, data in files.items():
        packer = zlib.compressobj(wbits=-15)
        packed = packer.compress(data) + packer.flush()
        start = len(out)
        sizes = (zlib.crc32(data), len(packed), len(data))
        common = (0, _DEFLATED, 0, _DATE)
        out += _LOCAL.pack(b"PK\x03\x04", _VERSION, *common, *sizes, len(name), 0) + name + packed
        lengths = (len(name), 0, 0, 0, 0)
        head = _CENTRAL.pack(b"PK\x01\x02", _VERSION, _VERSION, *common, *sizes, *lengths, 0, start)
        central += head + name
    count = len(files)
    end = _END.pack(b"PK\x05\x06", 0, 0, count, count, len(central), len(out), 0)
    return bytes(out + central + end)
