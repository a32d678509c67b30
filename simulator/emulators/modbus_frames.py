"""Modbus framing, the server's side: the TCP header and the RTU line. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from struct import pack, unpack

TCP_HEADER = 7
TCP_PDU_MAX = 253
RTU_FRAME_MAX = 256
RTU_FRAME_MIN = 4
_FIXED = {1: 8, 2: 8, 3: 8, 4: 8, 5: 8, 6: 8}
"""Whole length of requests with a fixed one."""
_COUNTED = (15, 16)
_COUNT_AT = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request off the line."""

    device_id: int
    pdu: bytes
    transaction: int = 0
    """TCP only."""


class BrokenStreamError(Exception):
    """A TCP stream that is no Modbus: the device hangs up."""


class TcpFramer:
    """Bytes of one TCP connection -> requests."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Request]:
        """Return the requests that *data* completes.

        Raises: BrokenStreamError: a header that cannot be one.
        """
        self._buffer += data
        found = []
        while len(self._buffer) >= TCP_HEADER:
            transaction, protocol, length, device_id = unpack(">HHHB", self._buffer[:TCP_HEADER])
            if protocol != 0 or not 2 <= length <= TCP_PDU_MAX + 1:
                raise BrokenStreamError(f"protocol {protocol}, length {length}")
            end = TCP_HEADER - 1 + length
            if len(self._buffer) < end:
                break
            pdu = bytes(self._buffer[TCP_HEADER:end])
            del self._buffer[:end]
            found.append(Request(device_id=device_id, pdu=pdu, transaction=transaction))
        return found

    @staticmethod
    def frame(request: Request, pdu: bytes) -> bytes:
        """Return the answer *pdu* as a frame."""
        return pack(">HHHB", request.transaction, 0, len(pdu) + 1, request.device_id) + pdu


class RtuFramer:
    """Bytes of an RTU line -> requests. The caller tells of silence, which ends a broken frame."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.bad_frames = 0
        """Frames with a wrong CRC, or cut off."""

    def feed(self, data: bytes) -> list[Request]:
        """Return the requests that *data* completes; a frame with a wrong CRC is dropped."""
        self._buffer += data
        found = []
        while len(self._buffer) >= RTU_FRAME_MIN:
            length = self._length()
            if length is None or len(self._buffer) < length:
                break
            frame = bytes(self._buffer[:length])
            if crc16(frame[:-2]) != frame[-2:]:
                # A real device waits for silence now; what follows without one is lost too.
                self.bad_frames += 1
                self._buffer.clear()
                break
            del self._buffer[:length]
            found.append(Request(device_id=frame[0], pdu=frame[1:-2]))
        if len(self._buffer) > RTU_FRAME_MAX:
            self.silence()
        return found

    def silence(self) -> None:
        """The line was silent: what has come so far is no frame."""
        if self._buffer:
            self.bad_frames += 1
            self._buffer.clear()

    def _length(self) -> int | None:
        """Return the length of the frame in the buffer, None where more is needed to know."""
        code = self._buffer[1]
        if code in _FIXED:
            return _FIXED[code]
        if code in _COUNTED:
            if len(self._buffer) <= _COUNT_AT:
                return None
            return _COUNT_AT + 1 + self._buffer[_COUNT_AT] + 2
        # A function of unknown shape is whole when its CRC is right.
        whole = crc16(bytes(self._buffer[:-2])) == bytes(self._buffer[-2:])
        return len(self._buffer) if whole else None

    @staticmethod
    def frame(request: Request, pdu: bytes) -> bytes:
        """Return the answer *pdu* as a frame."""
        body = bytes([request.device_id]) + pdu
        return body + crc16(body)


def crc16(data: bytes) -> bytes:
    """Return the Modbus CRC of *data* in the line's order, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return pack("<H", crc)


def line_ns(byte_count: int, baud: int) -> int:
    """Return how long *byte_count* bytes take on a line of *baud*, 10 bits each."""
    return byte_count * 10 * 1_000_000_000 // baud
