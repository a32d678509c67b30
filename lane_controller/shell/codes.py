"""Pay codes and coupons, in memory only: from the scan until they are answered, 90 s at most.

Everything else knows a code by its keyed hash. The key is a file of this machine beside the
journal, so that a code that was scanned before a restart is known again by its hash.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from lane_controller.shell.clock import random_bytes
from tolling.clock import NS_PER_S
from tolling.coupons import CouponCode, CouponRef
from tolling.errors import JournalError
from tolling.paycodes import PayCode, PayCodeRef

CODE_LIFE_NS = 90 * NS_PER_S
"""A wallet's code is valid for 60 s; older ones are of no use to anybody."""
CODES_MAX = 32
"""One lane has one or two at a time."""
KEY_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    code: PayCode | CouponCode
    kept_ns: int


class CodeBook:
    """The codes of one lane."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._scanned: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._held)

    def keep(self, code: PayCode, *, at_ns: int, scanned_ns: int) -> PayCodeRef:
        """Keep a code; return what may be told of it.

        Args:   at_ns: now. scanned_ns: when its last byte came, on the measuring clock.
        """
        ref = code.ref(self._key)
        self._keep(ref.keyed_hash, code, at_ns, scanned_ns)
        return ref

    def keep_coupon(self, code: CouponCode, *, at_ns: int, scanned_ns: int) -> CouponRef:
        """Keep a coupon, as ``keep`` does a pay code."""
        ref = code.ref(self._key)
        self._keep(ref.keyed_hash, code, at_ns, scanned_ns)
        return ref

    def _keep(
        self, keyed_hash: str, code: PayCode | CouponCode, at_ns: int, scanned_ns: int
    ) -> None:
        self.drop_old(at_ns=at_ns)
        self._held[keyed_hash] = _Held(code=code, kept_ns=at_ns)
        self._held.move_to_end(keyed_hash)
        self._scanned[keyed_hash] = scanned_ns
        self._scanned.move_to_end(keyed_hash)
        while len(self._held) > CODES_MAX:
            self._held.popitem(last=False)
        while len(self._scanned) > CODES_MAX:
            self._scanned.popitem(last=False)

    def find(self, keyed_hash: str, *, at_ns: int) -> PayCode | CouponCode | None:
        """Return a code that is still held."""
        self.drop_old(at_ns=at_ns)
        held = self._held.get(keyed_hash)
        return held.code if held is not None else None

    def drop(self, keyed_hash: str) -> None:
        """Forget a code."""
        self._held.pop(keyed_hash, None)

    def drop_old(self, *, at_ns: int) -> None:
        """Forget codes kept longer than 90 s."""
        for keyed_hash in [
            each for each, held in self._held.items() if at_ns - held.kept_ns > CODE_LIFE_NS
        ]:
            del self._held[keyed_hash]

    def scanned_ns(self, keyed_hash: str) -> int | None:
        """Return when a code's last byte came; also after the code itself is forgotten."""
        return self._scanned.get(keyed_hash)


def read_key(path: Path) -> bytes:
    """Return this machine's key for hashing codes; made once, mode 0600.

    Raises: JournalError: the file cannot be made or read, or holds something else.
    """
    try:
        if not path.exists():
            fresh = path.with_name(f"{path.name}.new")
            file = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
            with os.fdopen(file, "wb") as out:
                out.write(random_bytes(KEY_BYTES))
                out.flush()
                os.fsync(out.fileno())
            fresh.rename(path)
        key = path.read_bytes()
    except OSError as error:
        raise JournalError(where=str(path), what=f"key file: {error.strerror}") from error
    if len(key) != KEY_BYTES:
        raise JournalError(
            where=str(path),
            what=f"is not a key of {KEY_BYTES} bytes",
            do="Delete it while the lane is empty; a new one is made",
        )
    return key
