"""Who may act at this lane: PIN hashes from the plaza, kept in a file until they expire.

A bootstrap person may stand in the lane file, for the day the plaza was never reached. PINs are
short: only slow salted hashes (scrypt) are kept, and a wrong PIN makes that operator wait.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import re
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import structlog
from pydantic import TypeAdapter

from lane_controller.shell.clock import LaneClock, random_bytes
from tolling import wire
from tolling.clock import NS_PER_S
from tolling.errors import BadInputError, RefusedError

FETCH_S = 600.0
"""How often the list is fetched; the plaza gives it a life of half a day."""
FETCH_RETRY_S = 10.0
"""Until the first list is there."""
FETCH_DEADLINE_S = 3.0
TRIES_MAX = 5
TRIES_WINDOW_NS = 60 * NS_PER_S
"""Five wrong PINs a minute and operator: 10,000 PINs take 33 hours."""
OPERATORS_MAX = 2_000
NAMES_REMEMBERED = 256
_HASH = re.compile(r"scrypt\$(\d{1,7})\$(\d{1,2})\$(\d{1,2})\$([0-9a-f]{16,128})\$([0-9a-f]{64})")
_N, _R, _P = 16_384, 8, 1
_SALT_BYTES = 16
_PIN = re.compile(r"[0-9]{4,12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One person, as the plaza lists them."""

    operator_id: str
    name: str
    pin_hash: str
    """``scrypt$n$r$p$salt$hash``, salt and hash as hex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorList:
    """GET /v1/operators."""

    made_ms: int
    expires_ms: int
    """UTC milliseconds; nobody on the list is trusted after it."""
    operators: tuple[Operator, ...]


_list = TypeAdapter(OperatorList)


def is_pin_hash(text: str) -> bool:
    """Return whether *text* is a PIN hash this program can check."""
    found = _HASH.fullmatch(text)
    if found is None:
        return False
    n, r, p = (int(found.group(part)) for part in (1, 2, 3))
    return 1 < n <= 1 << 17 and n & (n - 1) == 0 and 1 <= r <= 16 and 1 <= p <= 4


def hash_pin(pin: str) -> str:
    """Return the slow salted hash of a PIN of 4 to 12 digits. Raises: BadInputError."""
    if _PIN.fullmatch(pin) is None:
        raise BadInputError(where="PIN", what="not 4 to 12 digits")
    salt = random_bytes(_SALT_BYTES)
    return f"scrypt${_N}${_R}${_P}${salt.hex()}${_scrypt(pin, salt, _N, _R, _P).hex()}"


def pin_fits(pin: str, pin_hash: str) -> bool:
    """Return whether *pin* is the one that was hashed. Takes some 50 ms."""
    if _PIN.fullmatch(pin) is None or not is_pin_hash(pin_hash):
        return False
    _, n, r, p, salt, digest = pin_hash.split("$")
    made = _scrypt(pin, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(made, bytes.fromhex(digest))


def _scrypt(pin: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    room = 256 * n * r
    return hashlib.scrypt(pin.encode("ascii"), salt=salt, n=n, r=r, p=p, dklen=32, maxmem=room)


class StaffBook:
    """The list as the lane holds it."""

    def __init__(
        self,
        cache: Path,
        *,
        clock: LaneClock,
        bootstrap: tuple[Operator, ...] = (),
        fetch: Callable[[], Awaitable[bytes | None]] | None = None,
    ) -> None:
        """Read the cached list.

        Args:   cache: the file that outlives a restart.
                bootstrap: people of the lane file; they do not expire.
                fetch: asks the plaza, None where it did not answer well.
        """
        self._cache = cache
        self._clock = clock
        self._bootstrap = {each.operator_id: each for each in bootstrap}
        self._fetch = fetch
        self._log = structlog.get_logger("lane.staff")
        self._tries: OrderedDict[str, deque[int]] = OrderedDict()
        self._list: OperatorList | None = None
        try:
            self._list = _read(cache.read_bytes(), where=str(cache))
        except FileNotFoundError:
            pass
        except (OSError, BadInputError) as error:
            self._log.warning("staff_file_unreadable", error=type(error).__name__)

    async def run(self) -> None:
        """Fetch the list every ten minutes until cancelled."""
        while self._fetch is not None:
            body = await self._fetch()
            if body is not None:
                self.take(body)
            await asyncio.sleep(FETCH_S if body is not None else FETCH_RETRY_S)

    def take(self, body: bytes) -> None:
        """Take a list from the plaza and keep it; a wrong one changes nothing."""
        try:
            self._list = _read(body, where="answer of /v1/operators")
            fresh = self._cache.with_name(f"{self._cache.name}.new")
            file = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
            with os.fdopen(file, "wb") as out:
                out.write(body)
            fresh.rename(self._cache)
        except BadInputError as error:
            self._log.warning("staff_list_refused", where=error.where, what=error.what)
        except OSError as error:
            self._log.warning("staff_file_not_written", error=type(error).__name__)

    async def check(self, operator: str, pin: str) -> None:
        """Return where the PIN is that operator's.

        Raises: RefusedError: it is not, the list has expired, or there were too many tries.
        """
        tries = self._tries_of(operator)
        if len(tries) >= TRIES_MAX:
            raise RefusedError(where="hello", what="too many wrong PINs", do="Wait a minute")
        # Counted before it is checked: tries side by side count too.
        tries.append(self._clock.at_ns())
        known = self._known(operator)
        fits = known is not None and await asyncio.to_thread(pin_fits, pin, known.pin_hash)
        if not fits:
            raise RefusedError(where="hello", what="operator or PIN is wrong, or the list expired")
        tries.clear()

    def _known(self, operator: str) -> Operator | None:
        now_ms = self._clock.wall().utc_ms
        if self._list is not None and now_ms < self._list.expires_ms:
            for each in self._list.operators:
                if each.operator_id == operator:
                    return each
        return self._bootstrap.get(operator)

    def _tries_of(self, operator: str) -> deque[int]:
        tries = self._tries.setdefault(operator, deque(maxlen=TRIES_MAX))
        self._tries.move_to_end(operator)
        while len(self._tries) > NAMES_REMEMBERED:
            self._tries.popitem(last=False)
        oldest = self._clock.at_ns() - TRIES_WINDOW_NS
        while tries and tries[0] < oldest:
            tries.popleft()
        return tries


def _read(body: bytes, *, where: str) -> OperatorList:
    found = wire.check(_list, body, where=where)
    if len(found.operators) > OPERATORS_MAX:
        raise BadInputError(where=where, what=f"more than {OPERATORS_MAX} people")
    if not all(is_pin_hash(each.pin_hash) for each in found.operators):
        raise BadInputError(where=where, what="a pin_hash is none")
    return found
