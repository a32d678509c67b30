"""The least lane that lets cars through a site: raw bytes on the site's own wires, no payment at
all."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable

from aiohttp import web

from tests.simulator.waiting import until_asked

Pays = Callable[[bytes], Awaitable[bool]]
RAISE, LOWER, GREEN = 0x0200, 0x0201, 0x0002
POLL_S = 0.02
SILENCE_S = 0.2
UP, DOWN, LOOP_1, LOOP_2, CURTAIN = range(5)


def text_frame(*lines: str) -> bytes:
    """Return a full-screen frame of the fee display."""
    padded = [*lines, "", "", "", ""][:4]
    text = b"".join(line.encode("gb18030").ljust(16) for line in padded)
    return _framed(b"D\xff\x00" + text)


def lamp_frame(green: bool) -> bytes:
    """Return the frame of the display's own lamp."""
    return _framed(b"E" if green else b"F")


def _framed(data: bytes) -> bytes:
    body = b"\xff\xdc" + bytes([len(data) + 4]) + data
    bcc = 0
    for byte in body:
        bcc ^= byte
    return body + bytes([bcc])


class MiniLane:
    """Shows a toll, takes a code, raises, turns green, lowers when loop 2 has been free for 1 s."""

    def __init__(self, facts: dict[str, object], pays: Pays) -> None:
        self._facts = facts
        self._pays = pays
        self._display = -1
        self._scanner = -1
        self._line = b""
        self._heard_at = 0.0
        self._codes: asyncio.Queue[bytes] = asyncio.Queue()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None
        self.plates: list[object] = []
        self.scans = 0

    async def run(self) -> None:
        """Serve cars until cancelled."""
        loop = asyncio.get_running_loop()
        flags = os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK
        self._display = os.open(str(self._facts["display_path"]), flags)
        self._scanner = os.open(str(self._facts["scanner_path"]), flags)
        loop.add_reader(self._scanner, self._read)
        port = int(str(self._facts["modbus_url"]).rpartition(":")[2])
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port)
        runner = await self._listen()
        try:
            while True:
                await self._car()
        finally:
            loop.remove_reader(self._scanner)
            os.close(self._scanner)
            os.close(self._display)
            self._writer.close()
            await runner.cleanup()

    async def _listen(self) -> web.AppRunner:
        async def plates(request: web.Request) -> web.Response:
            self.plates.append((await request.json())["plate_number"])
            return web.Response(status=204)

        async def beat(_: web.Request) -> web.Response:
            return web.Response(status=204)

        app = web.Application()
        app.router.add_post("/plates", plates)
        app.router.add_post("/plates/heartbeat", beat)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        port = int(str(self._facts["camera_target"]).split(":")[2].partition("/")[0])
        await web.TCPSite(runner, "127.0.0.1", port).start()
        return runner

    def _read(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._heard_at > SILENCE_S:
            # What came long ago without an end is no part of this code.
            self._line = b""
        self._heard_at = now
        self._line += os.read(self._scanner, 4_096)
        *lines, self._line = self._line.split(b"\r\n")
        for line in lines:
            self._codes.put_nowait(line)

    async def _car(self) -> None:
        await self._wait(LOOP_1, True)
        os.write(self._display, text_frame("请出示付款码", "25元") + lamp_frame(False))
        while True:
            code = await self._codes.get()
            self.scans += 1
            if await self._pays(code):
                break
            os.write(self._display, text_frame("请刷新付款码"))
        await self._write(RAISE, 3)
        os.write(self._display, text_frame("支付成功 请通行") + lamp_frame(True))
        await self._wait(UP, True)
        await self._write(GREEN, 0xFF00)
        await self._wait(LOOP_2, True)
        await self._write(GREEN, 0)
        await self._wait(LOOP_2, False)
        os.write(self._display, text_frame("欢迎光临") + lamp_frame(False))
        await asyncio.sleep(1)
        inputs = await self._inputs()
        if not inputs[LOOP_2] and not inputs[CURTAIN]:
            await self._write(LOWER, 3)

    async def _wait(self, point: int, on: bool) -> None:
        async def met() -> bool:
            return (await self._inputs())[point] is on

        await until_asked(met, within_s=60, every_s=POLL_S)

    async def _inputs(self) -> list[bool]:
        pdu = await self._ask(bytes.fromhex("02 0000 0005"))
        levels = [bool(pdu[2] >> at & 1) for at in range(5)]
        # Detectors are energised = free, limits energised = reached.
        return [level if at < LOOP_1 else not level for at, level in enumerate(levels)]

    async def _write(self, coil: int, value: int) -> None:
        await self._ask(b"\x05" + coil.to_bytes(2, "big") + value.to_bytes(2, "big"))

    async def _ask(self, pdu: bytes) -> bytes:
        assert self._reader is not None
        assert self._writer is not None
        self._writer.write(b"\x00\x01\x00\x00" + (len(pdu) + 1).to_bytes(2, "big") + b"\x01" + pdu)
        async with asyncio.timeout(2):
            head = await self._reader.readexactly(7)
            return await self._reader.readexactly(int.from_bytes(head[4:6], "big") - 1)
