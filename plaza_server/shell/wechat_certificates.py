"""Keeps WeChat Pay's certificates: fetched at start, every 12 h, and when an answer names another.

Nothing is decided about payments here. As long as no certificate is known the platform's client
sends nothing; a list that cannot be believed leaves what is known as it is. The keeper has no loop
of its own: the watch asks it once a second whether something is due.
"""

from __future__ import annotations

import structlog

from plaza_server.platforms.client import HttpPlatformClient
from plaza_server.platforms.wechat.certificates import (
    CertificateBook,
    Unseal,
    build_list_call,
    read_list,
)
from plaza_server.platforms.wechat.codec import Pen, WechatConfig
from plaza_server.platforms.wechat.sealing import read_certificate
from plaza_server.rules.outcomes import Evidence, NotThere, PlatformOutcome, Unknown
from plaza_server.shell.clock import Clock
from tolling.clock import NS_PER_S

EVERY_S = 12 * 3600
"""A new certificate is listed a day or more before it signs; the platform asks for 12 h at most."""
NONE_KNOWN_S = 5
"""Between tries while no answer can be verified: every payment waits for it."""
MISSING_S = 60
"""Between tries while answers name an unknown one: anybody on the line can make such answers."""


class CertificateKeeper:
    """Fetches one account's certificates into its book."""

    def __init__(
        self,
        *,
        client: HttpPlatformClient,
        book: CertificateBook,
        config: WechatConfig,
        pen: Pen,
        unseal: Unseal,
        clock: Clock,
    ) -> None:
        self._client = client
        self._book = book
        self._config = config
        self._pen = pen
        self._unseal = unseal
        self._clock = clock
        self._tried_ns: int | None = None
        self._missing = False
        self._log = structlog.get_logger("plaza.certificates")
        book.on_missing(self._note_missing)

    def due(self) -> bool:
        """Return whether the list should be fetched now."""
        if self._tried_ns is None:
            return True
        every_s = MISSING_S if self._missing else EVERY_S
        if not self._book.ready:
            every_s = NONE_KNOWN_S
        return self._clock.at_ns() - self._tried_ns >= every_s * NS_PER_S

    async def refresh(self) -> PlatformOutcome:
        """Fetch the list once; return NotThere where it was believed, else why it was not."""
        self._tried_ns = self._clock.at_ns()
        now_ms = self._clock.wall().utc_ms
        call = build_list_call(self._config, self._pen, now_ms=now_ms)
        answer, came_ms = await self._client.exchange(call, now_ms=now_ms)
        if isinstance(answer, Evidence):
            return self._kept(Unknown(evidence=answer))
        found = read_list(
            answer,
            known=self._book.known,
            unseal=self._unseal,
            read=read_certificate,
            now_ms=came_ms,
        )
        if not isinstance(found, tuple):
            return self._kept(found)
        before = set(self._book.known)
        self._book.take(found)
        self._missing = False
        new = sorted(set(self._book.known) - before)
        self._log.info("certificates_fetched", platform=self._client.name, new=new)
        return NotThere()

    def _kept(self, outcome: PlatformOutcome) -> PlatformOutcome:
        known = sorted(self._book.known)
        self._log.warning(
            "certificates_not_fetched",
            platform=self._client.name,
            why=str(getattr(outcome, "evidence", "") or getattr(outcome, "detail", "")),
            known=known,
        )
        return outcome

    def _note_missing(self) -> None:
        self._missing = True
