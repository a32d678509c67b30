"""What the three bare programs share: reading their one argument, a durable file, RSA2, HTTP."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite
import uvicorn
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

LOOPBACK = "127.0.0.1"
KEEP_ALIVE_S = 75
Respond = Callable[[bytes], Awaitable[bytes]]
"""Takes a request's body, gives the answer's."""


def options() -> dict[str, Any]:
    """Return the program's one argument, a JSON object."""
    return dict(json.loads(sys.argv[1]))


def say(**facts: object) -> None:
    """Print one line of JSON: what the bench waits for."""
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


class Disk:
    """One SQLite file whose every ``write`` is durable when it returns: WAL, synchronous FULL."""

    def __init__(self, path: Path, tables: str) -> None:
        self._connection = sqlite.connect(str(path), isolation_level=None)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._connection.executescript(tables)

    def write(self, *statements: tuple[str, tuple[object, ...]]) -> None:
        """Run (statement, values) in one transaction and commit it."""
        self._connection.execute("BEGIN IMMEDIATE")
        for statement, values in statements:
            self._connection.execute(statement, values)
        self._connection.execute("COMMIT")


class Rsa2:
    """Signs with one key and checks with another's public half: RSA-PKCS1v15-SHA256."""

    def __init__(self, private: Path, public: Path) -> None:
        own = serialization.load_pem_private_key(private.read_bytes(), password=None)
        theirs = serialization.load_pem_public_key(public.read_bytes())
        assert isinstance(own, rsa.RSAPrivateKey), f"{private}: an RSA key"
        assert isinstance(theirs, rsa.RSAPublicKey), f"{public}: an RSA key"
        self._own = own
        self._theirs = theirs

    def sign(self, text: bytes) -> bytes:
        """Return our signature of *text*."""
        return self._own.sign(text, padding.PKCS1v15(), hashes.SHA256())

    def is_signed(self, signature: bytes, text: bytes) -> bool:
        """Return whether they signed *text*."""
        try:
            self._theirs.verify(signature, text, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def seal(self, content: dict[str, object]) -> bytes:
        """Return *content* as a signed body."""
        text = json.dumps(content)
        signature = self.sign(text.encode())
        return json.dumps({"content": text, "sign": base64.b64encode(signature).decode()}).encode()

    def open(self, body: bytes) -> dict[str, Any]:
        """Return the content of a signed body. Raises: ValueError: another key signed it."""
        sealed = json.loads(body)
        text: str = sealed["content"]
        if not self.is_signed(base64.b64decode(sealed["sign"]), text.encode()):
            raise ValueError("bad signature")
        return dict(json.loads(text))


async def serve(respond: Respond) -> None:
    """Serve *respond* as a raw ASGI application until SIGTERM; say the URL first."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http", "only HTTP is served"
        body = b""
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        answer = await respond(body)
        headers = [(b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    config = uvicorn.Config(
        app,
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_S,
    )
    listener = socket.create_server((LOOPBACK, 0))
    say(url=f"http://{LOOPBACK}:{listener.getsockname()[1]}/")
    await uvicorn.Server(config).serve(sockets=[listener])


@contextlib.contextmanager
def until_told() -> Iterator[asyncio.Event]:
    """Give an event that SIGTERM sets."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, told.set)
    try:
        yield told
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
